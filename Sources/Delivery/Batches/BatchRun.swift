import Campaigns
import Feedback
import MailTypes
import Synchronization
import TrafficShaping
import Vault

/// One claimed batch in work: what has become of each of its recipients, and whether its mails may still start.
///
/// Positions are indices into the batch's records.
final class BatchRun: Sendable {
    let batch: ClaimedBatch
    let runtime: CampaignRuntime
    let fingerprints: [Fingerprint]
    /// No mail starts after it: the campaign has expired, and what could be tried once more had its time.
    private let lastCallAt: SteadySeconds
    private let clock: DeliveryClock

    private struct State {
        var fates: [Fate?]
        var remaining: Int
        /// Recipients whose mail has neither started nor ended.
        var waiting: Int
        /// Those of them whose destination is still looked for.
        var lookedUp = 0
        var hasStarted: [Bool]
        /// Mails of this run that were to be sent again because an answer was lost, by position.
        var resends: [Int: Int] = [:]
        /// Who answered last, by position.
        var providers = AnsweringProviders()
        var stop: StopReason?
        /// Why nothing of the run can be stored.
        var failure: JournalRefused?
        var leaseEnd: SteadySeconds
        var timing: PartTiming
        var waiter: CheckedContinuation<Step, Never>?

        var isOver: Bool { remaining == 0 || stop == .abandon }

        /// To be resumed after the lock; nil while there is something to wait for.
        mutating func takeWaiter() -> CheckedContinuation<Step, Never>? {
            guard isOver else { return nil }
            defer { waiter = nil }
            return waiter
        }
    }

    private let state: Mutex<State>
    private let places = RecipientPlaces()

    init(
        _ batch: ClaimedBatch, runtime: CampaignRuntime, fingerprints: [Fingerprint], leaseEnd: SteadySeconds,
        clock: DeliveryClock
    ) {
        self.batch = batch
        self.runtime = runtime
        self.fingerprints = fingerprints
        self.clock = clock
        let startedAt = clock.steady()
        lastCallAt =
            startedAt
            + LastCall.after(expiry: batch.campaignExpiresAt, isExpired: batch.isExpired, now: clock.seconds)
        state = Mutex(
            State(
                fates: Array(repeating: nil, count: batch.records.count), remaining: batch.records.count,
                waiting: batch.records.count, hasStarted: Array(repeating: false, count: batch.records.count),
                leaseEnd: leaseEnd, timing: PartTiming(startedAt: startedAt)))
    }

    /// What has become of a recipient in this run.
    enum RunOutcome: Sendable {
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

    private enum Fate: Sendable {
        case final(RecipientResult)
        case waits(until: SteadySeconds, wasTried: Bool, awaitsResume: Bool)
        case untouched
        /// In a part of the batch that was settled before.
        case settled

        init(_ outcome: RunOutcome, at now: SteadySeconds) {
            switch outcome {
            case .final(let result): self = .final(result)
            case .deferred(let seconds):
                self = .waits(until: now + seconds, wasTried: true, awaitsResume: false)
            case .requeued(let seconds, let awaitsResume):
                self = .waits(until: now + seconds, wasTried: false, awaitsResume: awaitsResume)
            case .untouched: self = .untouched
            }
        }

        var dueAt: SteadySeconds? {
            if case .waits(let until, _, _) = self { until } else { nil }
        }

        var isSettled: Bool {
            if case .settled = self { true } else { false }
        }
    }

    enum StopReason: Sendable, Equatable {
        /// The campaign was paused, or the node drains: give the batch back.
        case park
        /// The campaign was cancelled: settle what is done, cancel the rest.
        case cancel
        /// Another run owns the batch, nothing can be stored of it, or the engine was cancelled: forget it.
        case abandon
    }

    /// Whether another mail of this batch may start.
    var mayStart: Bool { mayStart(at: clock.steady()) }

    func mayStart(at now: SteadySeconds) -> Bool {
        state.withLock { $0.stop == nil && now < $0.leaseEnd } && now < lastCallAt
    }

    /// Whether no other mail starts for a reason that is not the campaign's expiry: what has not started is left alone.
    var isStopped: Bool {
        let now = clock.steady()
        return state.withLock { $0.stop != nil || now >= $0.leaseEnd }
    }

    /// Whether the lease still holds by this node's own clock.
    var hasLease: Bool {
        let now = clock.steady()
        return state.withLock { now < $0.leaseEnd }
    }

    /// When the lease ends, by this node's own clock.
    var leaseEnd: SteadySeconds { state.withLock(\.leaseEnd) }

    var stopReason: StopReason? { state.withLock(\.stop) }

    /// Whether a temporary failure is final now.
    ///
    /// - Parameter now: seconds since 1970.
    func isExpired(at now: Int64) -> Bool { batch.isExpired || now >= batch.campaignExpiresAt }

    /// The first reason stands, except that a lost lease overrules all, and ends the waiting.
    func stop(_ reason: StopReason) {
        let now = clock.steady()
        let waiter = state.withLock { state -> CheckedContinuation<Step, Never>? in
            if state.stop == nil || reason == .abandon {
                if state.stop == nil && reason == .cancel { state.timing.cancelled(at: now) }
                if reason != .cancel { state.timing.parked() }
                state.stop = reason
            }
            return state.takeWaiter()
        }
        waiter?.resume(returning: .ended)
    }

    /// Nothing of the run can be stored: its batch is given up.
    func fail(_ error: JournalRefused) {
        state.withLock { $0.failure = error }
        stop(.abandon)
    }

    var failure: JournalRefused? { state.withLock(\.failure) }

    func extendLease(to end: SteadySeconds) {
        state.withLock { $0.leaseEnd = max($0.leaseEnd, end) }
    }

    /// How often the mail at `position` may be sent again after an answer was lost.
    func resendsLeft(_ position: Int) -> Int {
        let resent = state.withLock { $0.resends[position] ?? 0 } + Int(batch.records[position].resends)
        return max(0, runtime.inDoubtResends - resent)
    }

    /// The mailbox provider that has answered to the mail at `position`.
    func noteProvider(_ name: String, _ position: Int) {
        state.withLock { $0.providers.note(name, at: position, of: batch.records.count) }
    }

    func noteResend(_ position: Int) { state.withLock { $0.resends[position, default: 0] += 1 } }

    /// As suppression lists know the recipient at `position`.
    func addressee(_ position: Int) -> Addressee { Addressee(fingerprints[position], batch.records[position].address) }

    /// What a bounce of the batch's campaign has found of an address; nil for other outcomes.
    func found(
        _ outcome: Outcome?, _ reply: RecipientReply, _ finding: AddressFinding, at position: Int
    ) -> FoundAddress? {
        outcome == .bounced ? FoundAddress(fingerprints[position], in: batch.id.campaign, finding, reply) : nil
    }

    /// Who its recipients are.
    var lookUp: RecipientLookUp {
        { [batch, fingerprints, places] index in
            places.place(of: index, in: batch).map { (batch.records[$0].address, fingerprints[$0]) }
        }
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

    /// Whether most of it is settled and only mails under way are left.
    var isLingering: Bool { state.withLock { $0.timing.parts > 0 && $0.waiting == 0 } }

    /// The mail to the recipient at `position` is on its way to a connection.
    func start(_ position: Int) {
        state.withLock { state in
            guard !state.hasStarted[position] else { return }
            state.hasStarted[position] = true
            state.waiting -= 1
        }
    }

    /// Records the fate of the recipient at `position`. Called once for each.
    func finish(_ position: Int, _ outcome: RunOutcome) {
        let now = clock.steady()
        if case .final = outcome { batch.records[position].releaseVariables() }
        let waiter = state.withLock { state -> CheckedContinuation<Step, Never>? in
            precondition(state.fates[position] == nil, "a recipient has one fate a run")
            let fate = Fate(outcome, at: now)
            state.fates[position] = fate
            state.remaining -= 1
            state.timing.finished(dueAt: fate.dueAt)
            if !state.hasStarted[position] {
                state.hasStarted[position] = true
                state.waiting -= 1
            }
            return state.takeWaiter()
        }
        waiter?.resume(returning: .ended)
    }

    // MARK: Settling

    enum Step: Sendable, Equatable {
        /// What is done is to be settled now; others are under way.
        case part
        /// Every recipient has its fate, or the batch is to be abandoned.
        case ended
    }

    /// Waits for the next thing to do. The end of the task abandons the batch: whatever becomes of a mail, the process can
    /// end.
    func next() async -> Step {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = state.withLock { state in
                    state.waiter = continuation
                    return state.takeWaiter()
                }
                waiter?.resume(returning: .ended)
            }
        } onCancel: {
            stop(.abandon)
        }
    }

    /// Looks whether a part is due. Called from time to time.
    func tick() {
        let now = clock.steady()
        let waiter = state.withLock { state -> CheckedContinuation<Step, Never>? in
            guard !state.isOver, state.timing.isDue(at: now) else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .part)
    }

    /// What is done at one moment, to be settled while others are under way.
    struct Part: Sendable {
        fileprivate let positions: [Int]
        let settlement: BatchSettlement
        /// Never begun, by index: of a cancelled campaign that is the end.
        let untouched: Set<Int32>
    }

    /// Nil where nothing is done. Say ``settled(_:)`` when it is.
    func takePart() -> Part? {
        let now = clock.steady()
        return state.withLock { state in
            state.timing.taken(at: now)
            let positions = state.fates.indices.filter { position in
                switch state.fates[position] {
                case .final, .waits: true
                case .untouched: state.stop == .cancel
                case .settled, nil: false
                }
            }
            guard !positions.isEmpty else { return nil }
            let (settlement, untouched) = settlement(of: positions, state, at: now)
            return Part(positions: positions, settlement: settlement, untouched: untouched)
        }
    }

    func settled(_ part: Part) {
        state.withLock { state in
            for position in part.positions { state.fates[position] = .settled }
            let left = state.fates.compactMap(\.self).filter { !$0.isSettled }
            state.timing.settled(leaving: left.count, firstDueAt: left.compactMap(\.dueAt).min())
        }
    }

    /// What to do with the batch, or what is left of it, once every recipient has its fate.
    enum Conclusion: Sendable {
        case settle(BatchSettlement)
        case park
        case abandon
    }

    func conclusion() -> Conclusion {
        let now = clock.steady()
        let state = state.withLock { (fates: $0.fates, stop: $0.stop, all: $0) }
        if state.stop == .abandon { return .abandon }
        let hasUntouched = state.fates.contains { fate in
            switch fate {
            case .untouched, nil: true
            default: false
            }
        }
        // A batch that was stopped half-way keeps its journal; only a cancelled one is settled as it stands.
        if hasUntouched && state.stop != .cancel { return .park }
        return .settle(settlement(of: Array(state.fates.indices), state.all, at: now).0)
    }

    private func settlement(of positions: [Int], _ state: State, at now: SteadySeconds) -> (BatchSettlement, Set<Int32>)
    {
        var results: [RecipientResult] = []
        var providers: [Int32: String] = [:]
        var retries = RetryGroups()
        var untouched: Set<Int32> = []
        for position in positions {
            var record = batch.records[position]
            switch state.fates[position] {
            case .final(let result):
                results.append(result)
                providers[result.index] = state.providers[position]
            case .waits(let until, let wasTried, let awaitsResume):
                record.count(resends: state.resends[position] ?? 0)
                if wasTried { record = record.triedAgain() }
                retries.add(record, inSeconds: until - now, awaitsResume: awaitsResume)
            case .untouched: untouched.insert(record.index)
            case .settled, nil: break
            }
        }
        var settlement = BatchSettlement(results: results, retries: retries.batches)
        settlement.providers = providers
        return (settlement, untouched)
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
