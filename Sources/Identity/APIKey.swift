import Crypto

/// A bearer key of the HTTP API.
///
/// Text form: `sl_live_` or `sl_test_`, 32 random characters of base 62 (190 bits), 6 characters of checksum. The
/// prefix tells people what they hold, and lets secret scanners find a leaked key; the checksum tells a mistyped key from a revoked one without a query.
/// Only SHA-256 of the text is stored: the key has enough entropy that a slow hash would add nothing.
package struct APIKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The whole key. Show it once; never log it.
    package let exposed: String

    /// Makes a new key.
    ///
    /// - Parameters:
    ///   - isTest: it opens a test account.
    ///   - generator: must be cryptographically strong; the system's is
    package init(isTest: Bool = false, using generator: inout some RandomNumberGenerator) {
        let random = (0..<Self.randomCharacters).map { _ in Base62.digits[Int.random(in: 0..<62, using: &generator)] }
        let body = (isTest ? Self.testPrefix : Self.livePrefix) + String(decoding: random, as: UTF8.self)
        exposed = body + Self.checksum(of: body)
    }

    /// Reads a key as a client sent it.
    ///
    /// - Returns: nil unless prefix, length, alphabet and checksum are right
    package init?(_ text: String) {
        guard text.utf8.count == Self.characterCount,
            text.hasPrefix(Self.livePrefix) || text.hasPrefix(Self.testPrefix),
            text.utf8.dropFirst(Self.livePrefix.utf8.count).allSatisfy(Base62.digits.contains),
            Self.checksum(of: text.dropLast(Self.checksumCharacters)) == text.suffix(Self.checksumCharacters)
        else { return nil }
        exposed = text
    }

    /// Whether it is for a test account, as it says itself.
    package var isTest: Bool { exposed.hasPrefix(Self.testPrefix) }

    /// SHA-256 of the text, 32 octets: what is stored and looked up.
    package var hash: [UInt8] { Array(SHA256.hash(data: Array(exposed.utf8))) }

    /// The first 12 characters, enough to tell keys apart in a list.
    package var displayPrefix: String { String(exposed.prefix(Self.displayCharacters)) }

    package var description: String { displayPrefix + "…" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }

    private static let livePrefix = "sl_live_"
    private static let testPrefix = "sl_test_"
    private static let randomCharacters = 32
    private static let checksumCharacters = 6
    private static let characterCount = livePrefix.utf8.count + randomCharacters + checksumCharacters
    private static let displayCharacters = 12

    private static func checksum(of text: some StringProtocol) -> String {
        Base62.text(UInt64(CRC32.checksum(text.utf8)), digits: checksumCharacters)
    }
}
