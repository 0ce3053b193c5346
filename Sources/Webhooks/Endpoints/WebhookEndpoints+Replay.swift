package import MailTypes
package import Postgres

extension WebhookEndpoints {
    /// Queues one event of the kind that exists for this, whatever the endpoint wants.
    ///
    /// - Returns: the event's identifier.
    /// - Throws: ``WebhookError`` `.notFound`, `.webhookDisabled`
    package func test(
        _ account: AccountID, _ id: WebhookID, onCommit: CommitHook<String>? = nil
    ) async throws -> String {
        let pack = WebhookPack(time: SystemTime.microseconds(), events: [.test(id)])
        return try await records.withTransaction { connection in
            _ = try await lockActive(account, id, on: connection)
            let number = try await connection.query(
                """
                WITH stored AS (
                    INSERT INTO webhook_events (account_id, campaign_id, types, events, octets, facts, waiting)
                    VALUES (
                        \(account.rawValue), 0, \(pack.types.rawValue), 1, \(Int32(pack.facts.count)), \(pack.facts),
                        1)
                    RETURNING event_no),
                queued AS (
                    INSERT INTO webhook_deliveries (account_id, endpoint_id, campaign_id, event_no, end_event)
                    SELECT \(account.rawValue), \(id.rawValue), 0, event_no, 1 FROM stored)
                SELECT event_no FROM stored
                """
            ).only.decode(Int64.self)
            let event = WebhookEventID(number: number, place: 0).description
            try await onCommit?(connection, event)
            return event
        }
    }

    /// What is sent again.
    package enum Replay: Sendable, Hashable {
        case event(String)
        /// All of the endpoint's types since then.
        case since(PostgresTimestamp)
    }

    /// Queues events once more that were told before, as far as they are kept. What is queued anyway is left as it is.
    /// Those that were delivered come without addresses.
    ///
    /// - Returns: how many rows of the outbox were queued.
    /// - Throws: ``WebhookError`` `.notFound`, `.webhookDisabled`, `.eventNotFound`
    package func replay(
        _ account: AccountID, _ id: WebhookID, _ replay: Replay, onCommit: CommitHook<Int>? = nil
    ) async throws -> Int {
        try await records.withTransaction { connection in
            let (types, number) = try await lockActive(account, id, on: connection)
            let queued: Int
            switch replay {
            case .since(let time):
                queued = try await queue(
                    account, id, replay: number, types: types, since: time, event: nil, on: connection)
            case .event(let text):
                guard let event = WebhookEventID(text) else { throw Self.eventNotFound }
                queued = try await queue(
                    account, id, replay: number, types: types, since: PostgresTimestamp(microseconds: .min),
                    event: event, on: connection)
                if queued == 0, try await !isKept(event, account, types: types, on: connection) {
                    throw Self.eventNotFound
                }
            }
            try await onCommit?(connection, queued)
            return queued
        }
    }

    private static let eventNotFound = WebhookError(
        .eventNotFound, "the event is not kept, or not one of those that this webhook is told")

    private func queue(
        _ account: AccountID, _ id: WebhookID, replay: Int32, types: Int64, since: PostgresTimestamp,
        event: WebhookEventID?, on connection: PostgresConnection
    ) async throws -> Int {
        let place = event.map { Int16($0.place) }
        let count = try await connection.query(
            """
            WITH queued AS (
                INSERT INTO webhook_deliveries (
                    account_id, endpoint_id, campaign_id, event_no, first_event, end_event, replay)
                SELECT account_id, \(id.rawValue), campaign_id, event_no, coalesce(\(place as Int16?), 0),
                    coalesce(\(place.map { $0 + 1 } as Int16?), events), \(replay)
                FROM webhook_events
                WHERE account_id = \(account.rawValue) AND types & \(types) <> 0 AND created_at >= \(since)
                    AND event_no = coalesce(\(event?.number as Int64?), event_no)
                    AND events > coalesce(\(place as Int16?), 0)
                ORDER BY event_no
                ON CONFLICT DO NOTHING
                RETURNING event_no),
            counted AS (
                UPDATE webhook_events e SET waiting = e.waiting + 1 FROM queued q
                WHERE e.account_id = \(account.rawValue) AND e.event_no = q.event_no)
            SELECT count(*) FROM queued
            """
        ).only.decode(Int64.self)
        return Int(count)
    }

    private func isKept(
        _ event: WebhookEventID, _ account: AccountID, types: Int64, on connection: PostgresConnection
    ) async throws -> Bool {
        try await !connection.query(
            """
            SELECT FROM webhook_events
            WHERE account_id = \(account.rawValue) AND event_no = \(event.number) AND events > \(Int16(event.place))
                AND types & \(types) <> 0
            """
        ).isEmpty
    }

    /// - Returns: the types that the endpoint wants, and the number of this replay.
    private func lockActive(
        _ account: AccountID, _ id: WebhookID, on connection: PostgresConnection
    ) async throws -> (types: Int64, replay: Int32) {
        let row = try await connection.query(
            """
            UPDATE webhook_endpoints SET replays = replays + 1, rest_until = NULL
            WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
            RETURNING types, replays, disabled_reason
            """
        ).first
        guard let row else { throw WebhookError.notFound }
        let (types, replay, reason) = try row.decode(Int64.self, Int32.self, String?.self)
        guard reason == nil else {
            throw WebhookError(.webhookDisabled, "the webhook is disabled; enable it first")
        }
        return (types, replay)
    }
}
