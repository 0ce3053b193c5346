package import MailSigning
package import MailTypes

/// A domain that an account may send from.
package struct SendingDomain: Sendable, Hashable {
    package let account: AccountID
    package let domain: DomainName
    /// Of the first key, the one that every receiver checks.
    package let selector: String
    package let keys: [Key]
    /// What the domain's owner is to publish: keys, SPF, return path, DMARC.
    package let records: [DNSRecordAdvice]
    /// Seconds since 1970.
    package let createdAt: Int64

    package struct Key: Sendable, Hashable {
        package let selector: String
        package let algorithm: DKIMKey.Algorithm
        /// The TXT record's value at `<selector>._domainkey.<domain>`.
        package let record: String
    }
}
