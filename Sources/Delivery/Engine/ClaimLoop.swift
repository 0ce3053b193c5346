import Campaigns
import Fleet
import Logging
import MailTypes
import TrafficShaping

/// Claims batches as long as there is room for their mails, and has each worked on.
struct ClaimLoop: Sendable {
    let configuration: DeliveryConfiguration
    let store: DeliveryStore
    let batches: ActiveBatches
    let fleet: FleetState
    var worker: BatchWorker
    let leases: LeaseKeeper
    let journal: JournalWriter
    var metrics: DeliveryMetrics
    let clock: DeliveryClock
    let logger: Logger

    /// Returns once nothing more is to be claimed and the node is done with every batch.
    func run() async {
        await withDiscardingTaskGroup { group in
            var pacer = AccountPacer()
            batches.wakeUp.raise()
            await batches.wakeUp.onEach {
                let workload = batches.now
                guard let appetite = workload.appetite(configuration, fleet) else { return .finish }
                // Taken before the claim, so that it cannot outlast the lease in the database.
                let leaseEnd = configuration.leaseEnd(from: clock.steady())
                for batch in await claim(upTo: appetite, workload, &pacer) {
                    start(batch, leaseEnd: leaseEnd, in: &group)
                }
                return .goOn
            }
        }
    }

    private func claim(upTo limit: Int, _ workload: Workload, _ pacer: inout AccountPacer) async -> [ClaimedBatch] {
        guard limit > 0 else { return [] }
        do {
            // After an outage the leases have run out: the node must not claim its own batches from its own hands.
            if let end = leases.earliestEnd, end <= clock.steady() { try await leases.renew() }
            let start = clock.steady()
            let leased = leases.earliestEnd.map { $0 - start } ?? .infinity
            guard leased > 0 else { return [] }
            let waiting =
                pacer.waiting(at: start) + workload.lookingUp(atMost: configuration.lookUpBatches)
                + journal.stuckAccounts
            let claimed = try await store.claim(
                node: configuration.node, leaseSeconds: configuration.leaseSeconds, limit: limit, waiting: waiting,
                deadline: clock.databaseTime.map { $0 + leased })
            if let time = claimed.first?.claimedAt { clock.heard(time, askedAt: start) }
            pace(claimed, &pacer)
            return claimed
        } catch {
            logger.warning("no batch claimed", metadata: ["error": "\(error)"])
            return []
        }
    }

    /// A node has its part of an account's rate.
    private func pace(_ claimed: [ClaimedBatch], _ pacer: inout AccountPacer) {
        let now = clock.steady()
        for batch in claimed {
            guard let rate = fleet.shaping(of: batch.id.account)?.rate else { continue }
            pacer.claimed(batch.records.count, of: batch.id.account, rate: rate / Double(fleet.nodes), at: now)
        }
    }

    private func start(
        _ batch: ClaimedBatch, leaseEnd: SteadySeconds, in group: inout DiscardingTaskGroup
    ) {
        batches.claimed()
        metrics.count(\.batchesClaimed)
        group.addTask {
            // An account whose rows somebody holds waits for them with its own share of connections.
            await store.onBehalf(of: batch.id.account) { await work(on: batch, leaseEnd: leaseEnd) }
            batches.ended(batch)
        }
    }

    func work(on batch: ClaimedBatch, leaseEnd: SteadySeconds) async {
        do {
            try await worker.work(on: batch, leaseEnd: leaseEnd)
        } catch {
            metrics.count(\.batchesFailed)
            // What was journalled stays. If it cannot be given back either, the lease runs out.
            logger.error("batch given up", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
            await giveUp(batch, because: error)
        }
    }

    private func giveUp(_ batch: ClaimedBatch, because error: any Error) async {
        do {
            if batch.work == .cancelling {
                // Its campaign has to end, whatever cannot be read of it.
                _ = try await store.settle(batch.id, node: configuration.node, epoch: batch.epoch, batch.asItStands)
            } else if isHopeless(batch, because: error) {
                _ = try await store.endUnsendable(batch, node: configuration.node, because: error)
            } else {
                try await store.park(
                    batch.id, node: configuration.node, epoch: batch.epoch, dueInSeconds: Self.seconds(after: error))
            }
        } catch {
            logger.warning("batch not given back", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
        }
    }

    /// Whether no mail of the batch can be made, and nobody will mend that in time. Its campaign has to end all the same.
    private func isHopeless(_ batch: ClaimedBatch, because error: any Error) -> Bool {
        // Mail of a run that had begun is journalled since the claim.
        guard batches.runs[batch.id]?.batch.epoch != batch.epoch else { return false }
        if error is UnreadableContent { return true }
        // A campaign whose domain is not proven was paused, and says so.
        guard batch.isExpired, (error as? CampaignError)?.code != .domainNotProven else { return false }
        return !(DeliveryStore.isPassing(error) || error is CancellationError)
    }

    /// After how long a batch that could not be worked on is claimed again.
    private static func seconds(after error: any Error) -> Double {
        if error is JournalRefused { return refusedSeconds }
        return DeliveryStore.isPassing(error) ? hinderedSeconds : givenUpSeconds
    }

    private static let givenUpSeconds = 30.0
    /// The same where the database or the vault was away, or busy.
    private static let hinderedSeconds = 1.0
    /// And one of which nothing could be stored: that is no different in half a minute.
    private static let refusedSeconds = 300.0
}

extension DeliveryConfiguration {
    /// Until when mail may start under a lease that begins now: a margin before its end, so that no mail starts that
    /// another node might send as well.
    func leaseEnd(from now: SteadySeconds) -> SteadySeconds {
        now + Double(leaseSeconds) * 0.9
    }
}
