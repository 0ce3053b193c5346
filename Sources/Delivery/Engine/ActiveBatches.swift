import Campaigns
import MailTypes
import Synchronization

/// The batches in work on this node. Whoever waits for room is woken when one ends.
final class ActiveBatches: Sendable {
    private let workload = Mutex(Workload())
    /// Raised when there may be room for more, or nothing more is to be claimed.
    let wakeUp = Signal()
    /// Raised when nothing more is to be claimed, and from time to time by who waits for it.
    let testWakeUp = Signal()

    /// At this moment.
    var now: Workload { workload.withLock(\.self) }
    var runs: [BatchID: BatchRun] { workload.withLock(\.runs) }

    // MARK: From claim to end

    func claimed() { workload.withLock { $0.activeBatches += 1 } }

    /// The run is at work. One of the same batch whose lease ran out, say while the database was away, is abandoned.
    func add(_ run: BatchRun) {
        let (earlier, stopReason) = workload.withLock { workload in
            (workload.runs.updateValue(run, forKey: run.batch.id), workload.stopReason)
        }
        earlier?.stop(.abandon)
        if let stopReason { run.stop(stopReason) }
    }

    /// The node is done with the batch, whatever has become of it. Test batches take no place among the others.
    func ended(_ batch: ClaimedBatch) {
        workload.withLock { workload in
            if !batch.id.account.isTest { workload.activeBatches -= 1 }
            if workload.runs[batch.id]?.batch.epoch == batch.epoch { workload.runs[batch.id] = nil }
        }
        wakeUp.raise()
    }

    // MARK: All of them

    /// Nothing more is claimed, and no more mail starts.
    func stop(_ reason: BatchRun.StopReason) {
        let runs = workload.withLock { workload in
            if workload.stopReason == nil || reason == .abandon { workload.stopReason = reason }
            return Array(workload.runs.values)
        }
        for run in runs { run.stop(reason) }
        wakeUp.raise()
        testWakeUp.raise()
    }

    /// Has each look whether a part of it is to be settled.
    func tick() {
        for run in runs.values { run.tick() }
    }
}
