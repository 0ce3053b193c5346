import Crypto
package import Foundation

/// What tells a provider's reports from anybody else's. Sealed where it is stored.
package struct SourceMaterial: Codable, Sendable {
    /// The one SNS topic that is believed.
    package var topic: String?
    /// Keys of signatures, several while one replaces another.
    package var keys: [String]
    /// Mailgun: of the primary account, where subaccounts send.
    package var parentKeys: [String]
    /// The header field that carries a secret, and the hash of its value.
    package var header: String?
    package var headerHash: Data?
    /// PEM; in place of Amazon's, for a source of `sluice feedback test`.
    package var testCertificate: String?

    package init(topic: String? = nil, keys: [String] = [], parentKeys: [String] = [], testCertificate: String? = nil) {
        self.topic = topic
        self.keys = keys
        self.parentKeys = parentKeys
        self.testCertificate = testCertificate
    }

    /// - Parameter value: random, so that its hash gives nothing away.
    package init(header: String, value: String) {
        self.init()
        self.header = header
        headerHash = Data(SHA256.hash(data: Array(value.utf8)))
    }
}
