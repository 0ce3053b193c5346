import Campaigns
import MailTypes
import TrafficShaping

/// What one run has waiting for its journal commit.
struct PendingEntries: Sendable {
    /// A mail that waits for its intent.
    struct Intent: Sendable {
        let position: Int
        let continuation: CheckedContinuation<JournalWriter.Permission, Never>
    }

    /// Why entries wait for a later group.
    struct Hold: Sendable {
        let since: SteadySeconds
        var retryAt: SteadySeconds
        /// Doubles with each vain attempt.
        var pause: Double
        /// They made a group fail: they are tried alone, so that no other fails with them.
        var isSuspect: Bool
    }

    let run: BatchRun
    private(set) var entries: [JournalEntry] = []
    /// What was found of its recipients' addresses.
    private(set) var found: [FoundAddress] = []
    private(set) var intents: [Intent] = []
    /// Answers that lie in the file of the present generation only.
    private(set) var unheld: [JournalEntry] = []
    var hold: Hold?

    init(_ run: BatchRun) { self.run = run }

    var id: ObjectIdentifier { ObjectIdentifier(run) }
    var batch: BatchID { run.batch.id }

    mutating func add(_ answers: [JournalEntry], found: FoundAddress?) {
        entries += answers
        unheld += answers
        if let found { self.found.append(found) }
    }

    mutating func add(_ intent: Intent) {
        entries.append(JournalEntry(run, intent.position, .intent))
        intents.append(intent)
    }

    /// What has come since goes behind.
    mutating func append(_ newer: PendingEntries) {
        entries += newer.entries
        found += newer.found
        intents += newer.intents
        unheld += newer.unheld
    }

    /// Nothing of them was committed: the mails are not sent.
    mutating func withdrawIntents() -> [Intent] {
        defer { intents = [] }
        entries.removeAll { $0.kind == .intent }
        return intents
    }

    /// Answers that have to go into another file before their generation is forgotten.
    mutating func takeUnheld() -> [JournalEntry] {
        defer { unheld = [] }
        return unheld
    }

    /// - Parameter since: when the first entries of the campaign began to wait.
    mutating func hold(since: SteadySeconds, at now: SteadySeconds, isSuspect: Bool) {
        let pause = min(Self.longestPause, (hold?.pause ?? Self.firstPause / 2) * 2)
        hold = Hold(since: since, retryAt: now + pause, pause: pause, isSuspect: isSuspect)
    }

    /// Whether somebody else stands in the way for so long that the run should not go on.
    func isStuck(at now: SteadySeconds) -> Bool { hold.map { now - $0.since >= Self.patience } ?? false }

    private static let firstPause = 0.015
    private static let longestPause = 0.5
    /// Settlements, pauses and cancellations of a campaign take less.
    static let patience = 2.0
}

/// What waits for the journal, of all runs.
struct JournalQueue: Sendable {
    /// One round: what is committed together.
    struct Round: Sendable {
        var pending: [PendingEntries] = []
        var flushes: [Flush] = []
        /// Answers of runs that are not tried now: they must not be forgotten with their generation.
        var waiting: [(run: BatchRun, answers: [JournalEntry])] = []
        /// Its place in the node's own journal.
        var generation: LocalJournal.Generation?
    }

    struct Flush: Sendable {
        /// Nil: for everything.
        let run: ObjectIdentifier?
        let continuation: CheckedContinuation<Void, Never>
    }

    /// By run, not by batch: a batch that was lost and claimed again has an old run and a new one for a while.
    private var pending: [ObjectIdentifier: PendingEntries] = [:]
    private var flushes: [Flush] = []
    /// Since when entries of these campaigns wait.
    private var heldSince: [Campaign: SteadySeconds] = [:]
    /// Since the last round.
    private(set) var newIntents = 0
    private(set) var wantsFlush = false
    /// Set when the writer has ended: nothing is committed any more.
    private(set) var isClosed = false

    mutating func add(_ answers: [JournalEntry], of run: BatchRun, found: FoundAddress?) {
        pending[ObjectIdentifier(run), default: PendingEntries(run)].add(answers, found: found)
    }

    mutating func add(_ intent: PendingEntries.Intent, of run: BatchRun) {
        pending[ObjectIdentifier(run), default: PendingEntries(run)].add(intent)
        newIntents += 1
    }

    mutating func add(_ flush: Flush) {
        flushes.append(flush)
        wantsFlush = true
    }

    /// What is to be tried now.
    mutating func takeRound(at now: SteadySeconds) -> Round {
        var round = Round()
        for (id, entries) in pending {
            if let hold = entries.hold, hold.retryAt > now {
                let answers = pending[id]?.takeUnheld() ?? []
                if !answers.isEmpty { round.waiting.append((entries.run, answers)) }
            } else {
                round.pending.append(entries)
                pending[id] = nil
            }
        }
        round.flushes = flushes
        flushes = []
        (newIntents, wantsFlush) = (0, false)
        return round
    }

    private struct Campaign: Hashable {
        let account: AccountID
        let campaign: CampaignID

        init(of batch: BatchID) { (account, campaign) = (batch.account, batch.campaign) }
    }

    /// When the first entries of the batch's campaign began to wait, now at the latest.
    mutating func beginsToWait(_ batch: BatchID, at now: SteadySeconds) -> SteadySeconds {
        let since = heldSince[Campaign(of: batch)] ?? now
        heldSince[Campaign(of: batch)] = since
        return since
    }

    /// Whether somebody has stood in the way of the batch's campaign for so long that nobody should wait for it.
    func isStuck(_ batch: BatchID, at now: SteadySeconds) -> Bool {
        heldSince[Campaign(of: batch)].map { now - $0 >= PendingEntries.patience } ?? false
    }

    mutating func putBack(_ entries: PendingEntries) {
        var entries = entries
        if let newer = pending[entries.id] { entries.append(newer) }
        pending[entries.id] = entries
    }

    /// Those whose entries are committed, or given up; the others wait on.
    mutating func endedFlushes(of round: Round) -> [Flush] {
        // Nobody waits for the words of a run that was told to forget its batch.
        func waits(_ entries: PendingEntries) -> Bool { entries.hold != nil && entries.run.stopReason != .abandon }
        func waits(_ flush: Flush) -> Bool {
            guard let run = flush.run else { return pending.values.contains(where: waits) }
            return pending[run].map(waits) ?? false
        }
        let held = Set(pending.values.lazy.filter { $0.hold != nil }.map { Campaign(of: $0.batch) })
        heldSince = heldSince.filter { held.contains($0.key) }
        flushes += round.flushes.filter(waits)
        return round.flushes.filter { !waits($0) }
    }

    var isHolding: Bool { pending.values.contains { $0.hold != nil } }

    /// When what is held is to be tried again.
    var nextRetry: SteadySeconds? { pending.values.compactMap { $0.hold?.retryAt }.min() }

    /// With entries that somebody keeps from being committed for a while, also while a round tries them once more.
    func stuckAccounts(at now: SteadySeconds) -> Set<AccountID> {
        Set(heldSince.lazy.filter { now - $0.value >= PendingEntries.patience }.map(\.key.account))
    }

    /// Everything that is left; nothing is taken from now on.
    mutating func close() -> Round {
        let round = Round(pending: Array(pending.values), flushes: flushes)
        self = JournalQueue()
        isClosed = true
        return round
    }
}
