import Campaigns
import Feedback
import Logging
import MailTypes
import Synchronization
import TrafficShaping
import Vault

/// Commits what the node is about to send and what came of it, in groups: one statement for all batches in work.
///
/// An intent is committed before the final dot of its mail, an outcome some milliseconds after the reply. While the
/// database cannot be reached no intent is answered, so nothing new is sent; outcomes wait in memory. So do those of a
/// campaign whose row somebody has locked, and of a group that the database refuses: the others go on in the same round.
final class JournalWriter: Sendable {
    /// The answer to an intent.
    enum Permission: Sendable {
        case send
        /// The address was suppressed before the intent was committed.
        case suppressed
        /// The batch was paused, cancelled or lost to another node, or its journal cannot be written for now.
        case stopped
    }

    let queue = Mutex(JournalQueue())
    private let signal = Signal()
    private let rest = Rest()
    let commits: JournalCommits
    private let local: LocalJournal?
    private let suppressions: SuppressionCheck
    private let interval: Duration
    private let underWay: @Sendable () -> Int
    private let onRound: @Sendable () -> Void
    private let clock: DeliveryClock
    private let logger: Logger

    /// Tells which of accounts' addresses are suppressed at this moment.
    typealias SuppressionCheck = @Sendable ([AccountID: [Addressee]]) async throws -> [AccountID: Set<Fingerprint>]

    /// - Parameters:
    ///   - interval: the most time between two commits while there is something to commit.
    ///   - underWay: the mails in the hands of workers. Once half as many wait for their intent the group is committed
    ///     early: those that are still to come would gain less by its company than these lose by waiting. What is made ready
    ///     ahead is not counted besides: it comes in place of a mail on the wire, which needs no intent any more. So a busy
    ///     lane has one half of its mails ahead committed while its connections take the other.
    ///   - onRound: called when a group with intents is about to be committed, as the time until it is can be used.
    ///   - deadAfter: see ``DeliveryConfiguration/deadAfterCampaigns``.
    init(
        store: DeliveryStore, local: LocalJournal? = nil, suppressions: @escaping SuppressionCheck, node: String,
        interval: Duration, underWay: @escaping @Sendable () -> Int = { .max },
        onRound: @escaping @Sendable () -> Void = {}, deadAfter: Int = 3,
        metrics: DeliveryMetrics = DeliveryMetrics(), clock: DeliveryClock = .system, logger: Logger
    ) {
        commits = JournalCommits(
            store: store, node: node, deadAfter: deadAfter, metrics: metrics, clock: clock, logger: logger)
        self.local = local
        self.suppressions = suppressions
        self.interval = interval
        self.underWay = underWay
        self.onRound = onRound
        self.clock = clock
        self.logger = logger
    }

    /// Waits until the intent to send to the recipient at `position` is committed.
    func intend(_ run: BatchRun, _ position: Int) async -> Permission {
        await withCheckedContinuation { continuation in
            let waiting = queue.withLock { queue -> Int? in
                guard !queue.isClosed else { return nil }
                queue.add(PendingEntries.Intent(position: position, continuation: continuation), of: run)
                return queue.newIntents
            }
            guard let waiting else { return continuation.resume(returning: .stopped) }
            signal.raise()
            if isWorthCommitting(waiting) { rest.wake() }
        }
    }

    /// Queues entries; they are committed with the next group.
    ///
    /// - Parameter found: what is acted on in the same transaction.
    func record(_ run: BatchRun, _ entries: [JournalEntry], found: FoundAddress? = nil) {
        // What cannot be sealed is only in memory until its group is committed.
        let local = entries.isEmpty ? nil : local
        let answers = local.flatMap { _ in sealed(entries, of: run) }
        queue.withLock { queue in
            queue.add(entries, of: run, found: found)
            // Under the lock, so that the file and the group hold the same.
            local?.append(run.batch.id, epoch: run.batch.epoch, answers)
        }
        signal.raise()
    }

    private func sealed(_ entries: [JournalEntry], of run: BatchRun) -> LocalJournal.Answers? {
        try? run.runtime.sealer?.answers(entries, of: run.batch.id, epoch: run.batch.epoch)
    }

    /// Returns when everything recorded before is committed, or given up.
    ///
    /// - Parameter run: of it alone; nil for all.
    func flush(_ run: BatchRun? = nil) async {
        await withCheckedContinuation { continuation in
            let isClosed = queue.withLock { queue in
                if !queue.isClosed {
                    queue.add(JournalQueue.Flush(run: run.map { ObjectIdentifier($0) }, continuation: continuation))
                }
                return queue.isClosed
            }
            guard !isClosed else { return continuation.resume() }
            signal.raise()
            rest.wake()
        }
    }

    /// Accounts with mail whose answers somebody keeps from being committed: they get nothing new for now.
    var stuckAccounts: [AccountID] { Array(queue.withLock { $0.stuckAccounts(at: clock.steady()) }) }

    /// Runs until cancelled.
    func run() async {
        var alarm: Task<Void, Never>?
        await signal.onEach {
            let start = clock.steady()
            func left(of pause: Duration) -> Duration { pause - .seconds(clock.steady() - start) }
            await commitPending()
            alarm?.cancel()
            alarm = queue.withLock(\.nextRetry).map { wake(at: $0) }
            try? await Task.sleep(for: left(of: min(Self.leastInterval, interval)))
            await rest.rest(for: left(of: interval)) {
                queue.withLock { $0.wantsFlush || isWorthCommitting($0.newIntents) }
            }
            return .goOn
        }
        alarm?.cancel()
        abandon(queue.withLock { $0.close() })
    }

    private func wake(at time: SteadySeconds) -> Task<Void, Never> {
        let pause = Duration.seconds(max(0, time - clock.steady()))
        return Task { [signal] in
            try? await Task.sleep(for: pause)
            signal.raise()
        }
    }

    /// Keeps the database's share small where a few workers would each commit alone.
    private static let leastInterval = Duration.milliseconds(2)

    private func isWorthCommitting(_ intents: Int) -> Bool { intents > 0 && intents >= underWay() / 2 }

    // MARK: A round

    private func commitPending() async {
        var round = queue.withLock { queue in
            var round = queue.takeRound(at: clock.steady())
            round.generation = local?.turn()
            return round
        }
        round.pending = withoutOlderRuns(round.pending)
        if round.pending.contains(where: { !$0.intents.isEmpty }) { onRound() }
        for (run, answers) in round.waiting { holdOver(answers, of: run) }
        let impatient = queue.withLock { queue in
            Set(round.pending.map(\.batch).filter { queue.isStuck($0, at: clock.steady()) })
        }
        guard let verdicts = await commits.commit(round.pending, impatient: impatient) else { return abandon(round) }
        var committed: [PendingEntries] = []
        for entries in round.pending {
            switch verdicts[entries.id] {
            case .committed(let work):
                if work == .paused { entries.run.stop(.park) }
                if work == .cancelling { entries.run.stop(.cancel) }
                committed.append(entries)
            case .held(let isSuspect): hold(entries, isSuspect: isSuspect)
            case .overdue: hold(entries, withoutIntents: true)
            case .refused(let error):
                entries.run.fail(error)
                stop(entries.intents)
            case .lost, nil:
                entries.run.stop(.abandon)
                stop(entries.intents)
            }
        }
        // What is held is in another file by now.
        if let generation = round.generation { local?.forget(generation) }
        await answer(committed)
        let (ended, isHolding) = queue.withLock { ($0.endedFlushes(of: round), $0.isHolding) }
        if !isHolding { local?.forgetHeldOver() }
        for flush in ended { flush.continuation.resume() }
    }

    /// A batch that was lost and claimed again has only its newest run: the others' claims are worth nothing.
    private func withoutOlderRuns(_ pending: [PendingEntries]) -> [PendingEntries] {
        var newest: [BatchID: PendingEntries] = [:]
        for entries in pending {
            guard let other = newest.updateValue(entries, forKey: entries.batch) else { continue }
            let older = other.run.batch.epoch < entries.run.batch.epoch ? other : entries
            if older.id == entries.id { newest[entries.batch] = other }
            older.run.stop(.abandon)
            stop(older.intents)
        }
        return Array(newest.values)
    }

    /// Tries the entries again in a while. Mails do not wait for somebody who stands in the way for long: they keep
    /// connections from others.
    private func hold(_ entries: PendingEntries, isSuspect: Bool = false, withoutIntents: Bool = false) {
        var entries = entries
        let now = clock.steady()
        let since = queue.withLock { $0.beginsToWait(entries.batch, at: now) }
        entries.hold(since: since, at: now, isSuspect: isSuspect)
        if withoutIntents { entries.hold?.retryAt = now }
        if entries.isStuck(at: now) { entries.run.stop(.park) }
        if withoutIntents || entries.isStuck(at: now) { stop(entries.withdrawIntents()) }
        holdOver(entries.takeUnheld(), of: entries.run)
        queue.withLock { $0.putBack(entries) }
    }

    /// A withdrawal is not kept: it is committed before the mail's next intent, but might lie here until that mail is on the
    /// wire, and would end a real doubt. Without it a mail that left no mark is withdrawn all the same.
    private func holdOver(_ answers: [JournalEntry], of run: BatchRun) {
        let answers = answers.filter { $0.kind != .withdrawn }
        guard let local, !answers.isEmpty else { return }
        local.holdOver(run.batch.id, epoch: run.batch.epoch, sealed(answers, of: run))
    }

    private func stop(_ intents: [PendingEntries.Intent]) {
        for intent in intents { intent.continuation.resume(returning: .stopped) }
    }

    private func answer(_ committed: [PendingEntries]) async {
        var asked: [AccountID: [Addressee]] = [:]
        for entries in committed where !entries.intents.isEmpty {
            asked[entries.batch.account, default: []] += entries.intents.map { entries.run.addressee($0.position) }
        }
        guard !asked.isEmpty else { return }
        let suppressed = await suppressedNow(asked)
        for entries in committed {
            for intent in entries.intents {
                guard entries.run.stopReason == nil, let suppressed else {
                    // Paused, cancelled or lost in the meantime: the intent must not look like a mail in doubt.
                    record(entries.run, [JournalEntry(entries.run, intent.position, .withdrawn)])
                    intent.continuation.resume(returning: .stopped)
                    continue
                }
                let isSuppressed =
                    suppressed[entries.batch.account]?.contains(entries.run.fingerprints[intent.position]) ?? false
                intent.continuation.resume(returning: isSuppressed ? .suppressed : .send)
            }
        }
    }

    /// Nil when the task was cancelled first: what cannot be checked is not sent.
    private func suppressedNow(_ asked: [AccountID: [Addressee]]) async -> [AccountID: Set<Fingerprint>]? {
        while !Task.isCancelled {
            do {
                return try await suppressions(asked)
            } catch {
                logger.warning("suppressions not read, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        return nil
    }

    /// The files keep what was not committed, for the node's next incarnation.
    private func abandon(_ round: JournalQueue.Round) {
        for entries in round.pending {
            entries.run.stop(.abandon)
            stop(entries.intents)
        }
        for flush in round.flushes { flush.continuation.resume() }
    }
}
