import MailTypes
import Postgres

/// Keeps the outbox within its bounds: events are dropped once they are three days old, the oldest of an account where there
/// are too many, whatever its endpoints do.
struct WebhookSweep: Sendable {
    let records: PostgresPool
    var rows = WebhookLimits.rows
    var octets = WebhookLimits.octets

    /// - Parameter now: microseconds.
    /// - Returns: events that were dropped before they were delivered.
    func sweep(now: Int64) async throws -> Int {
        var dropped = 0
        while true {
            let (rows, lost) = try await dropAged(now: now)
            dropped += lost
            if rows < Self.rowsAtOnce { break }
        }
        for account in try await crowded() { dropped += try await dropOldest(of: account) }
        try await trimAttempts()
        return dropped
    }

    private static let rowsAtOnce = 5_000

    private func dropAged(now: Int64) async throws -> (rows: Int, dropped: Int) {
        let end = PostgresTimestamp(microseconds: now - WebhookLimits.lifetimeSeconds * 1_000_000)
        return try await records.withTransaction { connection in
            let keys = try await connection.query(
                """
                DELETE FROM webhook_events WHERE (account_id, event_no) IN (
                    SELECT account_id, event_no FROM webhook_events WHERE created_at < \(end)
                    ORDER BY created_at LIMIT \(Int32(Self.rowsAtOnce)) FOR UPDATE SKIP LOCKED)
                RETURNING account_id, event_no
                """
            ).map { try $0.decode(Int64.self, Int64.self) }
            return (keys.count, try await forget(keys, on: connection))
        }
    }

    /// Accounts whose rows are too many.
    private func crowded() async throws -> [Int64] {
        try await records.query(
            """
            SELECT account_id FROM webhook_events GROUP BY account_id
            HAVING count(*) > \(rows) OR sum(octets) > \(octets)
            """
        ).map { try $0.decode(Int64.self) }
    }

    private func dropOldest(of account: Int64) async throws -> Int {
        try await records.withTransaction { connection in
            let keys = try await connection.query(
                """
                DELETE FROM webhook_events WHERE account_id = \(account) AND event_no IN (
                    SELECT event_no FROM webhook_events WHERE account_id = \(account) AND event_no <= (
                        SELECT max(event_no) FROM (
                            SELECT event_no, row_number() OVER newest AS place, sum(octets) OVER newest AS size
                            FROM webhook_events WHERE account_id = \(account)
                            WINDOW newest AS (ORDER BY event_no DESC)) kept
                        WHERE place > \(rows) OR size > \(octets))
                    ORDER BY event_no FOR UPDATE)
                RETURNING account_id, event_no
                """
            ).map { try $0.decode(Int64.self, Int64.self) }
            return try await forget(keys, on: connection)
        }
    }

    /// Deletes what was still to be delivered of these rows, and counts it at the endpoints.
    private func forget(_ keys: [(Int64, Int64)], on connection: PostgresConnection) async throws -> Int {
        guard !keys.isEmpty else { return 0 }
        let rows = try await connection.query(
            """
            WITH gone AS (
                DELETE FROM webhook_deliveries d
                USING unnest(\(keys.map(\.0)), \(keys.map(\.1))) AS k (account_id, event_no),
                    webhook_endpoints e
                WHERE d.account_id = k.account_id AND d.event_no = k.event_no
                    AND e.account_id = d.account_id AND d.endpoint_id = e.endpoint_id
                RETURNING d.account_id, d.endpoint_id, d.end_event - d.first_event AS events),
            sums AS (SELECT account_id, endpoint_id, sum(events) AS events FROM gone GROUP BY 1, 2)
            UPDATE webhook_endpoints e SET dropped = e.dropped + s.events
            FROM sums s WHERE e.account_id = s.account_id AND e.endpoint_id = s.endpoint_id
            RETURNING s.events::bigint
            """)
        // Of endpoints that were removed while an event was written.
        try await connection.query(
            """
            DELETE FROM webhook_deliveries d
            USING unnest(\(Array(Set(keys.map(\.0))))) AS k (account_id)
            WHERE d.account_id = k.account_id AND NOT EXISTS (
                SELECT FROM webhook_endpoints e
                WHERE e.account_id = d.account_id AND e.endpoint_id = d.endpoint_id)
            """)
        return try rows.reduce(0) { $0 + Int(try $1.decode(Int64.self)) }
    }

    /// Leaves the newest attempts of each endpoint.
    private func trimAttempts() async throws {
        try await records.query(
            """
            DELETE FROM webhook_attempts a
            USING (
                SELECT e.account_id, e.endpoint_id, (
                    SELECT attempt_no FROM webhook_attempts t
                    WHERE t.account_id = e.account_id AND t.endpoint_id = e.endpoint_id
                    ORDER BY attempt_no DESC OFFSET \(Int64(WebhookLimits.attempts)) LIMIT 1) AS last
                FROM webhook_endpoints e) o
            WHERE a.account_id = o.account_id AND a.endpoint_id = o.endpoint_id AND a.attempt_no <= o.last
            """)
    }
}
