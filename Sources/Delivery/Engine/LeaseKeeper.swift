import Campaigns
import Logging

/// Keeps the leases of the batches in work, and stops those that are not to go on.
struct LeaseKeeper: Sendable {
    let configuration: DeliveryConfiguration
    let store: DeliveryStore
    let batches: ActiveBatches
    let clock: DeliveryClock
    let logger: Logger

    /// Until cancelled.
    func run() async {
        let repeating = Repeating(logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await repeating.every(
                    .milliseconds(configuration.leaseSeconds * 1_000 / 3), orSay: "leases not renewed", renew)
            }
            group.addTask {
                await repeating.every(.seconds(1), orSay: "pauses and cancellations not read", stopPausedAndCancelled)
            }
        }
    }

    private func renew() async throws {
        let runs = batches.runs
        guard !runs.isEmpty else { return }
        let leaseEnd = configuration.leaseEnd(from: clock.steady())
        let held = try await store.renew(
            node: configuration.node, runs.map { ($0.key, $0.value.batch.epoch) },
            leaseSeconds: configuration.leaseSeconds)
        for (batch, run) in runs {
            if held.contains(batch) { run.extendLease(to: leaseEnd) } else { run.stop(.abandon) }
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
