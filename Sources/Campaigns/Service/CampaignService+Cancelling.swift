import CreditLedger
import Feedback
import Logging
package import MailTypes
import Postgres
import Vault
import Webhooks

extension CampaignService {
    /// Ends the campaign. Batches that no worker has are settled at once: delivered mail is charged, the rest of their
    /// holds released. Batches at work are settled by their worker, which starts no more mail. The data is destroyed
    /// as soon as no batch is left.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition`
    @concurrent
    package func cancel(
        _ account: AccountID, _ campaign: CampaignID, onCommit: CommitHook<CampaignStatus>? = nil
    ) async throws -> CampaignStatus {
        try await end(account, campaign, isFailed: false, onCommit: onCommit)
    }

    /// Gives a draft up: as ``cancel(_:_:onCommit:)``, but only while nothing of the campaign was sent.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition` unless the campaign is a draft
    @concurrent
    package func deleteDraft(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignStatus {
        try await end(account, campaign, isFailed: false, isDraft: true, onCommit: nil)
    }

    /// Gives up drafts that were made so long ago that nobody will send them, up to a thousand at a time, the oldest
    /// first: they hold personal data.
    ///
    /// - Returns: how many
    @concurrent
    package func deleteDrafts(olderThanDays days: Int) async throws -> Int {
        let drafts = try await records.query(
            """
            SELECT account_id, campaign_id FROM campaigns
            WHERE state = 'draft' AND purged_at IS NULL AND results_until IS NULL
                AND created_at < (SELECT clock_timestamp()) - make_interval(days => \(Int32(days)))
            ORDER BY created_at LIMIT 1000
            """
        ).map { try $0.decode(Int64.self, Int64.self) }
        var deleted = 0
        var held: Set<Int64> = []
        for (account, campaign) in drafts where !held.contains(account) {
            do {
                _ = try await deleteDraft(AccountID(rawValue: account), CampaignID(rawValue: campaign))
                deleted += 1
            } catch let error as CampaignError where [.illegalTransition, .notFound].contains(error.code) {
                // It was sent or given up in the meantime.
            } catch let error as PostgresError where error.isTimeout {
                // Somebody holds the account's rows: the next sweep has them.
                held.insert(account)
            }
        }
        return deleted
    }

    /// Ends the campaign for the operator: as ``cancel(_:_:onCommit:)``, and what was not sent counts as bounced. Nothing
    /// of it is charged or suppressed.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition` for a draft, and for a campaign that has ended
    @concurrent
    package func fail(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignStatus {
        try await end(account, campaign, isFailed: true, onCommit: nil)
    }

    /// Fails every campaign of the account that was sent and has not ended. Drafts stay.
    ///
    /// - Returns: how each of them stands then
    @concurrent
    package func failAll(of account: AccountID) async throws -> [CampaignStatus] {
        let campaigns = try await records.query(
            """
            SELECT campaign_id FROM campaigns
            WHERE account_id = \(account.rawValue) AND purged_at IS NULL AND results_until IS NULL
                AND state IN ('scheduled', 'queued', 'sending', 'paused')
            ORDER BY campaign_id
            """
        ).map { CampaignID(rawValue: try $0.decode(Int64.self)) }
        var failed: [CampaignStatus] = []
        for campaign in campaigns {
            do {
                failed.append(try await fail(account, campaign))
            } catch let error as CampaignError where error.code == .illegalTransition {
                // It has ended in the meantime.
            }
        }
        return failed
    }

    private func end(
        _ account: AccountID, _ campaign: CampaignID, isFailed: Bool, isDraft: Bool = false,
        onCommit: CommitHook<CampaignStatus>?
    ) async throws -> CampaignStatus {
        let event = isFailed ? CampaignEvent.fail : .cancel
        let status = try await records.withTransaction { connection in
            let current = try await Campaign.lock(account, campaign, ledger: ledger, on: connection)
            guard let next = current.state.applying(event), !current.isFinishing else {
                throw CampaignError.illegal(event, in: current.state)
            }
            guard !isDraft || current.state == .draft else {
                throw CampaignError(
                    .illegalTransition, "only a draft can be deleted: the campaign is \(current.state.rawValue)")
            }
            let batches = try await lockBatches(account, campaign, on: connection)
            let free = batches.filter { !$0.isAtWork }
            if current.state != .draft { try await settle(free, account, campaign, on: connection) }
            let known = try await countJournalled(free, account, campaign, on: connection)
            let inDoubt = known.inDoubt
            var reasons = known.reasons
            try await close(free, account, campaign, on: connection)
            let unfinished = free.reduce(0) { $0 + $1.recipients - $1.finished }
            if isFailed { reasons.add(Int64(unfinished - inDoubt), bouncedFor: .undefined) }
            try await reasons.add(to: campaign, of: account, on: connection)
            let suppressed =
                current.state == .draft ? Int32(current.counters.recipients) - free.reduce(0) { $0 + $1.recipients } : 0
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \(next.rawValue), completed_at = clock_timestamp(), paused_at = NULL,
                    open_batches = \(Int32(batches.count - free.count)), suppressed = suppressed + \(suppressed),
                    cancelled = cancelled + \(isFailed ? 0 : unfinished - inDoubt),
                    bounced = bounced + \(isFailed ? unfinished - inDoubt : 0),
                    failed_at = CASE WHEN \(isFailed) THEN clock_timestamp() END, in_doubt = in_doubt + \(inDoubt),
                    deferred = deferred - \(free.reduce(0) { $0 + $1.deferred })
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            if current.state != .draft {
                try await WebhookOutbox.append(
                    [
                        .campaign(
                            .campaignCancelled, campaign, reason: isFailed ? "failed by the operator" : nil)
                    ], account: account, campaign: campaign, on: connection)
            }
            return try await changed(account, campaign, onCommit, on: connection)
        }
        await completeIfDone(account, status.campaign)
        return status
    }

    private struct LockedBatch {
        let number: Int32
        /// Under which its credits are held.
        let hold: Int32
        let recipients: Int32
        let finished: Int32
        let delivered: Int32
        let deferred: Int32
        let wasClaimed: Bool
        /// A worker holds a lease that has not run out.
        let isAtWork: Bool
    }

    /// Every batch that is not settled.
    private func lockBatches(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> [LockedBatch] {
        try await connection.query(
            """
            SELECT batch_no, recipients, finished, delivered, deferred, epoch > 0,
                coalesce(lease_until > clock_timestamp(), false), coalesce(hold_no, batch_no)
            FROM batches
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state IN (0, 1, 2)
            ORDER BY batch_no FOR NO KEY UPDATE
            """
        ).map { row in
            let (number, recipients, finished, delivered, deferred, wasClaimed, isAtWork, hold) = try row.decode(
                Int32.self, Int32.self, Int32.self, Int32.self, Int32.self, Bool.self, Bool.self, Int32.self)
            return LockedBatch(
                number: number, hold: hold, recipients: recipients, finished: finished, delivered: delivered,
                deferred: deferred,
                wasClaimed: wasClaimed, isAtWork: isAtWork)
        }
    }

    private func settle(
        _ batches: [LockedBatch], _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await ledger.release(
            account: account, campaign: campaign, batches: batches.filter { $0.delivered == 0 }.map(\.hold),
            on: connection)
        try await ledger.settleMany(
            account: account, campaign: campaign,
            batches.filter { $0.delivered > 0 }.map { (batch: $0.hold, charged: Int64($0.delivered), carried: []) },
            on: connection)
    }

    /// Recipients whose mail was about to be sent when their worker died: it may have arrived. Of a batch whose journal
    /// cannot be read those are all without an outcome: the campaign has to end all the same. And why those bounced of whom
    /// the journal says that they did.
    private func countJournalled(
        _ batches: [LockedBatch], _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> (inDoubt: Int32, reasons: CampaignReasons) {
        let claimed = batches.filter(\.wasClaimed)
        guard !claimed.isEmpty else { return (0, CampaignReasons()) }
        func id(_ batch: LockedBatch) -> BatchID { BatchID(account: account, campaign: campaign, number: batch.number) }
        if let progress = try? await JournalReplay(vault: vault).progress(of: claimed.map(id), on: connection) {
            return try await counted(progress, on: connection)
        }
        var inDoubt: Int32 = 0
        var reasons = CampaignReasons()
        for batch in claimed {
            do {
                let progress = try await JournalReplay(vault: vault).progress(of: [id(batch)], on: connection)
                let found = try await counted(progress, on: connection)
                inDoubt += found.inDoubt
                reasons.add(found.reasons)
            } catch let error where error is VaultError || error is CampaignError {
                let unknown = batch.recipients - batch.finished
                logger.error(
                    "journal cannot be read: the recipients without an outcome end in doubt",
                    metadata: ["batch": "\(id(batch))", "recipients": "\(unknown)", "error": "\(error)"])
                inDoubt += unknown
            }
        }
        return (inDoubt, reasons)
    }

    /// The journal of a batch still names recipients that were settled as parts of it, and have been counted.
    private func counted(
        _ progress: [BatchID: [Int32: RecipientProgress]], on connection: PostgresConnection
    ) async throws -> (inDoubt: Int32, reasons: CampaignReasons) {
        let inDoubt = progress.values.reduce(0) { $0 + $1.values.count { $0 == .intended } }
        var reasons = CampaignReasons()
        for (batch, recipients) in progress {
            let finished = recipients.values.compactMap { state in
                if case .finished(let result) = state { result } else { nil }
            }
            guard finished.contains(where: { $0.reply.reason(of: $0.outcome ?? .delivered) != nil }) else { continue }
            let key = try await vault.openingKey(batch.account, batch.campaign)
            let here = Set(try await StoredBatch.indices(of: batch, key, on: connection))
            reasons.add(CampaignReasons(finished.filter { here.contains($0.index) }))
        }
        return (Int32(inDoubt), reasons)
    }

    private func close(
        _ free: [LockedBatch], _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            UPDATE batches
            SET state = \(BatchState.cancelled.rawValue), finished = recipients, deferred = 0, lease_node = NULL,
                lease_until = NULL
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND batch_no = ANY (\(free.map(\.number)))
            """)
        try await connection.query(
            """
            UPDATE batches SET state = \(BatchState.cancelling.rawValue)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state IN (0, 1, 2)
            """)
        guard
            try await !connection.query(
                """
                SELECT FROM batches WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    AND state = \(BatchState.cancelling.rawValue) LIMIT 1
                """
            ).isEmpty
        else { return }
        // Their workers may die: somebody must look when the leases run out. A pause took them out of the queue.
        try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
    }
}
