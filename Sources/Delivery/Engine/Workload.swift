import Campaigns
import Fleet
import MailTypes

/// What a node has claimed and is not done with, and how much more it may claim.
struct Workload: Sendable {
    var runs: [BatchID: BatchRun] = [:]
    /// Batches claimed and not yet done with, those that have no run yet included.
    var activeBatches = 0
    /// Why nothing more is claimed, and what becomes of the batches in work.
    var stopReason: BatchRun.StopReason?

    private static let mostLingering = 1_024

    /// How many batches may be claimed now; nil once the engine stops. What waits for the rate of its account, or for
    /// name servers, keeps no other account's mail away.
    func appetite(_ configuration: DeliveryConfiguration, _ fleet: FleetState) -> Int? {
        guard stopReason == nil else { return nil }
        let opening = (activeBatches - runs.count) * MailLimits.batchRecipients
        let waiting = runs.values.reduce(opening) { sum, run in
            fleet.shaping(of: run.batch.id.account)?.rate == nil ? sum + run.queuedCount : sum
        }
        let missing = configuration.waitingMails - waiting
        // What is left of batches that were settled in parts is a few mails each.
        let lingering = min(runs.values.count(where: \.isLingering), Self.mostLingering)
        return max(
            0,
            min(
                configuration.activeBatches + lingering - activeBatches,
                (missing + MailLimits.batchRecipients - 1) / MailLimits.batchRecipients))
    }

    /// Accounts with so many batches whose destinations are looked for that they get no more for now.
    func lookingUp(atMost most: Int) -> [AccountID] {
        var counts: [AccountID: Int] = [:]
        for run in runs.values where run.isLookingUp { counts[run.batch.id.account, default: 0] += 1 }
        return counts.filter { $0.value >= most }.map(\.key)
    }
}
