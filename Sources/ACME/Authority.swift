package import MailTypes

/// A certificate authority that speaks ACME (RFC 8555), as the operator has named it.
package struct Authority: Sendable, Hashable {
    /// URL of its directory, `https://…`.
    package let directory: String
    /// Where it may write to its account, if it wants to.
    package let contacts: [EmailAddress]
    /// PEM file of the authorities that certify its own servers, in place of the system's.
    package let trustRootsFile: String?

    package init(directory: String, contacts: [EmailAddress] = [], trustRootsFile: String? = nil) {
        self.directory = directory
        self.contacts = contacts
        self.trustRootsFile = trustRootsFile
    }

    /// Let's Encrypt.
    package static let publicDirectory = "https://acme-v02.api.letsencrypt.org/directory"
}

/// The names of one certificate.
package struct CertificateNames: Sendable, Hashable, CustomStringConvertible {
    /// Sorted, each once, at least one.
    package let all: [DomainName]

    /// - Returns: nil where there are none, or more than ``ACMELimits/names``.
    package init?(_ names: some Sequence<DomainName>) {
        let sorted = Set(names).sorted()
        guard (1...ACMELimits.names).contains(sorted.count) else { return nil }
        all = sorted
    }

    /// With commas: the key of the certificate's row.
    package var description: String { all.map(\.text).joined(separator: ",") }
}

/// How a name is proven.
enum ChallengeKind: String, Sendable, Hashable {
    /// A file on port 80 (RFC 8555 §8.3).
    case http = "http-01"
    /// A handshake on port 443 (RFC 8737).
    case tlsALPN = "tls-alpn-01"
}
