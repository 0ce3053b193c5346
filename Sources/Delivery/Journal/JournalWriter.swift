import Campaigns
import Feedback
import Logging
import MailTypes
import Synchronization
import Vault

/// Commits what the node is about to send and what came of it, in groups: one statement for all batches in work.
///
/// An intent is committed before the final dot of its mail, an outcome some milliseconds after the reply. While the
/// database cannot be reached no intent is answered, so nothing new is sent; outcomes wait in memory.
final class JournalWriter: Sendable {
    /// The answer to an intent.
    enum Permission: Sendable {
        case send
        /// The address was suppressed before the intent was committed.
        case suppressed
        /// The batch was paused, cancelled or lost to another node.
        case stopped
    }

    private struct Intent {
        let run: BatchRun
        let position: Int
        let continuation: CheckedContinuation<Permission, Never>
    }

    /// What one run has waiting.
    private struct Pending {
        let run: BatchRun
        var entries: [JournalEntry] = []
        /// What was found of its recipients' addresses.
        var found: [FoundAddress] = []
    }

    private struct State {
        /// By run, not by batch: a batch that was lost and claimed again has an old run and a new one for a while.
        var pending: [ObjectIdentifier: Pending] = [:]
        var intents: [Intent] = []
        var flushWaiters: [CheckedContinuation<Void, Never>] = []
        /// The group's place in the node's own journal; set when it is taken to be committed.
        var generation: LocalJournal.Generation?
        /// Set when `run()` has ended: nothing is committed any more.
        var isClosed = false

        var isEmpty: Bool { pending.isEmpty && flushWaiters.isEmpty }

        mutating func add(_ entries: [JournalEntry], of run: BatchRun, found: FoundAddress? = nil) {
            pending[ObjectIdentifier(run), default: Pending(run: run)].entries += entries
            if let found { pending[ObjectIdentifier(run)]?.found.append(found) }
        }
    }

    private let state = Mutex(State())
    /// Found and committed, and not acted on yet. Only `run()` changes it.
    private let unnoted = Mutex<[AccountID: [FoundAddress]]>([:])
    private let deadAfter: Int
    private let signal = Signal()
    private let rest = Rest()
    private let store: DeliveryStore
    private let local: LocalJournal?
    private let suppressions: SuppressionCheck
    private let node: String
    private let interval: Duration
    private let underWay: @Sendable () -> Int
    private let metrics: DeliveryMetrics
    private let clock: DeliveryClock
    private let logger: Logger

    /// Tells which of an account's addresses are suppressed at this moment.
    typealias SuppressionCheck = @Sendable (AccountID, [Fingerprint]) async throws -> Set<Fingerprint>

    /// - Parameters:
    ///   - interval: the most time between two commits while there is something to commit.
    ///   - underWay: the mails in the hands of workers. Once half of them wait for their intent the group is committed
    ///     early: those that are still to come would gain less by its company than these lose by waiting.
    ///   - deadAfter: see ``DeliveryConfiguration/deadAfterCampaigns``.
    init(
        store: DeliveryStore, local: LocalJournal? = nil, suppressions: @escaping SuppressionCheck, node: String,
        interval: Duration, underWay: @escaping @Sendable () -> Int = { .max }, deadAfter: Int = 3,
        metrics: DeliveryMetrics = DeliveryMetrics(), clock: DeliveryClock = .system, logger: Logger
    ) {
        self.store = store
        self.local = local
        self.suppressions = suppressions
        self.node = node
        self.interval = interval
        self.underWay = underWay
        self.deadAfter = deadAfter
        self.metrics = metrics
        self.clock = clock
        self.logger = logger
    }

    /// Waits until the intent to send to the recipient at `position` is committed.
    func intend(_ run: BatchRun, _ position: Int) async -> Permission {
        await withCheckedContinuation { continuation in
            let waiting = state.withLock { state -> Int? in
                guard !state.isClosed else { return nil }
                state.add([JournalEntry(run, position, .intent)], of: run)
                state.intents.append(Intent(run: run, position: position, continuation: continuation))
                return state.intents.count
            }
            guard let waiting else { return continuation.resume(returning: .stopped) }
            signal.raise()
            if isWorthCommitting(waiting) { rest.wake() }
        }
    }

    /// Queues entries; they are committed with the next group.
    ///
    /// - Parameter found: what is acted on right after.
    func record(_ run: BatchRun, _ entries: [JournalEntry], found: FoundAddress? = nil) {
        // What cannot be sealed is only in memory until its group is committed.
        let local = entries.isEmpty ? nil : local
        let answers = local.flatMap { _ in
            try? run.runtime.sealer?.answers(entries, of: run.batch.id, epoch: run.batch.epoch)
        }
        state.withLock { state in
            state.add(entries, of: run, found: found)
            // Under the lock, so that the file and the group hold the same.
            local?.append(run.batch.id, epoch: run.batch.epoch, answers)
        }
        signal.raise()
    }

    /// Returns when everything recorded before is committed.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.flushWaiters.append(continuation) }
                return state.isClosed
            }
            guard !isClosed else { return continuation.resume() }
            signal.raise()
            rest.wake()
        }
    }

    /// Runs until cancelled.
    func run() async {
        await signal.onEach {
            let start = clock.steady()
            func left(of pause: Duration) -> Duration { pause - .seconds(clock.steady() - start) }
            await commitPending()
            try? await Task.sleep(for: left(of: min(Self.leastInterval, interval)))
            await rest.rest(for: left(of: interval)) {
                state.withLock { !$0.flushWaiters.isEmpty || isWorthCommitting($0.intents.count) }
            }
            return .goOn
        }
        let left = state.withLock { state in
            let left = state
            state = State()
            state.isClosed = true
            return left
        }
        abandon(left)
    }

    /// Keeps the database's share small where a few workers would each commit alone.
    private static let leastInterval = Duration.milliseconds(2)

    private func isWorthCommitting(_ intents: Int) -> Bool { intents > 0 && intents >= underWay() / 2 }

    private func commitPending() async {
        let group = state.withLock { state in
            var group = state
            state = State()
            group.generation = local?.turn()
            return group
        }
        guard !group.isEmpty else { return }
        let states = await append(group)
        guard let states else { return abandon(group) }
        if let generation = group.generation { local?.forget(generation) }
        for pending in group.pending.values where pending.run.stopReason != .abandon {
            switch states[pending.run.batch.id] {
            case .leased(.open): break
            case .leased(.paused): pending.run.stop(.park)
            case .leased(.cancelling): pending.run.stop(.cancel)
            case .lost, nil: pending.run.stop(.abandon)
            }
        }
        await act(on: group)
        await answer(group.intents)
        for waiter in group.flushWaiters { waiter.resume() }
    }

    /// Tries until it succeeds or the task is cancelled (then nil): an outcome that is known must not be lost.
    private func append(_ group: State) async -> [BatchID: LeaseState]? {
        // A run that was told to abandon its batch has nothing more to say.
        let groups = group.pending.values.filter { $0.run.stopReason != .abandon }.map {
            JournalGroup(batch: $0.run.batch.id, epoch: $0.run.batch.epoch, entries: $0.entries)
        }
        guard !groups.isEmpty else { return [:] }
        var pause = Duration.milliseconds(50)
        while !Task.isCancelled {
            do {
                let start = clock.steady()
                let states = try await store.append(node: node, groups)
                metrics.journalled(groups, inSeconds: clock.steady() - start)
                return states
            } catch {
                metrics.count(\.journalFailures)
                logger.warning("journal not committed, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
        return nil
    }

    /// Suppresses what this group, or one before it, found. Should the node die first, the next run of the batch finds it
    /// in the journal.
    private func act(on group: State) async {
        for pending in group.pending.values where !pending.found.isEmpty {
            unnoted.withLock { $0[pending.run.batch.id.account, default: []] += pending.found }
        }
        for (account, found) in unnoted.withLock(\.self) {
            do {
                try await store.note(found, account: account, deadAfter: deadAfter)
                unnoted.withLock { $0[account] = nil }
            } catch {
                // With the next group again.
                logger.warning("bounces not suppressed", metadata: ["account": "\(account)", "error": "\(error)"])
            }
        }
    }

    private func answer(_ intents: [Intent]) async {
        guard !intents.isEmpty else { return }
        var suppressed: [AccountID: Set<Fingerprint>] = [:]
        for (account, ofAccount) in Dictionary(grouping: intents, by: { $0.run.batch.id.account }) {
            suppressed[account] = await suppressedNow(account, ofAccount.map { $0.run.fingerprints[$0.position] })
        }
        for intent in intents {
            let fingerprint = intent.run.fingerprints[intent.position]
            guard intent.run.stopReason == nil, let known = suppressed[intent.run.batch.id.account] else {
                // Paused, cancelled or lost in the meantime: the intent must not look like a mail in doubt.
                record(intent.run, [JournalEntry(intent.run, intent.position, .withdrawn)])
                intent.continuation.resume(returning: .stopped)
                continue
            }
            intent.continuation.resume(returning: known.contains(fingerprint) ? .suppressed : .send)
        }
    }

    /// Nil when the task was cancelled first: what cannot be checked is not sent.
    private func suppressedNow(_ account: AccountID, _ fingerprints: [Fingerprint]) async -> Set<Fingerprint>? {
        while !Task.isCancelled {
            do {
                return try await suppressions(account, fingerprints)
            } catch {
                logger.warning("suppressions not read, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        return nil
    }

    private func abandon(_ group: State) {
        for pending in group.pending.values { pending.run.stop(.abandon) }
        for intent in group.intents { intent.continuation.resume(returning: .stopped) }
        for waiter in group.flushWaiters { waiter.resume() }
    }
}
