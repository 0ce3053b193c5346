package import MailTypes
import Postgres

/// A domain's report on TLS of one day (RFC 8460), as the database keeps it. Times are seconds since 1970.
package struct StoredTLSReport: Sendable, Hashable {
    package let domain: DomainName
    /// Days since 1970, UTC.
    package let day: Int
    /// The counts of all nodes, as their owner encodes them.
    package let results: [UInt8]
    /// The same in every attempt.
    package let reportID: String
    /// Addresses that have it.
    package let sentTo: Set<String>
    package let firstTriedAt: Int64
    /// Until then nobody else sends it; names this attempt.
    package let leasedUntil: Int64
}

/// The counts of a whole fleet come together here, so that a domain gets one report a day. All times are the caller's.
extension DeliveryStore {
    /// Adds to the counts of domains and days. A day whose report is finished takes no more.
    ///
    /// - Parameters:
    ///   - dueAt: when a day's report may first be sent.
    ///   - merge: the present counts, nil if there are none, with the new ones.
    package func addTLSResults(
        _ keys: [(domain: DomainName, day: Int)], dueAt: @Sendable (_ day: Int) -> Int64,
        reportID: @Sendable () -> String,
        merge: @Sendable (_ index: Int, _ present: [UInt8]?) throws -> [UInt8]
    ) async throws {
        // In one order, so that nodes do not lock each other out.
        let order = keys.indices.sorted { (keys[$0].day, keys[$0].domain) < (keys[$1].day, keys[$1].domain) }
        for start in stride(from: 0, to: order.count, by: Self.reportsAtOnce) {
            try await housekeeping.withTransaction { connection in
                for index in order[start..<min(order.count, start + Self.reportsAtOnce)] {
                    let (domain, day) = keys[index]
                    try await connection.query(
                        """
                        INSERT INTO tls_reports (day, domain, report_id, due_at)
                        VALUES (\(Int32(day)), \(domain.text), \(reportID()), \(dueAt(day))) ON CONFLICT DO NOTHING
                        """)
                    let rows = try await connection.query(
                        """
                        SELECT results FROM tls_reports
                        WHERE day = \(Int32(day)) AND domain = \(domain.text) AND NOT is_finished FOR UPDATE
                        """)
                    guard let row = rows.first else { continue }
                    let results = try merge(index, try row.decode([UInt8]?.self))
                    try await connection.query(
                        """
                        UPDATE tls_reports SET results = \(results)
                        WHERE day = \(Int32(day)) AND domain = \(domain.text)
                        """)
                }
            }
        }
    }

    /// Takes a report that is due, for this caller alone until the lease ends.
    package func claimTLSReport(at now: Int64, leaseSeconds: Int64) async throws -> StoredTLSReport? {
        let until = now + leaseSeconds
        let rows = try await housekeeping.query(
            """
            UPDATE tls_reports t SET due_at = \(until), first_tried_at = coalesce(first_tried_at, \(now))
            FROM (
                SELECT day, domain FROM tls_reports
                WHERE NOT is_finished AND results IS NOT NULL AND due_at <= \(now)
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) due
            WHERE t.day = due.day AND t.domain = due.domain
            RETURNING t.domain, t.day, t.results, t.report_id, t.sent_to, t.first_tried_at
            """)
        guard let row = rows.first else { return nil }
        let (domain, day, results, reportID, sentTo, firstTriedAt) = try row.decode(
            String.self, Int32.self, [UInt8].self, String.self, [String].self, Int64.self)
        return StoredTLSReport(
            domain: try DomainName(domain), day: Int(day), results: results, reportID: reportID, sentTo: Set(sentTo),
            firstTriedAt: firstTriedAt, leasedUntil: until)
    }

    /// Ends an attempt. Does nothing if somebody else has taken the report meanwhile.
    ///
    /// - Parameter nextAt: of the next attempt; nil: there is none, and the counts are forgotten.
    package func concludeTLSReport(_ report: StoredTLSReport, sentTo: Set<String>, nextAt: Int64?) async throws {
        let results = nextAt == nil ? nil : report.results
        try await housekeeping.query(
            """
            UPDATE tls_reports
            SET sent_to = \(sentTo.sorted()), due_at = \(nextAt ?? report.leasedUntil),
                is_finished = \(nextAt == nil), results = \(results as [UInt8]?)
            WHERE day = \(Int32(report.day)) AND domain = \(report.domain.text) AND due_at = \(report.leasedUntil)
            """)
    }

    /// Forgets the reports of days long past, finished or not.
    package func forgetTLSReports(before day: Int) async throws {
        try await housekeeping.query("DELETE FROM tls_reports WHERE day < \(Int32(day))")
    }

    private static var reportsAtOnce: Int { 100 }
}
