public import MailTypes

/// A lane's decisions: which mail goes next and when, how many workers carry mail, and what goes elsewhere. Events come
/// in with the time at which they happen; what is to be done comes out as ``LaneActions``. Whoever owns it carries that
/// out, over sockets or in a test.
///
/// Accounts take turns, and within an account its campaigns. The governor and the gates say how many workers there may be
/// and when the next mail may go. Mail that would wait too long is given back with a time to come back, so that a slow
/// site holds up neither its batches nor the memory of the node.
///
/// Promises: each mail that was put in comes out exactly once, as a worker's turn, taken ahead, in `handOver`, in
/// `giveBack` or in `end`; while mail waits there is a worker, a wake-up to come, or a gate that will tell of a connection.
///
/// What each mail passes through is `public` and inlinable: only such generic code is compiled for another module's types
/// (Swift 6.3 leaves `package` out), which takes 3 % of the CPU of a mail off.
public struct LaneMachine<Mail: LaneMail>: Sendable {
    @usableFromInline var queue = NestedFairQueue<AccountID, CampaignID, Mail>()
    @usableFromInline var conduct: LaneConduct
    /// Of accounts for which an operator has set something. Mail of one with a rate waits for its own turn and not for the
    /// site: it is claimed at that rate, and sent back, it would only come later than the rate allows.
    @usableFromInline var terms: [AccountID: AccountTerms] = [:]

    /// - Parameters:
    ///   - gates: asked besides the lane's own governor.
    ///   - needsLogin: the site is a smarthost that wants one.
    ///   - order: of the operator, that lanes of this name obey.
    package init(
        limits: LaneLimits, policy: GovernorPolicy = GovernorPolicy(), gates: [any LaneGate] = [],
        needsLogin: Bool = false, order: LaneOrder? = nil
    ) {
        conduct = LaneConduct(limits: limits, policy: policy, gates: gates, needsLogin: needsLogin, order: order)
    }

    // MARK: Mail comes

    /// Mails of one account come.
    ///
    /// - Parameters:
    ///   - terms: of the account; nil where nothing was set.
    ///   - mayHandOver: other lanes may take what this one cannot.
    @inlinable
    public mutating func enqueued(
        _ mails: [Mail], of account: AccountID, on terms: AccountTerms?, mayHandOver: Bool = false,
        at now: SteadySeconds
    ) -> LaneActions<Mail> {
        if terms != nil || self.terms[account] != nil { apply(terms, to: account) }
        var actions = LaneActions<Mail>()
        if queue.isEmpty { conduct.began(at: now) }
        admit(mails, mayHandOver: mayHandOver, opensElsewhere: nil, at: now, &actions)
        startWorkers(at: now, &actions)
        return actions
    }

    /// What was handed over and no other lane takes: it waits on here, or goes back.
    ///
    /// - Parameter opensElsewhere: when another lane takes mail again, if one does.
    package mutating func declined(
        _ mails: [Mail], opensElsewhere: SteadySeconds?, at now: SteadySeconds
    ) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        admit(mails, mayHandOver: false, opensElsewhere: opensElsewhere, at: now, &actions)
        startWorkers(at: now, &actions)
        return actions
    }

    /// They were taken and could not be tried; they wait on.
    package mutating func returned(_ mails: [Mail], at now: SteadySeconds) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        if conduct.isClosed {
            actions.giveBack = mails.map { GivenBackMail($0, inSeconds: 0) }
        } else if conduct.endsMail {
            actions.end = mails
        } else {
            for mail in mails { queue.append(mail, for: mail.account, in: mail.campaign) }
        }
        startWorkers(at: now, &actions)
        return actions
    }

    @usableFromInline
    mutating func apply(_ terms: AccountTerms?, to account: AccountID) {
        self.terms[account] = terms
        queue.setWeight(terms?.weight ?? 1, for: account)
        queue.setRate(terms?.rate, for: account)
    }

    @inlinable
    mutating func admit(
        _ mails: [Mail], mayHandOver: Bool, opensElsewhere: SteadySeconds?, at now: SteadySeconds,
        _ actions: inout LaneActions<Mail>
    ) {
        if conduct.isClosed {
            actions.giveBack += mails.map { GivenBackMail($0, inSeconds: 0) }
        } else if conduct.endsMail {
            actions.end += mails
        } else {
            let opensAt = conduct.opensAt(now)
            for mail in mails {
                if mayWait(mail, opensAt: opensAt, at: now) {
                    queue.append(mail, for: mail.account, in: mail.campaign)
                } else if mayHandOver {
                    actions.handOver.append(mail)
                } else {
                    actions.giveBack.append(givenBack(mail, opensAt: opensAt, opensElsewhere, at: now))
                }
            }
        }
    }

    @inlinable
    mutating func mayWait(_ mail: Mail, opensAt: SteadySeconds, at now: SteadySeconds) -> Bool {
        if conduct.drains || conduct.isLong(until: opensAt, at: now) { return false }
        return terms[mail.account]?.hasRate == true || !conduct.isFull(queued: queue.count, at: now)
    }

    @usableFromInline
    mutating func givenBack(
        _ mail: Mail, opensAt: SteadySeconds, _ opensElsewhere: SteadySeconds?, at now: SteadySeconds
    ) -> GivenBackMail<Mail> {
        let opens = min(opensAt, opensElsewhere ?? .infinity)
        return GivenBackMail(
            mail, inSeconds: conduct.secondsUntilReturn(opensAt: opens, at: now), awaitsResume: opensAt > now)
    }

    // MARK: Workers

    /// A worker asks for its next mail.
    ///
    /// - Parameter retires: it ends if there is none, in the same step, so that no mail is left without a worker or a
    ///   wake-up. Otherwise it still has a connection to give back, and asks once more.
    @inlinable
    public mutating func workerAsks(retires: Bool, at now: SteadySeconds) -> LaneTurn<Mail> {
        if queue.isEmpty {
            conduct.ranOut()
        } else if conduct.mayTake(forQueued: queue.count, at: now) {
            if let mail = queue.popFirst(at: now) { return .mail(mail) }
            conduct.nothingIsDue(until: queue.nextDue, at: now)
        }
        if retires { conduct.workerRetired() }
        return .retire(wakeAt: conduct.takeWake())
    }

    /// Takes the next mail out before a connection is free for it, to be made ready, while nothing but its connections holds
    /// the lane up. It has no permit: whoever carries it asks first (``workerMayCarryReady(at:)``). Where nobody does it is
    /// ``returned(_:at:)``.
    ///
    /// - Parameter isFit: whether the mail may be made ready.
    @inlinable
    public mutating func takeAhead(at now: SteadySeconds, where isFit: (Mail) -> Bool) -> Mail? {
        guard conduct.isBusy(queued: queue.count, at: now), let next = queue.peekUnpaced(at: now), isFit(next)
        else { return nil }
        return queue.popFirst(at: now)
    }

    /// Whether mails that were taken ahead may wait for a connection. Otherwise they are ``returned(_:at:)``.
    package mutating func mayKeepReady(at now: SteadySeconds) -> Bool { conduct.mayKeepReady(at: now) }

    /// Whether a worker with a free connection may carry a mail that was taken ahead; ``answered(_:at:)`` follows where it may.
    package mutating func workerMayCarryReady(at now: SteadySeconds) -> Bool {
        conduct.mayKeepReady(at: now) && conduct.mayTake(forQueued: queue.count, at: now)
    }

    /// The same of mails that servers were told of.
    package var mayKeepAnnounced: Bool { conduct.mayKeepAnnounced }

    /// Whether a worker may carry the mail that its server was told of; ``answered(_:at:)`` follows where it may.
    package mutating func workerMayCarryAnnounced(at now: SteadySeconds) -> Bool {
        conduct.mayKeepAnnounced && conduct.mayTake(forQueued: queue.count, at: now)
    }

    /// A worker ends: the node has no connection for it.
    package mutating func workerFoundNoConnection(at now: SteadySeconds) -> LaneActions<Mail> {
        conduct.workerFoundNoConnection(forQueued: queue.count, at: now)
        return withWake(LaneActions())
    }

    /// A worker ends so that others have its connection; the lane waits for one in turn.
    package mutating func workerYields(at now: SteadySeconds) -> LaneActions<Mail> {
        conduct.workerRetired()
        return startedWorkers(at: now)
    }

    /// A gate has no connection for so many workers that were to start. It tells of one by itself.
    package mutating func workersAwaitConnection(_ count: Int) { conduct.workersAwaitConnection(count) }

    /// The gate has a connection now.
    ///
    /// - Returns: a worker to start with it; none, and it goes back.
    package mutating func connectionGranted(at now: SteadySeconds) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        actions.startWorkers = conduct.connectionGranted(forQueued: queue.count, at: now) ? 1 : 0
        return withWake(actions)
    }

    /// The mail that a worker was given has ended in this way.
    package mutating func answered(_ answer: LaneAnswer, at now: SteadySeconds) -> LaneActions<Mail> {
        let consequence = conduct.answered(answer, at: now)
        var actions = LaneActions<Mail>()
        actions.loginProblem = consequence.loginProblem
        actions.tickNow = consequence.beganToRest
        if consequence.opened { startWorkers(at: now, &actions) }
        return actions
    }

    /// A connection came about, made in the way of that generation.
    package mutating func connected(_ generation: Int, at now: SteadySeconds) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        if conduct.connected(generation) { startWorkers(at: now, &actions) }
        return actions
    }

    @inlinable
    mutating func startWorkers(at now: SteadySeconds, _ actions: inout LaneActions<Mail>) {
        actions.startWorkers = conduct.startWorkers(forQueued: queue.count, at: now)
        actions.wakeAt = conduct.takeWake()
    }

    private mutating func startedWorkers(at now: SteadySeconds) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        startWorkers(at: now, &actions)
        return actions
    }

    private mutating func withWake(_ actions: LaneActions<Mail>) -> LaneActions<Mail> {
        var actions = actions
        actions.wakeAt = conduct.takeWake()
        return actions
    }

    // MARK: Time passes

    /// A wake-up that was asked for.
    package mutating func woke(at now: SteadySeconds) -> LaneActions<Mail> {
        conduct.woke(at: now)
        return startedWorkers(at: now)
    }

    /// Whether mail waits here that another lane should have, if it can.
    package func wantsToHandOver(at now: SteadySeconds) -> Bool {
        guard !queue.isEmpty, !conduct.drains else { return false }
        return conduct.readiness(isIdle: false, at: now) != .open
    }

    /// Called a few times a second: what waits for a lane that rests is handed over or given back, and so is what has
    /// waited for too long.
    ///
    /// - Parameters:
    ///   - mayHandOver: another lane takes mail now.
    ///   - opensElsewhere: when another lane takes mail again, if one does.
    ///   - mayStart: false for mail that must not be sent any more.
    package mutating func tick(
        mayHandOver: Bool = false, opensElsewhere: SteadySeconds? = nil, at now: SteadySeconds,
        mayStart: (Mail) -> Bool = { _ in true }
    ) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        if mayHandOver && wantsToHandOver(at: now) {
            let kept = conduct.kept(at: now)
            while queue.count > kept, let mail = queue.popFirst() { actions.handOver.append(mail) }
        } else {
            actions.giveBack = shed(opensElsewhere, at: now, mayStart)
        }
        startWorkers(at: now, &actions)
        return actions
    }

    private mutating func shed(
        _ opensElsewhere: SteadySeconds?, at now: SteadySeconds, _ mayStart: (Mail) -> Bool
    ) -> [GivenBackMail<Mail>] {
        let opensAt = conduct.restsUntil(now) ?? now
        let rests = conduct.isLong(until: opensAt, at: now)
        func mustGo(_ mail: Mail) -> Bool {
            rests || !mayStart(mail)
                || conduct.hasWaitedTooLong(since: mail.queuedAt, at: now) && terms[mail.account]?.rate == nil
        }
        // Taking all out and putting them back costs much more than a look, and is seldom needed.
        guard queue.contains(where: mustGo) else { return [] }
        var back: [GivenBackMail<Mail>] = []
        for mail in takeAll() {
            if mustGo(mail) {
                back.append(givenBack(mail, opensAt: opensAt, opensElsewhere, at: now))
            } else {
                queue.append(mail, for: mail.account, in: mail.campaign)
            }
        }
        return back
    }

    private mutating func takeAll() -> [Mail] {
        var mails: [Mail] = []
        while let mail = queue.popFirst() { mails.append(mail) }
        return mails
    }

    // MARK: What others decide

    /// The rules were read anew.
    package mutating func rulesChanged(
        _ limits: LaneLimits, gates: [any LaneGate], at now: SteadySeconds
    ) -> LaneActions<Mail> {
        conduct.follow(limits, gates, at: now)
        return startedWorkers(at: now)
    }

    /// Connections are made in another way from now on.
    package mutating func reconnected(needsLogin: Bool, at now: SteadySeconds) -> LaneActions<Mail> {
        conduct.reconnected(needsLogin: needsLogin, at: now)
        return startedWorkers(at: now)
    }

    /// The operator orders something; nil ends the order, and leaves what the lane has brought on itself.
    package mutating func ordered(_ order: LaneOrder?, at now: SteadySeconds) -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        guard conduct.obey(order) else { return actions }
        if order?.action == .fail { actions.end = takeAll() }
        actions.tickNow = true
        startWorkers(at: now, &actions)
        return actions
    }

    /// The operator ends what the lane has brought on itself.
    package mutating func resumed(at now: SteadySeconds) -> LaneActions<Mail> {
        conduct.resume(at: now)
        return startedWorkers(at: now)
    }

    /// The operator sends back what waits.
    package mutating func emptied() -> LaneActions<Mail> {
        var actions = LaneActions<Mail>()
        actions.giveBack = takeAll().map { GivenBackMail($0, inSeconds: Self.emptiedSeconds) }
        return actions
    }

    private static var emptiedSeconds: Double { 60 }

    /// Nothing is taken or kept any more; workers end as they ask.
    package mutating func closed() -> LaneActions<Mail> {
        conduct.close()
        var actions = LaneActions<Mail>()
        actions.giveBack = takeAll().map { GivenBackMail($0, inSeconds: 0) }
        return actions
    }

    // MARK: Questions

    /// Nodes that press the site within the same limits, this one included; told before each event.
    package var nodes: Int {
        get { conduct.nodes }
        set { conduct.nodes = newValue }
    }

    package var queuedCount: Int { queue.count }
    package var workerCount: Int { conduct.workers }
    /// Mails that workers were given and that are not answered yet.
    var permitted: Int { conduct.permitted }
    package var isClosed: Bool { conduct.isClosed }
    package var connectionGeneration: Int { conduct.connectionGeneration }
    package var order: LaneOrder? { conduct.order }
    package var counts: LaneCounts { conduct.counts }
    /// Mails answered since the lane was made.
    package var answeredCount: Int { conduct.answeredCount }
    /// Mails answered a second, over the last seconds.
    package mutating func perSecond(at now: SteadySeconds) -> Double { conduct.perSecond(at: now) }

    package func state(at now: SteadySeconds) -> LaneState { conduct.state(at: now) }

    package func readiness(at now: SteadySeconds) -> LaneReadiness {
        conduct.readiness(isIdle: queue.isEmpty && conduct.workers == 0, at: now)
    }

    /// When a rest ends that the lane has brought on itself, or an operator's order; nil where there is none.
    package func restsUntil(_ now: SteadySeconds) -> SteadySeconds? { conduct.restsUntil(now) }

    /// Whether nothing is lost if the lane is forgotten, after so many seconds without new mail: it is idle, does not
    /// rest, and has learnt nothing that is younger than `learntSeconds`.
    package func mayBeForgotten(
        unusedFor seconds: Double, pause: Double, learntSeconds: Double = 3_600, at now: SteadySeconds
    ) -> Bool {
        queue.isEmpty
            && conduct.mayBeForgotten(unusedFor: seconds, pause: pause, learntSeconds: learntSeconds, at: now)
    }
}
