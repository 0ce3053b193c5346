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
        /// The batch belongs to another node now.
        case lost
    }

    private struct Intent {
        let run: BatchRun
        let position: Int
        let continuation: CheckedContinuation<Permission, Never>
    }

    private struct State {
        var runs: [BatchID: BatchRun] = [:]
        var entries: [BatchID: [JournalEntry]] = [:]
        var intents: [Intent] = []
        var flushWaiters: [CheckedContinuation<Void, Never>] = []
        /// Set when `run()` has ended: nothing is committed any more.
        var isClosed = false

        var isEmpty: Bool { entries.isEmpty && flushWaiters.isEmpty }
    }

    private let state = Mutex(State())
    private let signal = Signal()
    private let store: DeliveryStore
    private let suppressions: SuppressionCheck
    private let node: String
    private let interval: Duration
    private let logger: Logger

    /// Tells which of an account's addresses are suppressed at this moment.
    typealias SuppressionCheck = @Sendable (AccountID, [Fingerprint]) async throws -> Set<Fingerprint>

    init(
        store: DeliveryStore, suppressions: @escaping SuppressionCheck, node: String, interval: Duration, logger: Logger
    ) {
        self.store = store
        self.suppressions = suppressions
        self.node = node
        self.interval = interval
        self.logger = logger
    }

    /// Waits until the intent to send to the recipient at `position` is committed.
    func intend(_ run: BatchRun, _ position: Int) async -> Permission {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                guard !state.isClosed else { return true }
                state.runs[run.batch.id] = run
                state.entries[run.batch.id, default: []].append(
                    JournalEntry(run.batch.records[position], .intent))
                state.intents.append(Intent(run: run, position: position, continuation: continuation))
                return false
            }
            if isClosed { continuation.resume(returning: .lost) } else { signal.raise() }
        }
    }

    /// Queues entries; they are committed with the next group.
    func record(_ run: BatchRun, _ entries: [JournalEntry]) {
        guard !entries.isEmpty else { return }
        state.withLock { state in
            state.runs[run.batch.id] = run
            state.entries[run.batch.id, default: []] += entries
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
            if isClosed { continuation.resume() } else { signal.raise() }
        }
    }

    /// Runs until cancelled.
    func run() async {
        await signal.onEach {
            let start = ContinuousClock.now
            await commitPending()
            let rest = interval - (ContinuousClock.now - start)
            if rest > .zero { try? await Task.sleep(for: rest) }
            return .goOn
        }
        let rest = state.withLock { state in
            let rest = state
            state = State()
            state.isClosed = true
            return rest
        }
        abandon(rest)
    }

    private func commitPending() async {
        let group = state.withLock { state in
            let group = state
            state = State()
            return group
        }
        guard !group.isEmpty else { return }
        let standings = await append(group)
        guard let standings else { return abandon(group) }
        for (batch, run) in group.runs {
            switch standings[batch] {
            case .held(.open): break
            case .held(.paused): run.stop(.park)
            case .held(.cancelling): run.stop(.cancel)
            case .lost, nil: run.stop(.abandon)
            }
        }
        await answer(group.intents)
        for waiter in group.flushWaiters { waiter.resume() }
    }

    /// Tries until it succeeds or the task is cancelled (then nil): an outcome that is known must not be lost.
    private func append(_ group: State) async -> [BatchID: BatchStanding]? {
        guard !group.entries.isEmpty else { return [:] }
        let groups = group.entries.compactMap { batch, entries in
            group.runs[batch].map { JournalGroup(batch: batch, epoch: $0.batch.epoch, entries: entries) }
        }
        var pause = Duration.milliseconds(50)
        while !Task.isCancelled {
            do {
                return try await store.append(node: node, groups)
            } catch {
                logger.warning("journal not committed, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
        return nil
    }

    private func answer(_ intents: [Intent]) async {
        guard !intents.isEmpty else { return }
        var suppressed: [AccountID: Set<Fingerprint>] = [:]
        for (account, ofAccount) in Dictionary(grouping: intents, by: { $0.run.batch.id.account }) {
            suppressed[account] = await suppressedNow(account, ofAccount.map { $0.run.fingerprints[$0.position] })
        }
        for intent in intents {
            let fingerprint = intent.run.fingerprints[intent.position]
            guard intent.run.stopReason != .abandon, let known = suppressed[intent.run.batch.id.account] else {
                intent.continuation.resume(returning: .lost)
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
        for run in group.runs.values { run.stop(.abandon) }
        for intent in group.intents { intent.continuation.resume(returning: .lost) }
        for waiter in group.flushWaiters { waiter.resume() }
    }
}
