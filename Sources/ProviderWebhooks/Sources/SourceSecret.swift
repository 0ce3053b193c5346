import Crypto
package import MailTypes

/// The last segment of a source's address: 160 random bits, shown once, kept as a hash.
package struct SourceSecret: Sendable {
    package let text: Redacted<String>

    package init() {
        text = Redacted(Self.random(octets: 20))
    }

    /// Lower-case hexadecimal digits.
    package static func random(octets: Int) -> String {
        SymmetricKey(size: .init(bitCount: octets * 8)).withUnsafeBytes { Array($0).hexadecimal }
    }

    /// What is stored. The secret is random, so that nothing can be tried out against it.
    static func hash(_ text: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(text.utf8)))
    }
}
