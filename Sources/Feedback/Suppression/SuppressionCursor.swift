import Postgres
import Vault

/// The place of a row in an account's suppressions.
///
/// Text form: 48 hexadecimal digits, 16 of microseconds and 32 of fingerprint.
package struct SuppressionCursor: Sendable, Hashable, CustomStringConvertible {
    let createdAt: PostgresTimestamp
    let fingerprint: Fingerprint

    init(createdAt: PostgresTimestamp, fingerprint: Fingerprint) {
        self.createdAt = createdAt
        self.fingerprint = fingerprint
    }

    package init?(_ text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count == 48 else { return nil }
        var words: [UInt64] = []
        for start in [0, 16, 32] {
            var word: UInt64 = 0
            for digit in digits[start..<start + 16] {
                switch digit {
                case 0x30...0x39: word = word << 4 | UInt64(digit - 0x30)
                case 0x61...0x66: word = word << 4 | UInt64(digit - 0x57)
                default: return nil
                }
            }
            words.append(word)
        }
        let microseconds = Int64(bitPattern: words[0])
        guard (0..<Self.year3000).contains(microseconds) else { return nil }
        self.init(
            createdAt: PostgresTimestamp(microseconds: microseconds),
            fingerprint: Fingerprint(high: words[1], low: words[2]))
    }

    package var description: String {
        [UInt64(bitPattern: createdAt.microseconds), fingerprint.high, fingerprint.low].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }

    /// Before the newest row.
    static let beforeAll = SuppressionCursor(
        createdAt: PostgresTimestamp(microseconds: year3000), fingerprint: Fingerprint(high: .max, low: .max))

    /// A made-up cursor must not reach beyond what the database can represent.
    private static let year3000: Int64 = 32_503_680_000_000_000
}
