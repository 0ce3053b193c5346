import CreditLedger
import MailMessage
import MailTypes
import Postgres
import Vault

@testable import Campaigns

extension OlderNode {
    /// A draft with its recipients, uploaded in one transaction that the caller may keep open.
    func draft(_ account: AccountID, recipients: Int32, batchSize: Int32 = 3) async throws -> CampaignID {
        let campaign = try await create(account, batchSize: batchSize)
        try await connection.withTransaction { connection in
            try await upload(recipients, to: campaign, of: account, batchSize: batchSize, on: connection)
        }
        return campaign
    }

    func create(_ account: AccountID, batchSize: Int32) async throws -> CampaignID {
        let campaign = stores.nextCampaign()
        let key = try await stores.vault.createCampaignKey(account, campaign)
        let content = MessageContent(
            from: try Mailbox(name: nil, address: EmailAddress("news@shop.example")), subject: "Hello",
            text: "An offer.")
        let sealed = try key.seal(
            content.encoded(), as: SealContext(account: account, campaign: campaign, purpose: .content))
        try await connection.query(
            """
            INSERT INTO campaigns (
                account_id, campaign_id, from_domain, in_doubt_policy, requires_tls, expiry_seconds, rate_per_hour,
                batch_size)
            VALUES (
                \(account.rawValue), \(campaign.rawValue), \("shop.example"), \("resend"), \(false), \(Int32(172_800)),
                \(nil as Int32?), \(batchSize))
            """)
        try await connection.query(
            """
            INSERT INTO campaign_content (account_id, campaign_id, sealed)
            VALUES (\(account.rawValue), \(campaign.rawValue), \(sealed))
            """)
        return campaign
    }

    /// Holds the campaign's lock of uploads and its tables to the end of the transaction.
    func upload(
        _ recipients: Int32, to campaign: CampaignID, of account: AccountID, batchSize: Int32,
        on connection: PostgresConnection
    ) async throws {
        let lock = "sluice upload \(account)/\(campaign)"
        let isFree = try await connection.query("SELECT pg_try_advisory_xact_lock(hashtextextended(\(lock), 0))").only
            .decode(column: 0, as: Bool.self)
        guard isFree else { throw CampaignError(.uploadInProgress, "another upload to this campaign is under way") }
        let state = try await connection.query(
            """
            SELECT state FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """
        ).only.decode(String.self)
        guard state == "draft" else { throw CampaignError(.illegalTransition, state) }
        let key = try await stores.vault.campaignKey(account, campaign)
        let starts = Array(stride(from: 0, to: recipients, by: Int(batchSize)))
        let batches = try starts.enumerated().map { place, start in
            let records = try (start..<min(start + batchSize, recipients)).map { index in
                RecipientRecord(index: index, address: try EmailAddress("person\(index)@example.org"))
            }
            let id = BatchID(account: account, campaign: campaign, number: Int32(place + 1))
            return (id.number, Int32(records.count), try key.sealRecipients(records, of: id))
        }
        try await connection.query(
            """
            WITH fresh AS (
                SELECT * FROM unnest(
                    \(batches.map(\.0)), \(batches.map(\.1)), \(batches.map(\.2)))
                    AS t (batch_no, recipients, sealed)
            ), numbered AS (
                INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients)
                SELECT \(account.rawValue), \(campaign.rawValue), batch_no, 0, recipients FROM fresh
            )
            INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
            SELECT \(account.rawValue), \(campaign.rawValue), batch_no, sealed FROM fresh
            """)
        try await connection.query(
            """
            UPDATE campaigns SET recipients = \(recipients), next_batch = \(Int32(batches.count + 1))
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
    }

    /// - Parameter isScheduled: for tomorrow, else for now.
    func send(_ account: AccountID, _ campaign: CampaignID, isScheduled: Bool = false) async throws {
        try await connection.withTransaction { connection in
            _ = try await lock(account, campaign, on: connection)
            let now = try await connection.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
            let scheduled = isScheduled ? PostgresTimestamp(seconds: now.seconds + 86_400) : nil
            let due = scheduled ?? now
            let holds = try await connection.query(
                """
                SELECT batch_no, recipients FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND recipients > 0
                ORDER BY batch_no
                """
            ).map { row in
                let (number, recipients) = try row.decode(Int32.self, Int32.self)
                return (batch: number, amount: Int64(recipients))
            }
            try await stores.ledger.reserve(holds, account: account, campaign: campaign, on: connection)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \(isScheduled ? "scheduled" : "queued"), queued_at = \(now),
                    scheduled_at = \(scheduled as PostgresTimestamp?),
                    expires_at = \(due) + make_interval(secs => expiry_seconds), open_batches = \(Int32(holds.count)),
                    suppressed = \(Int32(0))
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await connection.query(
                """
                UPDATE batches SET state = CASE WHEN recipients > 0 THEN 1 ELSE 3 END, due_at = \(due)
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await connection.query("SELECT enqueue_account(\(account.rawValue), \(due))")
        }
    }

    func pause(_ account: AccountID, _ campaign: CampaignID) async throws {
        try await connection.withTransaction { connection in
            _ = try await lockCampaign(account, campaign, on: connection)
            try await connection.query(
                """
                UPDATE campaigns SET state = \("paused"), paused_at = clock_timestamp()
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await move(account, campaign, from: 1, to: 2, on: connection)
        }
    }

    func resume(_ account: AccountID, _ campaign: CampaignID) async throws {
        try await connection.withTransaction { connection in
            _ = try await lockCampaign(account, campaign, on: connection)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \("sending"), expires_at = expires_at + (clock_timestamp() - paused_at),
                    paused_at = NULL, started_at = coalesce(started_at, clock_timestamp())
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await move(account, campaign, from: 2, to: 1, on: connection)
            try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
        }
    }

    private func move(
        _ account: AccountID, _ campaign: CampaignID, from: Int16, to: Int16, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            SELECT count(*) FROM (
                SELECT FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    AND state = \(from)
                ORDER BY batch_no FOR NO KEY UPDATE) AS locked
            """)
        try await connection.query(
            """
            UPDATE batches SET state = \(to)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND state = \(from)
            """)
    }

    func lock(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> (nextBatch: Int32, openBatches: Int32) {
        try await stores.ledger.lock(account, on: connection)
        return try await lockCampaign(account, campaign, on: connection)
    }

    private func lockCampaign(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> (nextBatch: Int32, openBatches: Int32) {
        let numbers = try await connection.query(
            """
            SELECT campaign_id, state, from_domain, in_doubt_policy, requires_tls,
                ARRAY[expiry_seconds, batch_size, next_batch, open_batches, recipients, delivered, bounced, expired,
                    suppressed, invalid, cancelled, in_doubt, deferred, in_doubt_resent, coalesce(rate_per_hour, 0)],
                ARRAY[created_at, scheduled_at, queued_at, started_at, paused_at, expires_at, completed_at, purged_at,
                    failed_at]
            FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) FOR NO KEY UPDATE
            """
        ).only.decode(column: 5, as: [Int32].self)
        return (numbers[2], numbers[3])
    }
}
