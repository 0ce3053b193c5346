import Campaigns
import Logging
import MailTypes
import Synchronization
import TrafficShaping

/// Keeps the leases of the batches in work, and stops those that are not to go on.
final class LeaseKeeper: Sendable {
    let configuration: DeliveryConfiguration
    let store: DeliveryStore
    let batches: ActiveBatches
    let clock: DeliveryClock
    let logger: Logger
    /// Whose leases could not be extended the last time.
    private let locked = Mutex<Set<BatchID>>([])

    init(
        configuration: DeliveryConfiguration, store: DeliveryStore, batches: ActiveBatches, clock: DeliveryClock,
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.batches = batches
        self.clock = clock
        self.logger = logger
    }

    /// Until cancelled.
    func run() async {
        let repeating = Repeating(logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await repeating.every(
                    .milliseconds(self.configuration.leaseSeconds * 1_000 / 3), orSay: "leases not renewed", self.renew)
            }
            group.addTask {
                await repeating.every(
                    .milliseconds(500), orSay: "pauses and cancellations not read", self.stopPausedAndCancelled)
            }
        }
    }

    /// When the first lease of a batch in work ends, as far as this node believes. Without those whose rows somebody has
    /// locked: nobody claims these now.
    var earliestEnd: SteadySeconds? {
        let locked = locked.withLock(\.self)
        return batches.runs.values.filter { $0.stopReason != .abandon && !locked.contains($0.batch.id) }
            .map(\.leaseEnd).min()
    }

    func renew() async throws {
        let runs = batches.runs
        guard !runs.isEmpty else { return }
        let leaseEnd = configuration.leaseEnd(from: clock.steady())
        let renewal = try await store.renew(
            node: configuration.node, runs.map { ($0.key, $0.value.batch.epoch) },
            leaseSeconds: configuration.leaseSeconds)
        locked.withLock { $0 = renewal.locked }
        for (batch, run) in runs {
            if renewal.held.contains(batch) {
                run.extendLease(to: leaseEnd)
            } else if !renewal.locked.contains(batch) {
                run.stop(.abandon)
            }
        }
    }

    /// Where no journal group tells of them, because nothing ends.
    private func stopPausedAndCancelled() async throws {
        let runs = batches.runs
        guard !runs.isEmpty else { return }
        for (batch, epoch, work) in try await store.stopped(node: configuration.node) {
            guard let run = runs[batch], run.batch.epoch == epoch else { continue }
            run.stop(work == .cancelling ? .cancel : .park)
        }
    }
}
