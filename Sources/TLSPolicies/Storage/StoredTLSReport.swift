package import MailTypes

/// A domain's report on TLS of one day (RFC 8460), taken from the database to be sent. Times are seconds since 1970.
package struct StoredTLSReport: Sendable, Hashable {
    package let domain: DomainName
    package let day: TLSResults.Day
    /// The counts of all nodes, from ``TLSResults/Domain/encoded``.
    package let results: [UInt8]
    /// The same in every attempt.
    package let reportID: String
    /// Addresses that have it.
    package let sentTo: Set<String>
    package let firstTriedAt: Int64
    /// Until then nobody else sends it; names this attempt.
    package let leasedUntil: Int64
}
