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
    /// - Parameter rest: what becomes of recipients without an outcome where the batch ends although its campaign goes on; nil
    ///   where there are none.
    /// - Throws: ``CampaignError`` `.settlementMismatch` where the results are not those of the journal or do not cover
    ///   exactly the batch's records; nothing is changed then.
    @concurrent
    package func settle(
        _ batch: BatchID, node: String, epoch: Int64, _ settlement: BatchSettlement, endingRestAs rest: Outcome? = nil
    ) async throws -> SettleResult {
        guard let key = try await vault.keyOfLeased(batch) else { return .lost }
        return try await records.withTransaction { connection in
            guard let campaign = try await lockCampaign(of: batch, on: connection),
                let row = try await lockBatch(batch, on: connection), row.epoch == epoch
            else { return .lost }
            if row.plan.state == .settled { return .settled(campaignDone: campaign.isFinishing) }
            guard row.leaseNode == node else { return .lost }
            let recipients = try await recipients(of: batch, key, on: connection)
            let known = try await JournalReplay(vault: vault).progressAndMarks(of: batch, on: connection)
            // A part that was settled, and whose answer was lost, is told of again.
            let settlement =
                row.holdNumber == nil ? settlement : settlement.of(Set(recipients.map(\.index)))
            let unfinished = row.plan.state == .cancelling ? campaign.unfinishedOutcome : rest
            let plan = try SettlementPlan(
                row: row.plan, indices: recipients.map(\.index), progress: known.progress,
                claimed: settlement.results,
                deferred: settlement.deferredIndices, doubted: try await doubted(batch, row.plan, key, on: connection),
                unfinished: unfinished)
            let retries = unfinished == nil ? retries(of: settlement, row.plan, campaign) : []
            try await ledger.settle(
                row.hold(of: batch), charged: Int64(plan.charged), carried: retries.map(\.hold), on: connection)
            try await write(
                plan, known.marks, of: batch, retries: Int32(retries.count), wasDeferred: row.plan.deferred,
                unfinished: unfinished, key, on: connection)
            try await noteAlive(recipients, plan.results, account: batch.account, on: connection)
            try await noteUncharged(recipients, plan.results, batch, row.plan, campaign, on: connection)
            try await tell(plan.ended, of: batch, recipients, key, on: connection)
            try await insert(retries, of: batch, plan, row.plan, campaign, key, on: connection)
            // Last: reports lock these counts after everything else.
            try await count(plan.results, settlement: settlement, of: batch, on: connection)
            let isLast = campaign.openBatches == 1 && retries.isEmpty
            return .settled(campaignDone: isLast && campaign.state != .paused)
        }
    }

    /// A retry batch to be made.
    struct NumberedRetry: Sendable {
        let number: Int32
        let retry: BatchSettlement.Retry

        var hold: (batch: Int32, amount: Int64) { (number, Int64(retry.records.count)) }
    }

    /// - Parameter after: how many of the campaign's next numbers are taken for something else.
    func retries(
        of settlement: BatchSettlement, _ row: SettlementPlan.Row, _ campaign: Campaign, after taken: Int32 = 0
    ) -> [NumberedRetry] {
        guard row.state != .cancelling else { return [] }
        return zip((campaign.nextBatch + taken)..., settlement.retries).map(NumberedRetry.init)
    }

    func insert(
        _ retries: [NumberedRetry], of batch: BatchID, _ plan: SettlementPlan, _ row: SettlementPlan.Row,
        _ campaign: Campaign, _ key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let replies = Dictionary(uniqueKeysWithValues: plan.deferredReplies.map { ($0.index, $0) })
        for numbered in retries {
            let retry = numbered.retry
            try await insertRetry(
                RetryBatch(
                    id: BatchID(account: batch.account, campaign: batch.campaign, number: numbered.number),
                    records: retry.records, replies: retry.records.compactMap { replies[$0.index] },
                    attempt: row.attempt + 1, isPaused: campaign.state == .paused, awaitsResume: retry.awaitsResume),
                due: try await RetryDue(retry, until: campaign.expiresAt, on: connection), key, on: connection)
        }
    }

    /// Whether a settlement failed only because somebody else has the campaign: try again in a while.
    package static func isLockedOut(_ error: any Error) -> Bool {
        (error as? PostgresError)?.sqlState == .lockNotAvailable
    }

    struct LockedBatch {
        let plan: SettlementPlan.Row
        let holdNumber: Int32?
        let epoch: Int64
        let leaseNode: String?

        /// Under which the batch's credits are held.
        func hold(of batch: BatchID) -> BatchID {
            BatchID(account: batch.account, campaign: batch.campaign, number: holdNumber ?? batch.number)
        }
    }

    /// Nil where there is no such campaign. Waits for a moment only: workers of a campaign that somebody has locked must not
    /// keep the connections of all others (``isLockedOut(_:)``).
    func lockCampaign(of batch: BatchID, on connection: PostgresConnection) async throws -> Campaign? {
        try await connection.query("SET LOCAL lock_timeout = '500ms'")
        do {
            return try await Campaign.lock(batch.account, batch.campaign, ledger: ledger, on: connection)
        } catch let error as CampaignError where error.code == .notFound {
            return nil
        }
    }

    func lockBatch(_ batch: BatchID, on connection: PostgresConnection) async throws -> LockedBatch? {
        let rows = try await connection.query(
            """
            SELECT state, recipients, finished, delivered, deferred, attempt, epoch, lease_node, hold_no
            FROM batches
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            FOR NO KEY UPDATE
            """)
        guard let row = rows.first else { return nil }
        let (stateNumber, recipients, finished, delivered, deferred, attempt, epoch, node, hold) = try row.decode(
            Int16.self, Int32.self, Int32.self, Int32.self, Int32.self, Int32.self, Int64.self, String?.self,
            Int32?.self)
        guard let state = BatchState(rawValue: stateNumber) else { throw OctetReader.malformed }
        return LockedBatch(
            plan: SettlementPlan.Row(
                state: state, recipients: recipients, finished: finished, delivered: delivered, deferred: deferred,
                attempt: attempt),
            holdNumber: hold, epoch: epoch, leaseNode: node)
    }

    /// Recipients of a retry batch that were in doubt before it.
    func doubted(
        _ batch: BatchID, _ row: SettlementPlan.Row, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> Set<Int32> {
        guard row.attempt > 0 else { return [] }
        let rows = try await connection.query(
            """
            SELECT sealed FROM batch_results
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """)
        guard let sealed = try rows.first?.decode([UInt8].self) else { return [] }
        return Set(try key.openResults(sealed, of: batch).filter(\.wasInDoubt).map(\.index))
    }

    /// Addresses that mail was delivered to are not dead, whatever other campaigns have found.
    func noteAlive(
        _ records: [RecipientRecord], _ results: [RecipientResult], account: AccountID,
        on connection: PostgresConnection
    ) async throws {
        guard try await DeadAddresses.areKnown(of: account, on: connection) else { return }
        let fingerprinter = try await vault.accountKeys(account, on: connection).fingerprinter
        let delivered = Set(results.lazy.filter { $0.outcome == .delivered }.map(\.index))
        try await DeadAddresses.forget(
            records.filter { delivered.contains($0.index) }.map { fingerprinter.fingerprint($0.address) },
            account: account, on: connection)
    }

    func noteUncharged(
        _ records: [RecipientRecord], _ results: [RecipientResult], _ batch: BatchID, _ row: SettlementPlan.Row,
        _ campaign: Campaign, on connection: PostgresConnection
    ) async throws {
        guard campaign.refundSeconds > 0 else { return }
        try await UnchargedMails.note(
            records, results, attempt: row.attempt, batch, vault: vault, on: connection)
    }

    /// Those to deliver to.
    func recipients(
        of batch: BatchID, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> [RecipientRecord] {
        let rows = try await connection.query(
            """
            SELECT sealed FROM batch_recipients
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """)
        let records = try key.openRecipients(rows.only.decode([UInt8].self), of: batch)
        return records.filter { !$0.isSuppressed }
    }

    /// The batch's own rows and its campaign's counters, in one statement.
    private func write(
        _ plan: SettlementPlan, _ marks: [Int32: OutcomeMark], of batch: BatchID, retries: Int32, wasDeferred: Int32,
        unfinished: Outcome?, _ key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let results = try key.sealResults(plan.results, of: batch)
        let indices = Set(plan.results.map(\.index))
        let marks = try key.sealMarks(marks.filter { indices.contains($0.key) }, of: batch)
        // Deferred recipients go on being counted where there is a retry batch.
        let noLongerDeferred = retries == 0 ? wasDeferred : 0
        func ended(_ outcome: Outcome) -> Int32 { outcome == unfinished ? plan.newlyEnded : 0 }
        try await connection.query(
            """
            WITH counted AS (
                UPDATE campaigns
                SET open_batches = open_batches + \(retries - 1), next_batch = next_batch + \(retries),
                    cancelled = cancelled + \(ended(.cancelled)), bounced = bounced + \(ended(.bounced)),
                    expired = expired + \(ended(.expired)), in_doubt = in_doubt + \(plan.newlyInDoubt),
                    deferred = deferred - \(noLongerDeferred)
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)),
            settled AS (
                UPDATE batches
                SET state = \(BatchState.settled.rawValue), lease_node = NULL, lease_until = NULL, deferred = 0,
                    finished = finished + \(plan.newlyEnded + plan.newlyInDoubt)
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number)),
            forgotten AS (
                DELETE FROM journal
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number))
            INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed, marks)
            VALUES (\(batch.account.rawValue), \(batch.campaign.rawValue), \(batch.number), \(results), \(marks))
            ON CONFLICT (account_id, campaign_id, batch_no)
            DO UPDATE SET sealed = excluded.sealed, marks = excluded.marks
            """)
    }

    /// A batch made of recipients that wait for another attempt.
    struct RetryBatch: Sendable {
        let id: BatchID
        let records: [RecipientRecord]
        /// The last reply to each.
        let replies: [RecipientResult]
        let attempt: Int32
        let isPaused: Bool
        let awaitsResume: Bool
    }

    /// When a retry batch is due, and when the last of its recipients would be by itself.
    struct RetryDue: Sendable {
        let at: PostgresTimestamp
        let latest: PostgresTimestamp

        init(at: PostgresTimestamp, latest: PostgresTimestamp) {
            self.at = at
            self.latest = latest
        }

        /// By the database's clock.
        ///
        /// - Parameter expiresAt: seconds since 1970. Then the last attempt is due.
        init(_ retry: BatchSettlement.Retry, until expiresAt: Int64?, on connection: PostgresConnection) async throws {
            // The campaign's time is known to the second, and must have passed when the batch is claimed.
            let end = PostgresTimestamp(seconds: expiresAt.map { $0 + 1 } ?? .max)
            let now = try await connection.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
            func time(_ seconds: Double) -> PostgresTimestamp {
                let bounded = min(max(0, seconds), 31_536_000)
                return min(end, PostgresTimestamp(microseconds: now.microseconds + Int64(bounded * 1_000_000)))
            }
            at = time(retry.inSeconds)
            latest = time(retry.latestInSeconds)
        }
    }

    func insertRetry(
        _ retry: RetryBatch, due: RetryDue, _ key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let id = retry.id
        let count = Int32(retry.records.count)
        let state = retry.isPaused ? BatchState.paused : .open
        let recipients = try key.sealRecipients(retry.records, of: id)
        let results = try key.sealResults(retry.replies, of: id)
        try await connection.query(
            """
            WITH recipients AS (
                INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(recipients))),
            replies AS (
                INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(results)))
            INSERT INTO batches (
                account_id, campaign_id, batch_no, state, recipients, deferred, attempt, due_at, latest_due_at,
                awaits_resume)
            VALUES (
                \(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(state.rawValue), \(count), \(count),
                \(retry.attempt), \(due.at), \(due.latest), \(retry.awaitsResume))
            """)
        guard !retry.isPaused else { return }
        try await connection.query("SELECT enqueue_account(\(id.account.rawValue), \(due.at))")
    }
}
