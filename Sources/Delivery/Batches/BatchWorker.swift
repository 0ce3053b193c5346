import Campaigns
import Logging
import MailTypes
import TrafficShaping
import Vault

/// Works on one claimed batch at a time until it is settled, or given back.
struct BatchWorker: Sendable {
    let node: String
    let store: DeliveryStore
    let journal: JournalWriter
    let runtimes: RuntimeCache
    var opener: BatchOpener
    let batches: ActiveBatches
    let orders: OrderKeeper
    let completion: CampaignCompletion
    let blocks: BlockWatch
    var metrics: DeliveryMetrics
    let clock: DeliveryClock
    let logger: Logger

    /// - Parameter leaseEnd: no mail starts later, unless the lease is extended.
    func work(on batch: ClaimedBatch, leaseEnd: SteadySeconds) async throws {
        let run = try await begin(batch, leaseEnd: leaseEnd)
        // Read before the orders, so that a recall that follows one is not missed.
        let recalls = orders.recalls
        guard !isSuspended(run) else {
            // The database has given it all the same: the order was lifted a moment ago, or the clocks differ.
            try await store.park(batch.id, node: node, epoch: batch.epoch, dueInSeconds: 1)
            return metrics.count(\.batchesParked)
        }
        let endReason = endReason(of: batch)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await opener.open(run, endingFor: endReason)
                } catch {
                    run.stop(.abandon)
                    throw error
                }
            }
            await settleParts(of: run, recalls: recalls)
            group.cancelAll()
            try await group.waitForAll()
        }
        await journal.flush(run)
        try await finish(run, recalls: recalls)
    }

    private func begin(_ batch: ClaimedBatch, leaseEnd: SteadySeconds) async throws -> BatchRun {
        let runtime = try await runtimes.runtime(batch.id.account, batch.id.campaign)
        let run = BatchRun(
            batch, runtime: runtime,
            fingerprints: batch.records.map { runtime.keys.fingerprinter.fingerprint($0.address) }, leaseEnd: leaseEnd,
            clock: clock)
        if batch.work == .cancelling { run.stop(.cancel) }
        if batch.work == .paused { run.stop(.park) }
        batches.add(run)
        return run
    }

    /// Asked once the run is known: orders that are read later stop it.
    private func isSuspended(_ run: BatchRun) -> Bool {
        batches.now.stopReason == nil && orders.active.suspend(run.batch, at: clock.seconds)
    }

    /// Why mail of an expired campaign gets no last attempt: its operator, or its own rate, would not have it.
    private func endReason(of batch: ClaimedBatch) -> RequeueReason? {
        guard batch.isExpired else { return nil }
        if orders.active.names(batch.id) { return .operatorOrder }
        return batch.isCapped ? .campaignRate : nil
    }

    // MARK: Settling

    /// Settles what is done of a batch while a few slow recipients keep the rest waiting; returns when all have their fate.
    ///
    /// - Parameter recalls: how many there had been when the work began.
    private func settleParts(of run: BatchRun, recalls: Int) async {
        while await run.next() == .part {
            guard let part = run.takePart() else { continue }
            // What is done was journalled before it was called so.
            await journal.flush(run)
            do {
                try await settle(part, of: run, recalls: recalls)
            } catch {
                // The next part has it, or the end.
                logger.warning(
                    "part of a batch not settled", metadata: ["batch": "\(run.batch.id)", "error": "\(error)"])
            }
        }
    }

    private func settle(_ part: BatchRun.Part, of run: BatchRun, recalls: Int) async throws {
        try await takeEchoes(of: part.settlement, in: run)
        let result = try await store.settlePart(
            run.batch.id, node: node, epoch: run.batch.epoch, part.settlement, untouched: part.untouched)
        guard result != .lost else { return run.stop(.abandon) }
        run.settled(part)
        try await recall(part.settlement, ifRecalledSince: recalls)
        batches.wakeUp.raise()
    }

    /// Of test mail, whose recipients answer by no other way.
    private func takeEchoes(of settlement: BatchSettlement, in run: BatchRun) async throws {
        guard case .test(let mail) = opener.way else { return }
        try await mail.takeEchoes(of: settlement, in: run)
    }

    /// While somebody has locked the campaign, or the database is away, the batch waits without a connection. Where the
    /// answer to a commit was lost, asking again tells what became of it.
    private func settle(_ run: BatchRun, _ settlement: BatchSettlement) async throws -> SettleResult {
        var tries = 0
        while true {
            do {
                return try await store.settle(run.batch.id, node: node, epoch: run.batch.epoch, settlement)
            } catch  where DeliveryStore.isPassing(error) && run.stopReason != .abandon {
                tries += 1
                // A statement that runs out of its time may do so for ever, and a minute of the rest is no hiccup.
                let lasts =
                    tries.isMultiple(of: 60) || DeliveryStore.isTimeout(error) && !DeliveryStore.isLockedOut(error)
                logger.log(
                    level: lasts ? .warning : .debug, "settlement tried again",
                    metadata: ["batch": "\(run.batch.id)", "tries": "\(tries)", "error": "\(error)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func finish(_ run: BatchRun, recalls: Int) async throws {
        let batch = run.batch
        switch run.conclusion() {
        case .abandon:
            if let failure = run.failure { throw failure }
            metrics.count(\.batchesAbandoned)
            logger.warning("batch left to another run", metadata: ["batch": "\(batch.id)"])
        case .park:
            try await store.park(batch.id, node: node, epoch: batch.epoch, dueInSeconds: 0)
            metrics.count(\.batchesParked)
        case .settle(let settlement):
            await blocks.tell(of: batch.id)
            try await takeEchoes(of: settlement, in: run)
            let result = try await settle(run, settlement)
            metrics.count(\.batchesSettled)
            try await recall(settlement, ifRecalledSince: recalls)
            if case .settled(campaignDone: true) = result {
                await completion.complete(batch.id.account, batch.id.campaign)
            }
        }
    }

    /// Mail that was called back in the meantime was not in the store yet.
    private func recall(_ settlement: BatchSettlement, ifRecalledSince recalls: Int) async throws {
        if settlement.awaitsResume && recalls != orders.recalls { try await store.recall() }
    }
}
