/// 128 bits that stand for a recipient's address, in any case, under a seed: small enough to count millions of
/// recipients, wide enough that two of them never meet, and the source of all chance in the sink, so that a run can be
/// repeated.
///
/// Not a cryptographic hash: it hides nothing.
package struct RecipientDigest: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    package init(_ address: String, seed: UInt64) {
        var high = seed ^ Self.first
        var low = ~seed ^ Self.second
        var word: UInt64 = 0
        var count: UInt64 = 0
        for byte in address.utf8 {
            word = word << 8 | UInt64((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
            count += 1
            guard count & 7 == 0 else { continue }
            Self.mix(&high, word, Self.second)
            Self.mix(&low, word, Self.third)
            word = 0
        }
        // The length goes in as well: else leading zero octets would not count.
        for last in [word, count, Self.third] {
            Self.mix(&high, last, Self.second)
            Self.mix(&low, last, Self.third)
        }
        self.high = high
        self.low = low
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(low)
    }

    /// 0 ..< 1, another number for each `purpose`.
    func share(_ purpose: Purpose) -> Double {
        Double(draw(purpose) >> 11) * 0x1p-53
    }

    /// 0 ..< `count`.
    func pick(_ purpose: Purpose, of count: Int) -> Int {
        Int(draw(purpose) % UInt64(max(1, count)))
    }

    /// What a draw decides. Each purpose is independent of the others.
    enum Purpose: UInt64 {
        case verdict = 1
        case stage, kind, text, token, verification
    }

    func draw(_ purpose: Purpose) -> UInt64 {
        var word = high
        Self.mix(&word, purpose.rawValue &* Self.first, Self.third)
        Self.mix(&word, low, Self.second)
        return word
    }

    /// Multiplies to 128 bits and folds them, which spreads each bit over all others.
    private static func mix(_ lane: inout UInt64, _ word: UInt64, _ factor: UInt64) {
        let product = (lane ^ word).multipliedFullWidth(by: factor)
        lane = product.high ^ product.low ^ factor
    }

    private static let first: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let second: UInt64 = 0xD1B5_4A32_D192_ED03
    private static let third: UInt64 = 0xABC9_8388_FB8F_AC03
}
