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
        var hasStarted: [Bool]
        var stop: StopReason?
        var leaseEnd: ContinuousClock.Instant
        var waiter: CheckedContinuation<Void, Never>?
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
        case postponed(inSeconds: Double, awaitsResume: Bool = false)
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

    /// The first reason stands, except that a lost lease overrules all.
    func stop(_ reason: StopReason) {
        state.withLock { state in
            if state.stop == nil || reason == .abandon { state.stop = reason }
        }
    }

    func extendLease(to end: ContinuousClock.Instant) {
        state.withLock { $0.leaseEnd = max($0.leaseEnd, end) }
    }

    /// Recipients whose mail has not started: what the engine's appetite for further batches is measured by.
    var waitingCount: Int { state.withLock(\.waiting) }

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
            guard state.remaining == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns when every recipient has its disposition.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.remaining > 0 { state.waiter = continuation }
                return state.remaining == 0
            }
            if isDone { continuation.resume() }
        }
    }

    /// What to do with the batch once every recipient has its disposition.
    enum Conclusion: Sendable {
        case settle(BatchSettlement)
        case park
        case abandon
    }

    func conclusion() -> Conclusion {
        let (dispositions, stop) = state.withLock { ($0.dispositions, $0.stop) }
        if stop == .abandon { return .abandon }
        var results: [RecipientResult] = []
        var retries = RetryGroups()
        var hasUntouched = false
        for (position, disposition) in dispositions.enumerated() {
            switch disposition {
            case .final(let result): results.append(result)
            case .deferred(let seconds): retries.add(batch.records[position].triedAgain(), inSeconds: seconds)
            case .postponed(let seconds, let awaitsResume):
                retries.add(batch.records[position], inSeconds: seconds, awaitsResume: awaitsResume)
            case .untouched, nil: hasUntouched = true
            }
        }
        // A batch that was stopped half-way keeps its journal; only a cancelled one is settled as it stands.
        if hasUntouched && stop != .cancel { return .park }
        return .settle(BatchSettlement(results: results, retries: retries.batches))
    }
}

/// Puts recipients that are due at about the same time into one retry batch, which is due at their mean. Those that a
/// resume brings back are in batches of their own.
private struct RetryGroups {
    private struct Key: Hashable {
        /// Of two, that the seconds reach.
        let power: Int
        let awaitsResume: Bool
    }

    private var groups: [Key: (records: [RecipientRecord], seconds: Double)] = [:]

    mutating func add(_ record: RecipientRecord, inSeconds seconds: Double, awaitsResume: Bool = false) {
        let power = seconds < 1 ? -1 : Int(seconds).bitWidth - 1 - Int(seconds).leadingZeroBitCount
        let key = Key(power: power, awaitsResume: awaitsResume)
        groups[key, default: ([], 0)].records.append(record)
        groups[key, default: ([], 0)].seconds += seconds
    }

    var batches: [BatchSettlement.Retry] {
        groups.sorted { $0.key.power < $1.key.power }.map {
            BatchSettlement.Retry(
                $0.value.records, inSeconds: $0.value.seconds / Double($0.value.records.count),
                awaitsResume: $0.key.awaitsResume)
        }
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
