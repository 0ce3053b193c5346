import CreditLedger
import Logging
import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Joins small retry batches of one campaign into large ones, so that the retries of a large campaign do not become
    /// thousands of tiny batches. Only batches that nobody has claimed yet, that are due in a while and at about the same
    /// time (``RetryWindow``) are touched; the joined batch is due with the first of its parts.
    ///
    /// Call it from time to time.
    ///
    /// - Returns: how many batches went into larger ones.
    @concurrent
    package func coalesceRetries() async throws -> Int {
        let campaigns = try await housekeeping.query(
            """
            SELECT account_id, campaign_id, awaits_resume FROM batches b JOIN campaigns c USING (account_id, campaign_id)
            WHERE \(unescaped: Self.isSmallRetry) AND c.state = 'sending'
            GROUP BY 1, 2, 3 HAVING count(*) >= \(Int64(Self.leastParts)) LIMIT 100
            """
        ).map { row in
            let (account, campaign, awaitsResume) = try row.decode(Int64.self, Int64.self, Bool.self)
            return Retries(
                account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign),
                awaitsResume: awaitsResume)
        }
        var joined = 0
        // One of an account is enough to wait for, where somebody holds its rows.
        var held: Set<AccountID> = []
        for retries in campaigns where !held.contains(retries.account) {
            do {
                joined += try await join(retries)
            } catch let error where !(error is CancellationError) {
                // Somebody has its rows, or its key is missing: those behind it are joined all the same.
                if !(error is VaultError || error is CampaignError) { held.insert(retries.account) }
                logger.error(
                    "retry batches not joined", metadata: ["campaign": "\(retries.campaign)", "error": "\(error)"])
            }
        }
        return joined
    }

    private func join(_ retries: Retries) async throws -> Int {
        let size = try await housekeeping.withConnection {
            try await Campaign.read(retries.account, retries.campaign, on: $0).batchSize
        }
        var joined = 0
        for group in RetryJoinPlan(try await parts(retries), size: size, leastParts: Self.leastParts).groups {
            joined += try await join(group, of: retries)
        }
        return joined
    }

    /// Retry batches of one campaign that may be joined at all.
    private struct Retries: Sendable {
        let account: AccountID
        let campaign: CampaignID
        let awaitsResume: Bool
    }

    private static let isSmallRetry = """
        b.state = 1 AND b.attempt > 0 AND b.epoch = 0 AND b.due_at > clock_timestamp() + interval '10 seconds'
            AND b.recipients <= \(CampaignLimits.batchSize.upperBound / 2)
        """

    private func parts(_ retries: Retries) async throws -> [RetryJoinPlan.Part] {
        try await housekeeping.query(
            """
            SELECT b.batch_no, b.recipients, extract(epoch FROM b.due_at - clock_timestamp())::double precision,
                extract(epoch FROM coalesce(b.latest_due_at, b.due_at) - clock_timestamp())::double precision
            FROM batches b
            WHERE b.account_id = \(retries.account.rawValue) AND b.campaign_id = \(retries.campaign.rawValue)
                AND b.awaits_resume = \(retries.awaitsResume) AND \(unescaped: Self.isSmallRetry)
            ORDER BY b.due_at, b.batch_no LIMIT \(Int32(Self.mostParts))
            """
        ).map { row in
            let (number, recipients, due, latest) = try row.decode(
                Int32.self, Int32.self, Double.self, Double.self)
            return RetryJoinPlan.Part(number: number, recipients: recipients, due: due, latest: latest)
        }
    }

    /// Joins those of the batches that still can be. A worker that is about to claim one of them wins.
    private func join(_ numbers: [Int32], of retries: Retries) async throws -> Int {
        let (account, id) = (retries.account, retries.campaign)
        let key = try await vault.openingKey(account, id)
        return try await housekeeping.withTransaction { connection in
            let campaign = try await Campaign.lock(account, id, ledger: ledger, on: connection)
            guard campaign.state == .sending else { return 0 }
            let parts = try await lockParts(numbers, of: retries, on: connection)
            guard parts.count > 1, let dueAt = parts.first?.dueAt, let latest = parts.map(\.latestDueAt).max()
            else { return 0 }
            let target = BatchID(account: account, campaign: id, number: campaign.nextBatch)
            var joined: (records: [RecipientRecord], replies: [RecipientResult]) = ([], [])
            for part in parts {
                let batch = BatchID(account: account, campaign: id, number: part.number)
                joined.records += try key.openRecipients(part.recipients, of: batch)
                joined.replies += try key.openResults(part.replies, of: batch)
            }
            try await ledger.settleMany(
                account: account, campaign: id,
                parts.map { ($0.number, 0, [(target.number, Int64($0.count))]) }, on: connection)
            try await remove(parts.map(\.number), account, id, on: connection)
            try await insertRetry(
                RetryBatch(
                    id: target, records: joined.records, replies: joined.replies,
                    attempt: parts.map(\.attempt).max() ?? 1, isPaused: false, awaitsResume: retries.awaitsResume),
                due: RetryDue(at: dueAt, latest: latest), key, on: connection)
            return parts.count
        }
    }

    private struct LockedPart: Sendable {
        let number: Int32
        let count: Int32
        let attempt: Int32
        let dueAt: PostgresTimestamp
        let latestDueAt: PostgresTimestamp
        let recipients: [UInt8]
        let replies: [UInt8]
    }

    /// The first due first.
    private func lockParts(
        _ numbers: [Int32], of retries: Retries, on connection: PostgresConnection
    ) async throws -> [LockedPart] {
        try await connection.query(
            """
            SELECT b.batch_no, b.recipients, b.attempt, b.due_at, coalesce(b.latest_due_at, b.due_at), r.sealed, s.sealed
            FROM batches b
            JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            JOIN batch_results s USING (account_id, campaign_id, batch_no)
            WHERE b.account_id = \(retries.account.rawValue) AND b.campaign_id = \(retries.campaign.rawValue)
                AND b.batch_no = ANY (\(numbers)) AND \(unescaped: Self.isSmallRetry)
            ORDER BY b.due_at, b.batch_no
            FOR NO KEY UPDATE OF b SKIP LOCKED
            """
        ).map { row in
            let (number, count, attempt, dueAt, latest, recipients, replies) = try row.decode(
                Int32.self, Int32.self, Int32.self, PostgresTimestamp.self, PostgresTimestamp.self, [UInt8].self,
                [UInt8].self)
            return LockedPart(
                number: number, count: count, attempt: attempt, dueAt: dueAt, latestDueAt: latest,
                recipients: recipients, replies: replies)
        }
    }

    private func remove(
        _ batches: [Int32], _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        for table in ["batch_recipients", "batch_results", "batches"] {
            try await connection.query(
                """
                DELETE FROM \(identifier: table)
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    AND batch_no = ANY (\(batches))
                """)
        }
        try await connection.query(
            """
            UPDATE campaigns
            SET next_batch = next_batch + 1, open_batches = open_batches - \(Int32(batches.count - 1))
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
    }

    /// Fewer are not worth the transaction.
    private static let leastParts = 4
    /// Looked at in one call, of each campaign.
    private static let mostParts = 1_000
}
