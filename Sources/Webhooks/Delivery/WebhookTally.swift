package import Postgres
import Synchronization

/// What a node has told, since its start.
package final class WebhookTally: Sendable {
    package struct Counts: Sendable, Hashable {
        package var eventsDelivered = 0
        /// Given up after three days, or for want of room.
        package var eventsDropped = 0
        package var postsTaken = 0
        package var postsFailed = 0
        package var endpointsDisabled = 0

        package init() {}
    }

    private let state = Mutex(Counts())

    package init() {}

    package var counts: Counts { state.withLock { $0 } }

    func delivered(_ events: Int) { state.withLock { $0.eventsDelivered += events } }
    func dropped(_ events: Int) { state.withLock { $0.eventsDropped += events } }
    func disabled() { state.withLock { $0.endpointsDisabled += 1 } }
    func posted(_ isTaken: Bool) {
        state.withLock { counts in
            if isTaken { counts.postsTaken += 1 } else { counts.postsFailed += 1 }
        }
    }
}

/// How webhooks stand in the database, for all accounts together.
package struct WebhookCensus: Sendable, Hashable {
    package var active = 0
    /// No message has come through lately.
    package var failing = 0
    package var disabled = 0
    /// Rows that wait for an endpoint, and since when the oldest does, in seconds.
    package var pending = 0
    package var lateSeconds = 0.0

    package init() {}

    package static func read(_ records: PostgresPool) async throws -> WebhookCensus {
        let (active, failing, disabled, pending, late) = try await records.query(
            """
            SELECT count(*) FILTER (WHERE disabled_reason IS NULL),
                count(*) FILTER (WHERE disabled_reason IS NULL AND failing_since IS NOT NULL),
                count(*) FILTER (WHERE disabled_reason IS NOT NULL),
                (SELECT count(*) FROM webhook_deliveries),
                (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
                FROM webhook_events WHERE waiting > 0)
            FROM webhook_endpoints
            """
        ).only.decode(Int64.self, Int64.self, Int64.self, Int64.self, Double.self)
        var census = WebhookCensus()
        census.active = Int(active)
        census.failing = Int(failing)
        census.disabled = Int(disabled)
        census.pending = Int(pending)
        census.lateSeconds = late
        return census
    }
}
