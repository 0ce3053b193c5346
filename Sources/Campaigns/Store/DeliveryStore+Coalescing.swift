import CreditLedger
import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Joins small retry batches of one campaign into large ones, so that the retries of a large campaign do not become
    /// thousands of tiny batches. Only batches that nobody has claimed yet and that are due in a while are touched; the
    /// joined batch is due with the last of its parts.
    ///
    /// Each call handles one group of each campaign that has enough of them; call it from time to time.
    ///
    /// - Returns: how many batches went into larger ones.
    @concurrent
    package func coalesceRetries() async throws -> Int {
        let campaigns = try await records.query(
            """
            SELECT account_id, campaign_id, awaits_resume FROM batches
            WHERE state = 1 AND attempt > 0 AND epoch = 0 AND due_at > clock_timestamp() + interval '10 seconds'
                AND recipients <= \(Int32(CampaignLimits.batchSize.upperBound / 2))
            GROUP BY 1, 2, 3 HAVING count(*) >= \(Int64(Self.leastParts)) LIMIT 100
            """
        ).map { row in
            let (account, campaign, awaitsResume) = try row.decode(Int64.self, Int64.self, Bool.self)
            return (AccountID(rawValue: account), CampaignID(rawValue: campaign), awaitsResume)
        }
        var joined = 0
        for (account, campaign, awaitsResume) in campaigns {
            joined += try await coalesce(account, campaign, awaitsResume: awaitsResume)
        }
        return joined
    }

    private func coalesce(_ account: AccountID, _ id: CampaignID, awaitsResume: Bool) async throws -> Int {
        let key = try await vault.openingKey(account, id)
        return try await records.withTransaction { connection in
            let campaign = try await Campaign.lock(account, id, ledger: ledger, on: connection)
            guard campaign.state == .sending else { return 0 }
            let parts = try await parts(
                account, id, size: Int32(campaign.batchSize), awaitsResume: awaitsResume, on: connection)
            guard let last = parts.last, parts.count > 1 else { return 0 }
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
                    attempt: parts.map(\.attempt).max() ?? 1, isPaused: false, awaitsResume: awaitsResume),
                dueAt: last.dueAt, key, on: connection)
            return parts.count
        }
    }

    private struct Part: Sendable {
        let number: Int32
        let count: Int32
        let attempt: Int32
        let dueAt: PostgresTimestamp
        let recipients: [UInt8]
        let replies: [UInt8]
    }

    /// Batches that fit into one, the first due first. A worker that is about to claim one of them wins.
    private func parts(
        _ account: AccountID, _ campaign: CampaignID, size: Int32, awaitsResume: Bool,
        on connection: PostgresConnection
    ) async throws -> [Part] {
        let free = try await connection.query(
            """
            SELECT b.batch_no, b.recipients, b.attempt, b.due_at, r.sealed, s.sealed
            FROM batches b
            JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            JOIN batch_results s USING (account_id, campaign_id, batch_no)
            WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.rawValue) AND b.state = 1
                AND b.attempt > 0 AND b.epoch = 0 AND b.due_at > clock_timestamp() + interval '10 seconds'
                AND b.recipients <= \(Int32(CampaignLimits.batchSize.upperBound / 2))
                AND b.awaits_resume = \(awaitsResume)
            ORDER BY b.due_at, b.batch_no LIMIT \(Int32(Self.mostParts))
            FOR NO KEY UPDATE OF b SKIP LOCKED
            """
        ).map { row in
            let (number, count, attempt, dueAt, recipients, replies) = try row.decode(
                Int32.self, Int32.self, Int32.self, PostgresTimestamp.self, [UInt8].self, [UInt8].self)
            return Part(
                number: number, count: count, attempt: attempt, dueAt: dueAt, recipients: recipients, replies: replies)
        }
        var total: Int32 = 0
        return Array(
            free.prefix { part in
                total += part.count
                return total <= size
            })
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
    private static let leastParts = 8
    private static let mostParts = 200
}
