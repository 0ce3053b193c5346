package import MailSigning
package import MailTypes

/// A domain that an account has registered to send from. Times are seconds since 1970.
package struct SendingDomain: Sendable, Hashable {
    package let account: AccountID
    package let domain: DomainName
    package let standing: DomainStanding
    /// Whether mail may leave as this domain now: it is proven, or a domain above it, or the operator trusts all.
    package let sends: Bool
    /// The proven domain above it that it sends by, where it has no proof of its own.
    package let coveredBy: DomainName?
    package let keys: [Key]
    /// What the domain's owner is to publish: keys, SPF, return path, DMARC.
    package let records: [DNSRecordAdvice]
    /// What proves the domain without any of the others.
    package let challenge: Challenge
    /// Of the last look into the DNS.
    package let findings: [DomainFinding]
    /// When it was proven first, or again after it had stopped.
    package let verifiedAt: Int64?
    package let checkedAt: Int64?
    package let createdAt: Int64

    package struct Key: Sendable, Hashable {
        /// The raw values are stored and part of the API; never rename them.
        package enum Role: String, Sendable, Hashable {
            /// Signs once the DNS has its record.
            case next
            case signing
            /// Signs no more. Its record is to stay for mail under way.
            case retired
        }

        package let selector: String
        package let algorithm: DKIMKey.Algorithm
        /// The TXT record's value at `<selector>._domainkey.<domain>`.
        package let record: String
        package let role: Role
        package let retiredAt: Int64?

        /// Until when the record of a retired key is to stay.
        package var publishedUntil: Int64? { retiredAt.map { $0 + Self.retiredSeconds } }

        /// Mail waits in queues for up to five days (RFC 5321 §4.5.4.1), and may be checked later.
        package static let retiredSeconds: Int64 = 7 * 86_400
    }

    /// A TXT record.
    package struct Challenge: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    /// Of the first key that signs, the one that every receiver checks.
    package var selector: String { (keys.first { $0.role == .signing } ?? keys.first)?.selector ?? "" }

    package func finding(_ purpose: String, at name: String) -> DomainFinding? {
        findings.first { $0.purpose == purpose && $0.name == name }
    }

    /// The domain and those above it, as far as they can be registered.
    static func withAncestors(_ domain: DomainName) -> [String] {
        var labels = domain.text.split(separator: ".")[...]
        var names: [String] = []
        while labels.count >= 2 {
            names.append(labels.joined(separator: "."))
            labels = labels.dropFirst()
        }
        return names
    }
}
