import Campaigns
import Fleet
import MailTypes

/// What a node has claimed and is not done with, and how much more it may claim.
struct Workload: Sendable {
    var runs: [BatchID: BatchRun] = [:]
    /// Batches claimed and not yet done with, those that have no run yet included, test batches left out.
    var activeBatches = 0
    /// Why nothing more is claimed, and what becomes of the batches in work.
    var stopReason: BatchRun.StopReason?

    private static let mostLingering = 1_024

    /// How many batches may be claimed now; nil once the engine stops. What waits for the rate of its account, or for
    /// name servers, keeps no other account's mail away, and test mail none.
    func appetite(_ configuration: DeliveryConfiguration, _ fleet: FleetState) -> Int? {
        guard stopReason == nil else { return nil }
        let live = live
        let opening = (activeBatches - live.count) * MailLimits.batchRecipients
        let waiting = live.reduce(opening) { sum, run in
            fleet.shaping(of: run.batch.id.account)?.rate == nil ? sum + run.queuedCount : sum
        }
        let missing = configuration.waitingMails - waiting
        // What is left of batches that were settled in parts is a few mails each.
        let lingering = min(live.count(where: \.isLingering), Self.mostLingering)
        return max(
            0,
            min(
                configuration.activeBatches + lingering - activeBatches,
                (missing + MailLimits.batchRecipients - 1) / MailLimits.batchRecipients))
    }

    /// Whether live mail waits for its turn.
    var hasLiveMailWaiting: Bool { live.contains { $0.queuedCount > 0 } }

    private var live: [BatchRun] { runs.values.filter { !$0.batch.id.account.isTest } }

    /// Accounts with so many batches whose destinations are looked for that they get no more for now.
    func lookingUp(atMost most: Int) -> [AccountID] {
        var counts: [AccountID: Int] = [:]
        for run in runs.values where run.isLookingUp { counts[run.batch.id.account, default: 0] += 1 }
        return counts.filter { $0.value >= most }.map(\.key)
    }
}
