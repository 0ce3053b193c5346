import MailTypes
import Postgres

/// The outbox from the side of who empties it. Retries go by the caller's clock, leases by the database's.
struct WebhookQueue: Sendable {
    /// An endpoint under a lease.
    struct Claim: Sendable {
        let account: AccountID
        let endpoint: WebhookID
        let sealed: [UInt8]
        let types: WebhookEventTypes
        let batchSize: Int
        /// Consecutive.
        let failures: Int
    }

    /// What became of a message.
    struct Outcome: Sendable {
        let message: WebhookMessage
        let id: String
        let events: Int
        let result: WebhookSender.Result
        /// In microseconds.
        let at: Int64
        let milliseconds: Int
        /// When it is tried again, in microseconds; nil: it is not.
        var nextAt: Int64?
    }

    let records: PostgresPool
    /// Name of the node and its incarnation.
    let node: String

    /// A run ends long before.
    static let leaseSeconds = 90.0

    // MARK: Endpoints

    /// Takes endpoints that have something to be told, those first that have waited longest.
    ///
    /// - Parameters:
    ///   - busy: how many endpoints of accounts this node serves at the moment.
    ///   - now: microseconds.
    func claim(_ limit: Int, busy: [AccountID: Int], now: Int64) async throws -> [Claim] {
        let accounts = busy.keys.sorted()
        return try await records.query(
            """
            WITH busy AS (
                SELECT * FROM unnest(\(accounts.map(\.rawValue)), \(accounts.map { Int64(busy[$0] ?? 0) }))
                    AS b (account_id, runs)),
            waiting AS (
                SELECT e.account_id, e.endpoint_id, e.rest_until,
                    row_number() OVER (PARTITION BY e.account_id ORDER BY e.rest_until NULLS FIRST, e.endpoint_id)
                        + coalesce(b.runs, 0) AS place
                FROM webhook_endpoints e LEFT JOIN busy b USING (account_id)
                WHERE e.disabled_reason IS NULL
                    AND (e.rest_until IS NULL OR e.rest_until <= \(PostgresTimestamp(microseconds: now)))
                    AND (e.lease_until IS NULL OR e.lease_until <= clock_timestamp())
                    AND EXISTS (
                        SELECT FROM webhook_deliveries d
                        WHERE d.account_id = e.account_id AND d.endpoint_id = e.endpoint_id)),
            chosen AS (
                SELECT e.account_id, e.endpoint_id FROM webhook_endpoints e JOIN waiting w USING (account_id, endpoint_id)
                WHERE w.place <= \(Int64(WebhookLimits.runsPerAccount))
                    AND (e.lease_until IS NULL OR e.lease_until <= clock_timestamp())
                ORDER BY w.place, w.rest_until NULLS FIRST LIMIT \(Int32(limit))
                FOR NO KEY UPDATE OF e SKIP LOCKED)
            UPDATE webhook_endpoints e
            SET lease_node = \(node), lease_until = clock_timestamp() + make_interval(secs => \(Self.leaseSeconds))
            FROM chosen c WHERE e.account_id = c.account_id AND e.endpoint_id = c.endpoint_id
            RETURNING e.account_id, e.endpoint_id, e.sealed, e.types, e.batch_size, e.failures
            """
        ).map { row in
            let (account, endpoint, sealed, types, size, failures) = try row.decode(
                Int64.self, Int64.self, [UInt8].self, Int64.self, Int16.self, Int32.self)
            return Claim(
                account: AccountID(rawValue: account), endpoint: WebhookID(rawValue: endpoint), sealed: sealed,
                types: WebhookEventTypes(rawValue: types), batchSize: Int(size), failures: Int(failures))
        }
    }

    /// Gives an endpoint back.
    ///
    /// - Parameter restUntil: microseconds; nil: it can be claimed at once.
    func release(_ claim: Claim, restUntil: Int64?) async throws {
        try await records.query(
            """
            UPDATE webhook_endpoints
            SET lease_node = NULL, lease_until = NULL,
                rest_until = \(restUntil.map { PostgresTimestamp(microseconds: $0) } as PostgresTimestamp?)
            WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                AND lease_node = \(node)
            """)
    }

    /// Gives back what an orderly end left; a crash leaves it to the end of the lease.
    func releaseAll() async throws {
        try await records.query(
            "UPDATE webhook_endpoints SET lease_node = NULL, lease_until = NULL WHERE lease_node = \(node)")
    }

    // MARK: Streams

    /// What of an endpoint is next in each campaign.
    struct Heads: Sendable {
        /// Campaigns whose next message is due, oldest first; 0 for what is no campaign's.
        var due: [Int64] = []
        /// When the first of the others is, in microseconds.
        var nextAt: Int64?
    }

    /// - Parameter now: microseconds.
    func heads(_ claim: Claim, now: Int64) async throws -> Heads {
        // One look at the index for each campaign, however many rows it has.
        let rows = try await records.query(
            """
            WITH RECURSIVE heads AS (
                (SELECT campaign_id, event_no, next_at FROM webhook_deliveries
                WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                ORDER BY campaign_id, event_no LIMIT 1)
                UNION ALL
                SELECT n.* FROM heads h, LATERAL (
                    SELECT d.campaign_id, d.event_no, d.next_at FROM webhook_deliveries d
                    WHERE d.account_id = \(claim.account.rawValue) AND d.endpoint_id = \(claim.endpoint.rawValue)
                        AND d.campaign_id > h.campaign_id
                    ORDER BY d.campaign_id, d.event_no LIMIT 1) n)
            SELECT campaign_id, next_at FROM heads ORDER BY event_no
            """)
        var heads = Heads()
        for row in rows {
            let (campaign, next) = try row.decode(Int64.self, PostgresTimestamp.self)
            if next.microseconds <= now {
                heads.due.append(campaign)
            } else {
                heads.nextAt = min(heads.nextAt ?? .max, next.microseconds)
            }
        }
        return heads
    }

    /// The next messages of a campaign. Which rows go together is stored before it is told.
    func messages(_ claim: Claim, campaign: Int64) async throws -> [WebhookMessage] {
        let rows = try await records.query(
            """
            SELECT d.event_no, d.first_event, d.end_event, d.replay, d.message_no, d.attempts,
                coalesce(e.created_at, '-infinity'), e.facts, e.private
            FROM webhook_deliveries d LEFT JOIN webhook_events e USING (account_id, event_no)
            WHERE d.account_id = \(claim.account.rawValue) AND d.endpoint_id = \(claim.endpoint.rawValue)
                AND d.campaign_id = \(campaign)
            ORDER BY d.event_no LIMIT \(Self.rowsAtOnce)
            """
        ).map { row in
            let (number, first, end, replay, message, attempts, createdAt, facts, names) = try row.decode(
                Int64.self, Int16.self, Int16.self, Int32.self, Int64?.self, Int16.self, PostgresTimestamp.self,
                [UInt8]?.self, [UInt8]?.self)
            return WebhookMessage.Row(
                number: number, first: first, end: end, replay: replay, message: message, attempts: attempts,
                createdAt: createdAt.microseconds, facts: facts, names: names)
        }
        let messages = WebhookMessage.compose(rows, size: claim.batchSize)
        let new = messages.flatMap { message in
            message.rows.filter { $0.message == nil }.map { (row: $0.number, message: message.number) }
        }
        guard !new.isEmpty else { return messages }
        try await records.query(
            """
            UPDATE webhook_deliveries d SET message_no = n.message_no
            FROM unnest(\(new.map(\.row)), \(new.map(\.message))) AS n (event_no, message_no)
            WHERE d.account_id = \(claim.account.rawValue) AND d.endpoint_id = \(claim.endpoint.rawValue)
                AND d.campaign_id = \(campaign) AND d.event_no = n.event_no AND d.message_no IS NULL
            """)
        return messages
    }

    /// Some twenty messages of a busy campaign.
    static let rowsAtOnce: Int32 = 128

    // MARK: Outcomes

    /// Writes down what became of messages of one campaign, in their order; only the last may have failed.
    ///
    /// - Parameter disable: why nothing more is sent; nil otherwise.
    func conclude(
        _ claim: Claim, campaign: Int64, _ outcomes: [Outcome], disable reason: String? = nil
    ) async throws {
        guard !outcomes.isEmpty else { return }
        try await records.withTransaction { connection in
            // A repeated message is a row less the second time, and counts once.
            let done = outcomes.filter { $0.result.isDelivered || $0.nextAt == nil && reason == nil }
            try await forget(done.map(\.message), claim, campaign, on: connection)
            if let failed = outcomes.last, !failed.result.isDelivered, failed.nextAt != nil || reason != nil {
                try await putOff(failed, claim, campaign, on: connection)
            }
            try await keepAttempts(outcomes.filter { $0.events > 0 }, claim, on: connection)
            try await count(outcomes, claim, disable: reason, on: connection)
        }
    }

    private func forget(
        _ messages: [WebhookMessage], _ claim: Claim, _ campaign: Int64, on connection: PostgresConnection
    ) async throws {
        guard !messages.isEmpty else { return }
        var whole: [Int64] = []
        var rests: [Int64: Int16] = [:]
        for message in messages {
            for row in message.rows.dropLast() { whole.append(row.number) }
            guard let last = message.rows.last else { continue }
            if message.leavesRest {
                rests[last.number] = message.end
            } else {
                rests[last.number] = nil
                whole.append(last.number)
            }
        }
        // Events before deliveries, as whoever drops old ones locks them.
        try await connection.query(
            """
            SELECT FROM webhook_events
            WHERE account_id = \(claim.account.rawValue) AND event_no = ANY (\(whole + Array(rests.keys)))
            ORDER BY event_no FOR NO KEY UPDATE
            """)
        for (row, first) in rests {
            try await connection.query(
                """
                UPDATE webhook_deliveries
                SET first_event = \(first), attempts = 0, next_at = '-infinity'
                WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                    AND campaign_id = \(campaign) AND event_no = \(row) AND first_event < \(first)
                """)
        }
        guard !whole.isEmpty else { return }
        // In the order of their numbers: endpoints of one account share these rows.
        try await connection.query(
            """
            WITH gone AS (
                DELETE FROM webhook_deliveries
                WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                    AND campaign_id = \(campaign) AND event_no = ANY (\(whole))
                RETURNING event_no),
            locked AS (
                SELECT event_no FROM webhook_events
                WHERE account_id = \(claim.account.rawValue) AND event_no IN (SELECT event_no FROM gone)
                ORDER BY event_no FOR NO KEY UPDATE)
            UPDATE webhook_events e
            SET waiting = e.waiting - 1, private = CASE WHEN e.waiting > 1 THEN e.private END
            FROM locked l WHERE e.account_id = \(claim.account.rawValue) AND e.event_no = l.event_no
            """)
    }

    private func putOff(
        _ outcome: Outcome, _ claim: Claim, _ campaign: Int64, on connection: PostgresConnection
    ) async throws {
        let rows = outcome.message.rows.map(\.number)
        let next = PostgresTimestamp(microseconds: outcome.nextAt ?? outcome.at)
        try await connection.query(
            """
            UPDATE webhook_deliveries SET attempts = \(Int16(clamping: outcome.message.attempts + 1)), next_at = \(next)
            WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                AND campaign_id = \(campaign) AND event_no = ANY (\(rows))
            """)
    }

    private func keepAttempts(
        _ outcomes: [Outcome], _ claim: Claim, on connection: PostgresConnection
    ) async throws {
        guard !outcomes.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO webhook_attempts (
                account_id, endpoint_id, message, events, attempt, status, milliseconds, error, attempted_at)
            SELECT \(claim.account.rawValue), \(claim.endpoint.rawValue), * FROM unnest(
                \(outcomes.map(\.id)), \(outcomes.map { Int16(clamping: $0.events) }),
                \(outcomes.map { Int16(clamping: $0.message.attempts + 1) }),
                \(outcomes.map { $0.result.status.map { Int16(clamping: $0) } }),
                \(outcomes.map { Int32(clamping: $0.milliseconds) }), \(outcomes.map(\.result.error)),
                \(outcomes.map { PostgresTimestamp(microseconds: $0.at) }))
            """)
    }

    private func count(
        _ outcomes: [Outcome], _ claim: Claim, disable reason: String?, on connection: PostgresConnection
    ) async throws {
        let sent = outcomes.filter { $0.events > 0 }
        let delivered = sent.filter(\.result.isDelivered).reduce(0) { $0 + $1.events }
        let failed = sent.count { !$0.result.isDelivered }
        let dropped = sent.filter { !$0.result.isDelivered && $0.nextAt == nil && reason == nil }
            .reduce(0) { $0 + $1.events }
        let failedAt = outcomes.last.flatMap { $0.result.isDelivered ? nil : PostgresTimestamp(microseconds: $0.at) }
        try await connection.query(
            """
            UPDATE webhook_endpoints
            SET delivered = delivered + \(Int64(delivered)), failed = failed + \(Int64(failed)),
                dropped = dropped + \(Int64(dropped)),
                failures = CASE WHEN \(failed > 0) THEN failures + 1 WHEN \(delivered > 0) THEN 0 ELSE failures END,
                failing_since = CASE
                    WHEN \(delivered > 0) THEN \(failedAt as PostgresTimestamp?)
                    ELSE coalesce(failing_since, \(failedAt as PostgresTimestamp?)) END,
                disabled_reason = coalesce(disabled_reason, \(reason as String?))
            WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
            """)
    }

    /// Whether no message has come through since then, in microseconds.
    func fails(_ claim: Claim, since time: Int64) async throws -> Bool {
        try await !records.query(
            """
            SELECT FROM webhook_endpoints
            WHERE account_id = \(claim.account.rawValue) AND endpoint_id = \(claim.endpoint.rawValue)
                AND failing_since <= \(PostgresTimestamp(microseconds: time))
            """
        ).isEmpty
    }
}
