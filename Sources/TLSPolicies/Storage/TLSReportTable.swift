import MailTypes
package import Postgres

/// The table `tls_reports`, where the counts of a whole fleet come together, so that a domain gets one report a day
/// (RFC 8460 §4). All times are the caller's, in seconds since 1970.
package struct TLSReportTable: Sendable {
    private let records: PostgresPool

    package init(_ records: PostgresPool) {
        self.records = records
    }

    // MARK: Counts

    /// Adds to the counts of domains and days. A day whose report is finished takes no more.
    ///
    /// - Parameter counts: what a node has counted, and when that day's report may first be sent if these counts are its
    ///   first.
    /// - Throws: what does not decode (``TLSResults/Domain/init(domain:day:decoding:)``), and errors of the database; then
    ///   some counts may have been added.
    package func add(_ counts: [(results: TLSResults.Domain, dueAt: Int64)]) async throws {
        // In one order, so that nodes do not lock each other out.
        let ordered = counts.sorted {
            ($0.results.day, $0.results.domain) < ($1.results.day, $1.results.domain)
        }
        for start in stride(from: 0, to: ordered.count, by: Self.reportsAtOnce) {
            try await records.withTransaction { connection in
                for (results, dueAt) in ordered[start..<min(ordered.count, start + Self.reportsAtOnce)] {
                    try await add(results, dueAt: dueAt, on: connection)
                }
            }
        }
    }

    private func add(_ counted: TLSResults.Domain, dueAt: Int64, on connection: PostgresConnection) async throws {
        let (day, domain) = (Int32(counted.day.number), counted.domain.text)
        try await connection.query(
            """
            INSERT INTO tls_reports (day, domain, report_id, due_at)
            VALUES (\(day), \(domain), \(TLSReport.newID()), \(dueAt)) ON CONFLICT DO NOTHING
            """)
        let rows = try await connection.query(
            """
            SELECT results FROM tls_reports
            WHERE day = \(day) AND domain = \(domain) AND NOT is_finished FOR UPDATE
            """)
        guard let row = rows.first else { return }
        var sum = counted
        if let present = try row.decode([UInt8]?.self) {
            sum = try TLSResults.Domain(domain: counted.domain, day: counted.day, decoding: present)
            sum.add(counted)
        }
        try await connection.query(
            "UPDATE tls_reports SET results = \(sum.encoded) WHERE day = \(day) AND domain = \(domain)")
    }

    // MARK: Reports

    /// Takes a report that is due, for this caller alone until the lease ends.
    package func claim(at now: Int64, leaseSeconds: Int64) async throws -> StoredTLSReport? {
        let until = now + leaseSeconds
        let rows = try await records.query(
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
            domain: try DomainName(domain), day: TLSResults.Day(number: Int(day)), results: results,
            reportID: reportID, sentTo: Set(sentTo), firstTriedAt: firstTriedAt, leasedUntil: until)
    }

    /// Ends an attempt. Does nothing if somebody else has taken the report meanwhile.
    ///
    /// - Parameter nextAt: of the next attempt; nil: there is none, and the counts are forgotten.
    package func conclude(_ report: StoredTLSReport, sentTo: Set<String>, nextAt: Int64?) async throws {
        let results = nextAt == nil ? nil : report.results
        try await records.query(
            """
            UPDATE tls_reports
            SET sent_to = \(sentTo.sorted()), due_at = \(nextAt ?? report.leasedUntil),
                is_finished = \(nextAt == nil), results = \(results as [UInt8]?)
            WHERE day = \(Int32(report.day.number)) AND domain = \(report.domain.text)
                AND due_at = \(report.leasedUntil)
            """)
    }

    /// Forgets the reports of days long past, finished or not.
    package func forget(before day: TLSResults.Day) async throws {
        try await records.query("DELETE FROM tls_reports WHERE day < \(Int32(day.number))")
    }

    private static let reportsAtOnce = 100
}
