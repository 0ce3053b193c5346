/// A pseudonym of an address: what suppressions, duplicate checks and tokens keep in its place, so that they outlive
/// the purge of a campaign. 16 octets of a keyed hash (see ``Fingerprinter``); equal for equal normalised addresses of
/// one account, unrelated between accounts.
package struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// Octets 0…7, big-endian.
    package let high: UInt64
    /// Octets 8…15, big-endian.
    package let low: UInt64

    package static let byteCount = 16

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Nil unless there are exactly 16 octets.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 {
                high = high << 8 | UInt64(byte)
            } else {
                low = low << 8 | UInt64(byte)
            }
        }
        self.init(high: high, low: low)
    }

    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            for position in 0..<8 {
                buffer[position] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * position))
                buffer[8 + position] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * position))
            }
            count = Self.byteCount
        }
    }

    package var description: String { "<fingerprint>" }
}
