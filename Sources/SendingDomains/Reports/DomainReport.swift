package import MailMessage

/// A report as it is kept with its domain.
package struct DomainReport: Sendable, Hashable {
    /// Grows with the time at which reports came in.
    package let number: Int64
    package let kind: AggregateReport.Kind
    package let organization: String
    package let id: String
    /// Seconds since 1970.
    package let begin: Int64
    package let end: Int64
    package let good: Int64
    package let bad: Int64
    package let rows: [AggregateReport.Row]
    /// Seconds since 1970.
    package let receivedAt: Int64
}

/// The bounds of reports that are kept.
package enum DomainReportLimits {
    package static let days = 90
    /// Of a domain and kind; older ones make room.
    package static let reports = 1_000
    package static let pageSize = 100
}
