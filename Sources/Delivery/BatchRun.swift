import Campaigns
import MailTypes
import Synchronization
import Vault

/// One claimed batch in work: what has become of each of its recipients, and whether its mails may still start.
///
/// Positions are indices into the batch's records.
final class BatchRun: Sendable {
    let batch: ClaimedBatch
    let runtime: CampaignRuntime
    let fingerprints: [Fingerprint]

    private struct State {
        var dispositions: [Disposition?]
        var remaining: Int
        /// Recipients whose mail has neither started nor ended.
        var waiting: Int
        /// Those of them whose destination is still looked for.
        var lookedUp = 0
        var hasStarted: [Bool]
        /// Mails of this run that were to be sent again because an answer was lost, by position.
        var resends: [Int: Int] = [:]
        var stop: StopReason?
        var leaseEnd: ContinuousClock.Instant
        var waiter: CheckedContinuation<Void, Never>?

        /// To be resumed after the lock; nil while there is something to wait for.
        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            guard remaining == 0 || stop == .abandon else { return nil }
            defer { waiter = nil }
            return waiter
        }
    }

    private let state: Mutex<State>

    init(
        _ batch: ClaimedBatch, runtime: CampaignRuntime, fingerprints: [Fingerprint],
        leaseEnd: ContinuousClock.Instant
    ) {
        self.batch = batch
        self.runtime = runtime
        self.fingerprints = fingerprints
        state = Mutex(
            State(
                dispositions: Array(repeating: nil, count: batch.records.count), remaining: batch.records.count,
                waiting: batch.records.count, hasStarted: Array(repeating: false, count: batch.records.count),
                leaseEnd: leaseEnd))
    }

    /// What has become of a recipient in this run.
    enum Disposition: Sendable {
        case final(RecipientResult)
        /// Refused for now: an attempt was made.
        case deferred(inSeconds: Double)
        /// Not tried, because the site takes no more for a while.
        ///
        /// - Parameter awaitsResume: the lane stands still, and a resume brings the mail back at once.
        case requeued(inSeconds: Double, awaitsResume: Bool = false)
        /// Left alone, because the run was stopped first.
        case untouched
    }

    enum StopReason: Sendable, Equatable {
        /// The campaign was paused, or the node drains: give the batch back.
        case park
        /// The campaign was cancelled: settle what is done, cancel the rest.
        case cancel
        /// Another node owns the batch, or the engine was cancelled: forget it.
        case abandon
    }

    /// Whether another mail of this batch may start.
    var mayStart: Bool {
        state.withLock { $0.stop == nil && ContinuousClock.now < $0.leaseEnd }
    }

    /// Whether the lease still holds by this node's own clock.
    var holdsLease: Bool { state.withLock { ContinuousClock.now < $0.leaseEnd } }

    var stopReason: StopReason? { state.withLock(\.stop) }

    /// The first reason stands, except that a lost lease overrules all, and ends the waiting.
    func stop(_ reason: StopReason) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.stop == nil || reason == .abandon { state.stop = reason }
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    func extendLease(to end: ContinuousClock.Instant) {
        state.withLock { $0.leaseEnd = max($0.leaseEnd, end) }
    }

    /// How often the mail at `position` may be sent again after an answer was lost.
    func resendsLeft(_ position: Int) -> Int {
        let resent = state.withLock { $0.resends[position] ?? 0 } + Int(batch.records[position].resends)
        return max(0, runtime.inDoubtResends - resent)
    }

    func noteResend(_ position: Int) { state.withLock { $0.resends[position, default: 0] += 1 } }

    /// What the batch's campaign has found of an address; nil where that is nothing.
    func found(_ finding: AddressFinding, at position: Int) -> FoundAddress? {
        finding == .nothing ? nil : FoundAddress(fingerprints[position], in: batch.id.campaign, finding)
    }

    /// Recipients whose mail has not started.
    var waitingCount: Int { state.withLock(\.waiting) }

    /// Those of them whose destination is known: what the engine's appetite for further batches is measured by. Names that
    /// nobody answers for keep no other account's mail away.
    var queuedCount: Int { state.withLock { max(0, $0.waiting - $0.lookedUp) } }

    /// Whether the destinations of recipients are looked for.
    var isLookingUp: Bool { state.withLock { $0.lookedUp > 0 } }

    /// The destinations of so many recipients are looked for.
    func beginLookUp(of count: Int) { state.withLock { $0.lookedUp += count } }

    /// They are found, or not to be had.
    func endLookUp(of count: Int) { state.withLock { $0.lookedUp -= count } }

    /// The mail to the recipient at `position` is on its way to a connection.
    func start(_ position: Int) {
        state.withLock { state in
            guard !state.hasStarted[position] else { return }
            state.hasStarted[position] = true
            state.waiting -= 1
        }
    }

    /// Records the fate of the recipient at `position`. Called once for each.
    func finish(_ position: Int, _ disposition: Disposition) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            precondition(state.dispositions[position] == nil, "a recipient has one fate a run")
            state.dispositions[position] = disposition
            state.remaining -= 1
            if !state.hasStarted[position] {
                state.hasStarted[position] = true
                state.waiting -= 1
            }
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    /// Returns when every recipient has its disposition, or the batch is to be abandoned, as it is when the task is
    /// cancelled: whatever becomes of a mail, the process can end.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = state.withLock { state in
                    state.waiter = continuation
                    return state.takeWaiter()
                }
                waiter?.resume()
            }
        } onCancel: {
            stop(.abandon)
        }
    }

    /// What to do with the batch once every recipient has its disposition.
    enum Conclusion: Sendable {
        case settle(BatchSettlement)
        case park
        case abandon
    }

    func conclusion() -> Conclusion {
        let (dispositions, stop, resends) = state.withLock { ($0.dispositions, $0.stop, $0.resends) }
        if stop == .abandon { return .abandon }
        var results: [RecipientResult] = []
        var retries = RetryGroups()
        var hasUntouched = false
        for (position, disposition) in dispositions.enumerated() {
            var record = batch.records[position]
            record.count(resends: resends[position] ?? 0)
            switch disposition {
            case .final(let result): results.append(result)
            case .deferred(let seconds): retries.add(record.triedAgain(), inSeconds: seconds)
            case .requeued(let seconds, let awaitsResume):
                retries.add(record, inSeconds: seconds, awaitsResume: awaitsResume)
            case .untouched, nil: hasUntouched = true
            }
        }
        // A batch that was stopped half-way keeps its journal; only a cancelled one is settled as it stands.
        if hasUntouched && stop != .cancel { return .park }
        return .settle(BatchSettlement(results: results, retries: retries.batches))
    }
}

extension RecipientRecord {
    /// The record as its retry batch holds it.
    func triedAgain() -> RecipientRecord {
        var record = self
        record.attempt = attempt == .max ? .max : attempt + 1
        return record
    }
}
