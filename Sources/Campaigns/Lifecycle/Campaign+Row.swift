import CreditLedger
import MailTypes
import Postgres

extension Campaign {
    /// What ``init(account:row:)`` reads, in its order.
    static let columns = """
        campaign_id, state, from_domain, in_doubt_policy, requires_tls,
        ARRAY[expiry_seconds, batch_size, next_batch, open_batches, recipients, delivered, bounced, expired,
            suppressed, invalid, cancelled, in_doubt, deferred, in_doubt_resent, coalesce(rate_per_hour, 0),
            results_seconds, refund_seconds],
        ARRAY[created_at, scheduled_at, queued_at, started_at, paused_at, expires_at, completed_at, purged_at,
            failed_at, results_until],
        pause_reason, source_pool
        """

    init(account: AccountID, row: PostgresRow) throws {
        let (id, stateText, fromDomain, policyText, requiresTLS, numbers, times, pauseReason, pool) = try row.decode(
            Int64.self, String.self, String.self, String.self, Bool.self, [Int32].self, [PostgresTimestamp?].self,
            String?.self, String?.self)
        guard let state = CampaignState(rawValue: stateText), let inDoubt = InDoubtPolicy(rawValue: policyText),
            numbers.count == 17, times.count == 10, let createdAt = times[0]
        else { throw OctetReader.malformed }
        var counters = CampaignCounters()
        counters.recipients = Int(numbers[4])
        counters.delivered = Int(numbers[5])
        counters.bounced = Int(numbers[6])
        counters.expired = Int(numbers[7])
        counters.suppressed = Int(numbers[8])
        counters.invalid = Int(numbers[9])
        counters.cancelled = Int(numbers[10])
        counters.inDoubt = Int(numbers[11])
        counters.deferred = Int(numbers[12])
        counters.inDoubtResent = Int(numbers[13])
        self.init(
            account: account, id: CampaignID(rawValue: id), state: state, fromDomain: fromDomain, inDoubt: inDoubt,
            requiresTLS: requiresTLS, sourcePool: pool, expirySeconds: Int(numbers[0]),
            ratePerHour: numbers[14] == 0 ? nil : Int(numbers[14]), counters: counters, createdAt: createdAt.seconds,
            scheduledAt: times[1]?.seconds, queuedAt: times[2]?.seconds, startedAt: times[3]?.seconds,
            pausedAt: times[4]?.seconds, pauseReason: pauseReason, expiresAt: times[5]?.seconds,
            completedAt: times[6]?.seconds,
            failedAt: times[8]?.seconds, resultsUntil: times[9]?.seconds, purgedAt: times[7]?.seconds,
            resultsSeconds: Int(numbers[15]), refundSeconds: Int(numbers[16]), batchSize: numbers[1],
            nextBatch: numbers[2],
            openBatches: numbers[3])
    }

    /// Reads the campaign without waiting for anyone.
    static func read(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> Campaign {
        try await read(
            """
            SELECT \(unescaped: columns) FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """, account, on: connection)
    }

    /// Locks the campaign's row until the end of the transaction and reads what it is then.
    static func lock(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> Campaign {
        try await read(
            """
            SELECT \(unescaped: columns) FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) FOR NO KEY UPDATE
            """, account, on: connection)
    }

    /// Locks the account's row, which comes before campaigns in the order of locks, then the campaign's.
    static func lock(
        _ account: AccountID, _ campaign: CampaignID, ledger: CreditLedger, on connection: PostgresConnection
    ) async throws -> Campaign {
        do {
            try await ledger.lock(account, on: connection)
        } catch LedgerError.accountNotFound {
            throw CampaignError.notFound
        }
        return try await lock(account, campaign, on: connection)
    }

    private static func read(
        _ sql: SQL, _ account: AccountID, on connection: PostgresConnection
    ) async throws -> Campaign {
        guard let row = try await connection.query(sql).first else { throw CampaignError.notFound }
        return try Campaign(account: account, row: row)
    }
}
