package import MailMessage
package import MailTypes
import Postgres

extension DomainReportLimits {
    /// Of a domain and kind that are taken within a day.
    package static let reportsOfDay = 100
}

extension SendingDomains {
    package enum ReportTaken: Sendable, Hashable {
        case kept
        /// It came before.
        case repeated
        /// No account has proven the domain that it tells of.
        case unknownDomain
        /// As many of the domain and kind came within a day as are taken.
        case tooMany
    }

    /// Keeps a report with the domain that it tells of, for the account that has proven it.
    package func take(_ report: AggregateReport) async throws -> ReportTaken {
        guard let account = try await owner(of: report.domain) else { return .unknownDomain }
        return try await records.withTransaction { connection in
            if let reason = try await refusal(account, report, on: connection) { return reason }
            let rows = report.rows
            let added = try await connection.query(
                """
                INSERT INTO domain_reports (
                    account_id, domain, kind, organization, report_id, begins_at, ends_at, good, bad, sources, counts,
                    goods, details)
                SELECT
                    d.account_id, d.domain, \(report.kind.rawValue), \(report.organization), \(report.id),
                    \(PostgresTimestamp(seconds: report.begin)), \(PostgresTimestamp(seconds: report.end)),
                    \(report.good), \(report.bad), \(rows.map(\.source)), \(rows.map(\.count)), \(rows.map(\.isGood)),
                    \(rows.map(\.detail))
                FROM domains d WHERE d.account_id = \(account.rawValue) AND d.domain = \(report.domain.text)
                ON CONFLICT DO NOTHING
                """
            ).affected
            guard added > 0 else { return .repeated }
            try await makeRoom(account, report, on: connection)
            return .kept
        }
    }

    /// Why a report is not kept; nil where it may be. Anybody can write reports: a flood of forged ones must not drive
    /// out what receivers have told.
    private func refusal(
        _ account: AccountID, _ report: AggregateReport, on connection: PostgresConnection
    ) async throws -> ReportTaken? {
        let (isKept, ofDay) = try await connection.query(
            """
            SELECT
                EXISTS (
                    SELECT FROM domain_reports
                    WHERE account_id = \(account.rawValue) AND domain = \(report.domain.text)
                        AND kind = \(report.kind.rawValue) AND organization = \(report.organization)
                        AND report_id = \(report.id)),
                (
                    SELECT count(*) FROM domain_reports
                    WHERE account_id = \(account.rawValue) AND domain = \(report.domain.text)
                        AND kind = \(report.kind.rawValue)
                        AND received_at > clock_timestamp() - interval '1 day')
            """
        ).only.decode(Bool.self, Int64.self)
        if isKept { return .repeated }
        return ofDay < Int64(DomainReportLimits.reportsOfDay) ? nil : .tooMany
    }

    /// Old reports make room for new ones.
    private func makeRoom(
        _ account: AccountID, _ report: AggregateReport, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            DELETE FROM domain_reports
            WHERE account_id = \(account.rawValue) AND domain = \(report.domain.text) AND kind = \(report.kind.rawValue)
                AND report_no <= (
                    SELECT report_no FROM domain_reports
                    WHERE account_id = \(account.rawValue) AND domain = \(report.domain.text)
                        AND kind = \(report.kind.rawValue)
                    ORDER BY report_no DESC OFFSET \(Int64(DomainReportLimits.reports)) LIMIT 1)
            """)
    }

    /// The domain's reports, the newest first.
    ///
    /// - Parameters:
    ///   - before: the number of the last report of the page before
    ///   - limit: at most ``DomainReportLimits/pageSize``
    /// - Throws: ``SendingDomainError`` `.domainNotFound`
    package func reports(
        _ account: AccountID, _ domain: DomainName, _ kind: AggregateReport.Kind? = nil, before: Int64? = nil,
        limit: Int = DomainReportLimits.pageSize
    ) async throws -> [DomainReport] {
        _ = try await get(account, domain)
        let limit = Int32(min(max(limit, 1), DomainReportLimits.pageSize))
        return try await records.query(
            """
            SELECT report_no, kind, organization, report_id, begins_at, ends_at, good, bad, sources, counts, goods,
                details, received_at
            FROM domain_reports
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text) AND report_no < \(before ?? .max)
                AND (\(kind == nil) OR kind = \(kind?.rawValue ?? ""))
            ORDER BY report_no DESC LIMIT \(limit)
            """
        ).compactMap { row in
            let (number, kind, organization, id, begin, end, good, bad, sources, counts, goods, details, receivedAt) =
                try row.decode(
                    Int64.self, String.self, String.self, String.self, PostgresTimestamp.self, PostgresTimestamp.self,
                    Int64.self, Int64.self, [String].self, [Int64].self, [Bool].self, [String].self,
                    PostgresTimestamp.self)
            guard let kind = AggregateReport.Kind(rawValue: kind) else { return nil }
            let rows = sources.indices.map {
                AggregateReport.Row(
                    source: sources[$0], count: counts[$0], isGood: goods[$0], detail: details[$0])
            }
            return DomainReport(
                number: number, kind: kind, organization: organization, id: id, begin: begin.seconds, end: end.seconds,
                good: good, bad: bad, rows: rows, receivedAt: receivedAt.seconds)
        }
    }

    /// Does away with old reports.
    ///
    /// - Returns: how many
    package func sweepReports() async throws -> Int {
        try await records.query(
            """
            DELETE FROM domain_reports
            WHERE received_at < clock_timestamp() - make_interval(days => \(Int32(DomainReportLimits.days)))
            """
        ).affected
    }
}
