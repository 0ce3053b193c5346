import CreditLedger
import Feedback
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Ends a batch: charges what was delivered, releases the rest of the hold, stores the results, and moves deferred
    /// recipients with their part of the hold to a retry batch. One transaction.
    ///
    /// A cancelled campaign's batch gets no retry batch: its unfinished recipients become cancelled. Repeating a
    /// settlement under the same epoch returns the same answer and changes nothing.
    ///
    /// - Throws: ``CampaignError`` `.settlementMismatch` where the results are not those of the journal or do not cover
    ///   exactly the batch's records; nothing is changed then.
    @concurrent
    package func settle(
        _ batch: BatchID, node: String, epoch: Int64, _ settlement: BatchSettlement
    ) async throws -> SettleResult {
        let key: SealingKey
        do {
            key = try await vault.campaignKey(batch.account, batch.campaign)
        } catch let error as VaultError where error.code == .destroyed || error.code == .noKey {
            return .lost
        }
        return try await records.withTransaction { connection in
            guard let campaign = try await lockCampaign(of: batch, on: connection),
                let row = try await lockBatch(batch, on: connection), row.epoch == epoch
            else { return .lost }
            if row.plan.state == .settled { return .settled(campaignDone: campaign.isFinishing) }
            guard row.leaseNode == node, row.leaseHolds else { return .lost }
            let indices = try await indices(of: batch, key, on: connection)
            let progress = try await JournalReplay(vault: vault).progress(of: [batch], on: connection)
            let plan = try SettlementPlan(
                row: row.plan, indices: indices, progress: progress[batch] ?? [:], claimed: settlement.results,
                deferred: settlement.deferred.map(\.index))
            let retries = row.plan.state == .cancelling ? [] : settlement.deferred
            let retry = retries.isEmpty ? nil : campaign.nextBatch
            try await ledger.settle(
                batch, charged: Int64(plan.charged), carried: retry.map { [($0, Int64(retries.count))] } ?? [],
                on: connection)
            try await write(plan, of: batch, retry: retry, wasDeferred: row.plan.deferred, key, on: connection)
            if let retry {
                try await insertRetry(
                    BatchID(account: batch.account, campaign: batch.campaign, number: retry), retries,
                    replies: plan.deferredReplies, attempt: row.plan.attempt + 1, inSeconds: settlement.retryInSeconds,
                    isPaused: campaign.state == .paused, key, on: connection)
            }
            try await suppress(settlement, batch, on: connection)
            let isLast = campaign.openBatches == 1 && retry == nil
            return .settled(campaignDone: isLast && campaign.state != .paused)
        }
    }

    private struct LockedBatch {
        let plan: SettlementPlan.Row
        let epoch: Int64
        let leaseNode: String?
        let leaseHolds: Bool
    }

    /// Nil where there is no such campaign.
    private func lockCampaign(of batch: BatchID, on connection: PostgresConnection) async throws -> Campaign? {
        do {
            return try await Campaign.lock(batch.account, batch.campaign, ledger: ledger, on: connection)
        } catch let error as CampaignError where error.code == .notFound {
            return nil
        }
    }

    private func lockBatch(_ batch: BatchID, on connection: PostgresConnection) async throws -> LockedBatch? {
        let rows = try await connection.query(
            """
            SELECT state, recipients, finished, delivered, deferred, attempt, epoch, lease_node,
                coalesce(lease_until > clock_timestamp(), false)
            FROM batches
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            FOR NO KEY UPDATE
            """)
        guard let row = rows.first else { return nil }
        let (stateNumber, recipients, finished, delivered, deferred, attempt, epoch, node, holds) = try row.decode(
            Int16.self, Int32.self, Int32.self, Int32.self, Int32.self, Int32.self, Int64.self, String?.self,
            Bool.self)
        guard let state = BatchState(rawValue: stateNumber) else { throw OctetReader.malformed }
        return LockedBatch(
            plan: SettlementPlan.Row(
                state: state, recipients: recipients, finished: finished, delivered: delivered, deferred: deferred,
                attempt: attempt),
            epoch: epoch, leaseNode: node, leaseHolds: holds)
    }

    private func indices(
        of batch: BatchID, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> [Int32] {
        let rows = try await connection.query(
            """
            SELECT sealed FROM batch_recipients
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """)
        let records = try key.openRecipients(rows.only.decode([UInt8].self), of: batch)
        return records.lazy.filter { !$0.isSuppressed }.map(\.index)
    }

    /// The batch's own rows and its campaign's counters, in one statement.
    private func write(
        _ plan: SettlementPlan, of batch: BatchID, retry: Int32?, wasDeferred: Int32, _ key: SealingKey,
        on connection: PostgresConnection
    ) async throws {
        let results = try key.sealResults(plan.results, of: batch)
        // Deferred recipients go on being counted where there is a retry batch.
        let noLongerDeferred = retry == nil ? wasDeferred : 0
        try await connection.query(
            """
            WITH counted AS (
                UPDATE campaigns
                SET open_batches = open_batches - \(Int32(retry == nil ? 1 : 0)),
                    next_batch = next_batch + \(Int32(retry == nil ? 0 : 1)),
                    cancelled = cancelled + \(plan.newlyCancelled), in_doubt = in_doubt + \(plan.newlyInDoubt),
                    deferred = deferred - \(noLongerDeferred)
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)),
            settled AS (
                UPDATE batches
                SET state = 3, lease_node = NULL, lease_until = NULL, deferred = 0,
                    finished = finished + \(plan.newlyCancelled + plan.newlyInDoubt)
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

    private func insertRetry(
        _ retry: BatchID, _ records: [RecipientRecord], replies: [RecipientResult], attempt: Int32, inSeconds: Double,
        isPaused: Bool, _ key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let count = Int32(records.count)
        let state = isPaused ? BatchState.paused : .open
        let recipients = try key.sealRecipients(records, of: retry)
        let results = try key.sealResults(replies, of: retry)
        try await connection.query(
            """
            WITH recipients AS (
                INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
                VALUES (\(retry.account.rawValue), \(retry.campaign.rawValue), \(retry.number), \(recipients))),
            replies AS (
                INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed)
                VALUES (\(retry.account.rawValue), \(retry.campaign.rawValue), \(retry.number), \(results)))
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, deferred, attempt, due_at)
            VALUES (
                \(retry.account.rawValue), \(retry.campaign.rawValue), \(retry.number), \(state.rawValue), \(count),
                \(count), \(attempt), clock_timestamp() + make_interval(secs => \(max(0, inSeconds))))
            """)
        guard !isPaused else { return }
        try await connection.query(
            """
            SELECT enqueue_account(
                \(retry.account.rawValue), clock_timestamp() + make_interval(secs => \(max(0, inSeconds))))
            """)
    }

    private func suppress(
        _ settlement: BatchSettlement, _ batch: BatchID, on connection: PostgresConnection
    ) async throws {
        guard !settlement.suppress.isEmpty else { return }
        try await suppressions.add(
            settlement.suppress.map { NewSuppression($0.fingerprint, $0.reason) }, account: batch.account,
            origin: .reply, note: "campaign \(batch.campaign)", on: connection)
    }
}
