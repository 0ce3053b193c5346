import CreditLedger
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Settles what is done of a batch, while its worker goes on with the rest: one slow recipient holds back nobody's
    /// credits or retry. One transaction.
    ///
    /// The part becomes a settled batch with a number of its own, and its deferred recipients move to retry batches, as if
    /// it had been a batch by itself. The rest stays in the worker's batch, under its lease, epoch and journal; only its
    /// credits are carried to a new hold (``BatchPart``).
    ///
    /// - Parameters:
    ///   - part: what is done with, journalled before. Recipients that are no longer of the batch are left out.
    ///   - untouched: recipients that were never begun: those of a cancelled campaign are done with as well.
    /// - Throws: ``CampaignError`` `.settlementMismatch` where the journal says otherwise; nothing is changed then.
    @concurrent
    package func settlePart(
        _ batch: BatchID, node: String, epoch: Int64, _ part: BatchSettlement, untouched: Set<Int32> = []
    ) async throws -> SettleResult {
        guard let key = try await vault.keyOfLeased(batch) else { return .lost }
        return try await records.withTransaction { connection in
            guard let campaign = try await lockCampaign(of: batch, on: connection),
                let row = try await lockBatch(batch, on: connection), row.epoch == epoch, row.leaseNode == node,
                row.plan.state != .settled
            else { return .lost }
            let recipients = try await recipients(of: batch, key, on: connection)
            let (progress, marks) = try await JournalReplay(vault: vault).progressAndMarks(of: batch, on: connection)
            let here = part.of(Set(recipients.map(\.index)))
            var done = Set(here.results.map(\.index) + here.deferredIndices)
            if row.plan.state == .cancelling { done.formUnion(untouched.filter { progress[$0] != .intended }) }
            guard !done.isEmpty else { return .settled(campaignDone: false) }
            let split = try BatchPart(row: row.plan, indices: recipients.map(\.index), progress: progress, done: done)
            let plan = try SettlementPlan(
                row: split.part, indices: split.indices, progress: progress, claimed: here.results,
                deferred: here.deferredIndices, doubted: try await doubted(batch, row.plan, key, on: connection),
                unfinished: row.plan.state == .cancelling ? campaign.unfinishedOutcome : nil)
            // The part's number is also that of the rest's hold: the part needs none any more.
            let retries = retries(of: here, row.plan, campaign, after: 1)
            let id = BatchID(account: batch.account, campaign: batch.campaign, number: campaign.nextBatch)
            try await ledger.settle(
                row.hold(of: batch), charged: Int64(plan.charged),
                carried: [(id.number, Int64(split.rest.recipients))] + retries.map(\.hold), on: connection)
            try await write(split, plan, marks, as: id, of: batch, key, on: connection)
            try await count(plan, split.part, retries: Int32(retries.count), campaign, on: connection)
            try await noteAlive(recipients, plan.results, account: batch.account, on: connection)
            try await noteUncharged(recipients, plan.results, batch, row.plan, campaign, on: connection)
            try await tell(plan.ended, of: batch, recipients, key, on: connection)
            try await insert(retries, of: batch, plan, row.plan, campaign, key, on: connection)
            // Last: reports lock these counts after everything else.
            try await count(plan.results, settlement: part, of: batch, on: connection)
            return .settled(campaignDone: false)
        }
    }

    /// Moves the part's records out of the batch into a settled one.
    private func write(
        _ split: BatchPart, _ plan: SettlementPlan, _ marks: [Int32: OutcomeMark], as id: BatchID, of batch: BatchID,
        _ key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let sealed = try await connection.query(
            """
            SELECT sealed FROM batch_recipients
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """
        ).only.decode([UInt8].self)
        let moving = Set(split.indices)
        let all = try key.openRecipients(sealed, of: batch)
        let moved = try key.sealRecipients(all.filter { moving.contains($0.index) }, of: id)
        let left = try key.sealRecipients(all.filter { !moving.contains($0.index) }, of: batch)
        let results = try key.sealResults(plan.results, of: id)
        let marks = try key.sealMarks(marks.filter { moving.contains($0.key) }, of: id)
        try await connection.query(
            """
            WITH recipients AS (
                INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(moved))),
            results AS (
                INSERT INTO batch_results (account_id, campaign_id, batch_no, sealed, marks)
                VALUES (\(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(results), \(marks))),
            settled AS (
                INSERT INTO batches (
                    account_id, campaign_id, batch_no, state, recipients, finished, delivered, attempt)
                VALUES (
                    \(id.account.rawValue), \(id.campaign.rawValue), \(id.number), \(BatchState.settled.rawValue),
                    \(split.part.recipients), \(Int32(plan.results.count)), \(split.part.delivered),
                    \(split.part.attempt))),
            rest AS (
                UPDATE batches
                SET recipients = \(split.rest.recipients), finished = \(split.rest.finished),
                    delivered = \(split.rest.delivered), deferred = \(split.rest.deferred), hold_no = \(id.number)
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number))
            UPDATE batch_recipients SET sealed = \(left)
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """)
    }

    private func count(
        _ plan: SettlementPlan, _ part: SettlementPlan.Row, retries: Int32, _ campaign: Campaign,
        on connection: PostgresConnection
    ) async throws {
        let isFailed = campaign.failedAt != nil
        try await connection.query(
            """
            UPDATE campaigns
            SET next_batch = next_batch + \(1 + retries), open_batches = open_batches + \(retries),
                cancelled = cancelled + \(isFailed ? 0 : plan.newlyEnded),
                bounced = bounced + \(isFailed ? plan.newlyEnded : 0), in_doubt = in_doubt + \(plan.newlyInDoubt),
                deferred = deferred - \(retries == 0 ? part.deferred : 0)
            WHERE account_id = \(campaign.account.rawValue) AND campaign_id = \(campaign.id.rawValue)
            """)
    }

    /// The node's batches whose campaigns were paused or cancelled: where nothing is journalled, nothing else says so.
    package func stopped(node: String) async throws -> [(batch: BatchID, epoch: Int64, work: LeaseState.Work)] {
        try await journal.query(
            """
            SELECT b.account_id, b.campaign_id, b.batch_no, b.epoch, CASE b.state WHEN 4 THEN 4 ELSE 2 END::smallint
            FROM batches b JOIN campaigns c USING (account_id, campaign_id)
            WHERE b.lease_node = \(node) AND (b.state IN (2, 4) OR b.state = 1 AND c.state = 'paused')
            """
        ).map { row in
            let (account, campaign, number, epoch, state) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int64.self, Int16.self)
            guard let work = LeaseState.Work(rawValue: state) else { throw OctetReader.malformed }
            return (BatchID(account, campaign, number), epoch, work)
        }
    }
}

extension BatchSettlement {
    /// Without recipients that are of another batch by now.
    func of(_ indices: Set<Int32>) -> BatchSettlement {
        var some = BatchSettlement(
            results: results.filter { indices.contains($0.index) },
            retries: retries.map { retry in
                var retry = retry
                retry.records = retry.records.filter { indices.contains($0.index) }
                return retry
            })
        some.providers = providers
        return some
    }
}
