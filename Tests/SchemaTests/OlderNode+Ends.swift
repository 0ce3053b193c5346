import CreditLedger
import MailTypes
import Postgres
import Vault

@testable import Campaigns

extension OlderNode {
    /// What a worker brings. The test says what the older version worked out from the journal.
    struct Settlement {
        var results: [RecipientResult]
        var retry: [RecipientRecord] = []
        /// Of a cancelled campaign's batch: those that were never begun.
        var ended: Int32 = 0
        var delivered: Int64 { Int64(results.count { $0.outcome == .delivered }) }
    }

    func settle(_ claim: Claim, _ settlement: Settlement, retryInSeconds: Double = 3_600) async throws {
        let batch = claim.id
        let key = try await stores.vault.campaignKey(batch.account, batch.campaign)
        try await connection.withTransaction { connection in
            let campaign = try await lock(batch.account, batch.campaign, on: connection)
            let holds = try await connection.query(
                """
                SELECT state, recipients, finished, delivered, deferred, attempt, epoch, lease_node,
                    coalesce(lease_until > clock_timestamp(), false)
                FROM batches
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number)
                FOR NO KEY UPDATE
                """
            ).only.decode(column: 8, as: Bool.self)
            guard holds else { throw CampaignError(.settlementMismatch, "the lease is lost") }
            let retries: Int32 = settlement.retry.isEmpty ? 0 : 1
            let target = BatchID(account: batch.account, campaign: batch.campaign, number: campaign.nextBatch)
            try await stores.ledger.settle(
                batch, charged: settlement.delivered,
                carried: retries == 0 ? [] : [(target.number, Int64(settlement.retry.count))], on: connection)
            try await write(settlement, of: batch, retries: retries, key.sealResults(settlement.results, of: batch))
            guard retries > 0 else { return }
            try await insert(
                target, settlement.retry,
                try key.sealRecipients(settlement.retry, of: target),
                try key.sealResults(
                    settlement.retry.map { RecipientResult(index: $0.index, outcome: nil) }, of: target),
                inSeconds: retryInSeconds)
        }
    }

    private func write(
        _ settlement: Settlement, of batch: BatchID, retries: Int32, _ results: [UInt8]
    ) async throws {
        try await connection.query(
            """
            WITH counted AS (
                UPDATE campaigns
                SET open_batches = open_batches + \(retries - 1), next_batch = next_batch + \(retries),
                    cancelled = cancelled + \(settlement.ended),
                    bounced = bounced + \(Int32(0)), in_doubt = in_doubt + \(Int32(0)),
                    deferred = deferred - \(Int32(0))
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)),
            settled AS (
                UPDATE batches
                SET state = 3, lease_node = NULL, lease_until = NULL, deferred = 0,
                    finished = finished + \(settlement.ended)
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number)),
            forgotten AS (
                DELETE FROM journal
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number))
            INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed)
            VALUES (\(batch.account.rawValue), \(batch.campaign.rawValue), \(batch.number), \(results))
            ON CONFLICT (account_id, campaign_id, batch_no) DO UPDATE SET sealed = excluded.sealed
            """)
    }

    private func insert(
        _ id: BatchID, _ records: [RecipientRecord], _ recipients: [UInt8], _ results: [UInt8], inSeconds: Double
    ) async throws {
        let count = Int32(records.count)
        let dueAt = try await connection.query(
            "SELECT clock_timestamp() + make_interval(secs => \(max(0, inSeconds)))"
        ).only.decode(column: 0, as: PostgresTimestamp.self)
        try await connection.query(
            """
            WITH recipients AS (
                INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(recipients))),
            replies AS (
                INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(results)))
            INSERT INTO batches (
                account_id, campaign_id, batch_no, state, recipients, deferred, attempt, due_at, awaits_resume)
            VALUES (
                \(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(Int16(1)), \(count), \(count),
                \(Int32(1)), \(dueAt), \(false))
            """)
        try await connection.query("SELECT enqueue_account(\(id.account.rawValue), \(dueAt))")
    }

    /// Ends a campaign of which nothing was delivered yet in a batch that nobody works on.
    func cancel(_ account: AccountID, _ campaign: CampaignID) async throws {
        try await connection.withTransaction { connection in
            _ = try await lock(account, campaign, on: connection)
            let batches = try await connection.query(
                """
                SELECT batch_no, recipients, finished, delivered, deferred, epoch > 0,
                    coalesce(lease_until > clock_timestamp(), false)
                FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state IN (0, 1, 2)
                ORDER BY batch_no FOR NO KEY UPDATE
                """
            ).map {
                try $0.decode(Int32.self, Int32.self, Int32.self, Int32.self, Int32.self, Bool.self, Bool.self)
            }
            let free = batches.filter { !$0.6 }
            try await stores.ledger.release(
                account: account, campaign: campaign, batches: free.filter { $0.3 == 0 }.map(\.0), on: connection)
            try await close(free.map(\.0), account, campaign)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \("cancelled"), completed_at = clock_timestamp(), paused_at = NULL,
                    open_batches = \(Int32(batches.count - free.count)), suppressed = suppressed + \(Int32(0)),
                    cancelled = cancelled + \(free.reduce(0) { $0 + $1.1 - $1.2 }), bounced = bounced + \(Int32(0)),
                    failed_at = CASE WHEN \(false) THEN clock_timestamp() END, in_doubt = in_doubt + \(Int32(0)),
                    deferred = deferred - \(free.reduce(0) { $0 + $1.4 })
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
        }
    }

    private func close(_ free: [Int32], _ account: AccountID, _ campaign: CampaignID) async throws {
        try await connection.query(
            """
            UPDATE batches
            SET state = \(Int16(5)), finished = recipients, deferred = 0, lease_node = NULL,
                lease_until = NULL
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND batch_no = ANY (\(free))
            """)
        try await connection.query(
            """
            UPDATE batches SET state = \(Int16(4))
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state IN (0, 1, 2)
            """)
        try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
    }

    /// Campaigns that are done and not purged, as the sweep finds them.
    func unfinished() async throws -> Set<CampaignID> {
        let rows = try await connection.query(
            """
            SELECT account_id, campaign_id FROM campaigns
            WHERE purged_at IS NULL AND open_batches = 0
                AND state IN ('queued', 'scheduled', 'sending', 'cancelled')
            ORDER BY account_id, campaign_id LIMIT 1000
            """)
        return Set(try rows.map { CampaignID(rawValue: try $0.decode(Int64.self, Int64.self).1) })
    }

    /// Destroys the key and the rows of a cancelled campaign.
    func purge(_ account: AccountID, _ campaign: CampaignID) async throws {
        _ = try await stores.vault.destroyCampaignKey(account, campaign)
        try await connection.withTransaction { connection in
            for table in ["batch_recipients", "batch_results", "campaign_content", "journal"] {
                try await connection.query(
                    """
                    WITH deleted AS (
                        DELETE FROM \(identifier: table)
                        WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                        RETURNING octet_length(sealed) AS octets)
                    SELECT count(*), coalesce(sum(octets), 0)::bigint FROM deleted
                    """)
            }
            _ = try await lock(account, campaign, on: connection)
            for table in ["campaign_paces", "operator_orders", "batches"] {
                try await connection.query(
                    """
                    DELETE FROM \(identifier: table)
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    """)
            }
            let certificate = PurgeCertificate(
                account: account, campaign: campaign, state: .cancelled, counters: CampaignCounters(), rows: [:],
                bytes: 0, keyDestroyedAt: 0, completedAt: 0)
            try await stores.ledger.recordPurge(
                account: account, campaign: campaign, digest: certificate.digest, on: connection)
            let now = try await connection.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \("cancelled"), completed_at = \(now), purged_at = \(now), certificate = \(certificate.json)
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
        }
    }
}
