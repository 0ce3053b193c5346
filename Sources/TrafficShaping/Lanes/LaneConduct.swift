/// How a lane behaves, whatever waits in it: how many workers it has, whether a mail may go now, what it has learnt, and
/// what its operator ordered. Not generic, so that other modules need not specialise it.
@usableFromInline
package struct LaneConduct: Sendable {
    private var limits: LaneLimits
    private var governor: LaneGovernor
    private var gates: [any LaneGate]
    private var throughput = Throughput()
    private var overflow = Overflow()
    package private(set) var counts = LaneCounts()
    package private(set) var order: LaneOrder?
    /// By order: what waits or comes ends.
    @usableFromInline var endsMail: Bool { order?.action == .fail }
    /// By order: nothing comes in, and what waits goes.
    @usableFromInline var drains: Bool { order?.action == .drain }
    /// Workers that were started and have not retired.
    package private(set) var workers = 0
    /// When a mail was taken last, or came into an empty queue.
    private var movedAt: SteadySeconds = 0
    /// A gate has no connection for the lane, and will tell it of one.
    private var awaitsConnection = false
    /// The gate's word came before the lane began to wait: it has forgotten the lane, which asks anew.
    private var wasGrantedEarly = false
    /// Nothing is taken any more.
    @usableFromInline package private(set) var isClosed = false
    /// Nodes that press the site within the same limits.
    package var nodes = 1
    /// How often the way to connect has changed. What an older way led to says nothing about the present one.
    package private(set) var connectionGeneration = 0
    private var needsLogin: Bool
    /// Before the first login one connection is enough: a server that sees many logins fail may lock the account.
    private var isLoggedIn: Bool
    /// Operators are told of a failing login once, until it works again.
    private var hasReportedLogin = false
    /// The earliest look that the owner knows of.
    private var wakeSetFor: SteadySeconds?
    /// The look that the owner is to be told of.
    private var newWake: SteadySeconds?

    init(
        limits: LaneLimits, policy: GovernorPolicy, gates: [any LaneGate], needsLogin: Bool, order: LaneOrder?
    ) {
        self.limits = limits
        self.gates = gates
        governor = LaneGovernor(limits: limits, policy: policy)
        self.needsLogin = needsLogin
        isLoggedIn = !needsLogin
        if let order { obey(order) }
    }

    /// The most seconds until a lane is looked at again whose workers found no connection.
    private static var retrySeconds: Double { 1 }
    private static var longQueue: Int { 1_000_000 }
    /// For so long workers may take no mail from a queue before one more is wanted.
    private static var busySeconds: Double { 1 }
}

// Workers.
extension LaneConduct {
    /// How many workers begin now, for a queue of this length. They are counted.
    @usableFromInline
    mutating func startWorkers(forQueued queued: Int, at now: SteadySeconds) -> Int {
        guard queued > 0, !isClosed, !awaitsConnection else { return 0 }
        // Workers that hang on slow mails are none for those that wait.
        let areBusy = workers > 0 && now - movedAt >= Self.busySeconds
        let wanted = connectionsWanted(forQueued: areBusy ? Self.longQueue : queued, at: now)
        let started = max(0, min(wanted - workers, areBusy ? 1 : queued))
        workers += started
        if workers == 0 { wake(at: max(opensAt(now), now + Self.leastWait)) }
        return started
    }

    /// Whether a worker may take one of the mails that wait. Where none is due, ``nothingIsDue(until:at:)`` follows.
    @usableFromInline
    mutating func mayTake(forQueued queued: Int, at now: SteadySeconds) -> Bool {
        // What the site takes at present; a short queue alone sends nobody away.
        let limit = connectionsWanted(forQueued: Self.longQueue, at: now)
        guard workers <= limit else {
            if workers == 1 { wake(at: max(opensAt(now), now + Self.leastWait)) }
            return false
        }
        if case .at(let due) = governor.permit(at: now) {
            wake(at: due)
            return false
        }
        for index in gates.indices {
            guard case .at(let due) = gates[index].permit(forQueued: queued, at: now) else { continue }
            for gate in gates[..<index] { gate.answered(.unused, at: now) }
            governor.permitUnused(at: now)
            wake(at: due)
            return false
        }
        movedAt = now
        return true
    }

    /// Whether mails may be ready before a connection is free for them: nothing but its connections sets the lane's pace,
    /// and it has no more of them than it may.
    mutating func mayKeepReady(at now: SteadySeconds) -> Bool { missingConnections(at: now).map { $0 >= 0 } ?? false }

    /// Whether mails that servers were told of may still follow over their connections. A lane that is slowed carries them: to
    /// break off would be no relief for its site.
    var mayKeepAnnounced: Bool { !isClosed && order == nil && governor.isOpen }

    /// Whether it is worth making another one ready: all connections are in use, and a mail waits for each.
    @usableFromInline
    mutating func isBusy(queued: Int, at now: SteadySeconds) -> Bool {
        queued >= workers && missingConnections(at: now) == 0
    }

    /// Nil where anything else than its connections sets the lane's pace, or nobody uses them.
    private mutating func missingConnections(at now: SteadySeconds) -> Int? {
        guard workers > 0, !isClosed, order == nil, gates.isEmpty, limits.rate == nil, governor.isUnhindered
        else { return nil }
        return connectionsWanted(forQueued: Self.longQueue, at: now) - workers
    }

    /// Mail comes into an empty queue.
    @usableFromInline
    mutating func began(at now: SteadySeconds) { movedAt = now }

    /// No account's mail may go now, though the site would take it: the permit is given back. Accounts keep to their
    /// rates, which says nothing about the pace of the site.
    @usableFromInline
    mutating func nothingIsDue(until nextDue: SteadySeconds?, at now: SteadySeconds) {
        for gate in gates { gate.answered(.unused, at: now) }
        governor.permitUnused(at: now)
        throughput.rest()
        wake(at: nextDue ?? now)
    }

    /// A lane that ran out of mail says nothing about the pace of its site.
    @usableFromInline
    mutating func ranOut() { throughput.rest() }

    @usableFromInline
    mutating func workerRetired() { workers -= 1 }

    /// A worker found that the node has no connection for it.
    mutating func workerFoundNoConnection(forQueued queued: Int, at now: SteadySeconds) {
        workers -= 1
        if workers == 0 && queued > 0 { wake(at: now + Self.retrySeconds) }
    }

    /// A gate has no connection for workers that were to start; it tells once it has.
    mutating func workersAwaitConnection(_ count: Int) {
        workers -= count
        awaitsConnection = !wasGrantedEarly
        wasGrantedEarly = false
    }

    /// - Returns: whether a worker begins with the connection.
    mutating func connectionGranted(forQueued queued: Int, at now: SteadySeconds) -> Bool {
        wasGrantedEarly = !awaitsConnection
        awaitsConnection = false
        guard !isClosed, queued > 0, connectionsWanted(forQueued: queued, at: now) > workers else { return false }
        workers += 1
        return true
    }

    /// The connections that this node may have now, of those that the site allows the whole fleet.
    private mutating func connectionsWanted(forQueued queued: Int, at now: SteadySeconds) -> Int {
        let connections = governor.connectionsWanted(forQueued: queued, at: now)
        guard isLoggedIn else { return min(1, connections) }
        return nodes == 1 || connections == 0 ? connections : max(1, connections / nodes)
    }

    /// A look that comes sooner replaces a later one, so that a short wait is not swallowed by a long one.
    private mutating func wake(at time: SteadySeconds) {
        guard time < wakeSetFor ?? .infinity else { return }
        wakeSetFor = time
        newWake = time
    }

    /// What the owner has to set a timer for, told once.
    @usableFromInline
    mutating func takeWake() -> SteadySeconds? {
        guard let wake = newWake else { return nil }
        newWake = nil
        return wake
    }

    mutating func woke(at now: SteadySeconds) {
        // Timers may be early by a rounding.
        if let set = wakeSetFor, set <= now + Self.leastWait { wakeSetFor = nil }
    }

    /// The clock's grain, in seconds.
    private static var leastWait: Double { 0.001 }
}

// Answers.
extension LaneConduct {
    /// What follows from an answer for the lane as a whole.
    struct Consequence {
        var loginProblem: String?
        /// The lane stood open and rests now.
        var beganToRest = false
        /// The lane takes more than before.
        var opened = false
    }

    mutating func answered(_ answer: LaneAnswer, at now: SteadySeconds) -> Consequence {
        let before = governor.opensAt(now) > now
        let wasProbing = governor.isProbing(at: now)
        counts.count(answer, at: now)
        for gate in gates { gate.answered(answer, at: now) }
        var consequence = Consequence()
        switch answer {
        case .accepted:
            governor.accepted(at: now)
            hasReportedLogin = false
            throughput.count(at: now)
        case .refused(let action, let code, let enhanced):
            governor.refused(action, code: code, enhanced: enhanced, at: now)
            throughput.count(at: now)
        case .broken: governor.connectFailed(at: now)
        case .stopped, .unused: governor.permitUnused(at: now)
        case .connectionWasClosed: preconditionFailure("the mail is not answered yet: another connection carries it")
        case .notLoggedIn(let problem):
            governor.loginFailed(problem, at: now)
            isLoggedIn = !needsLogin
            if !hasReportedLogin { consequence.loginProblem = problem }
            hasReportedLogin = true
        }
        let rests = governor.opensAt(now) > now
        consequence.beganToRest = rests && !before
        consequence.opened = !rests && (before || wasProbing && !governor.isProbing(at: now))
        return consequence
    }

    /// A connection of that generation came about, with its login.
    ///
    /// - Returns: whether the lane takes more than before.
    mutating func connected(_ generation: Int) -> Bool {
        guard !isLoggedIn, generation == connectionGeneration else { return false }
        isLoggedIn = true
        return true
    }

    /// Connections are made in another way from now on. A rest for want of one gives way to a probe.
    mutating func reconnected(needsLogin: Bool, at now: SteadySeconds) {
        connectionGeneration += 1
        self.needsLogin = needsLogin
        isLoggedIn = !needsLogin
        hasReportedLogin = false
        governor.reconnects(at: now)
    }
}

// Rules and orders.
extension LaneConduct {
    mutating func follow(_ limits: LaneLimits, _ gates: [any LaneGate], at now: SteadySeconds) {
        self.limits = limits
        self.gates = gates
        governor.setLimits(limits, at: now)
    }

    /// Nil ends the order, and leaves what the lane has brought on itself.
    ///
    /// - Returns: whether that is new.
    @discardableResult
    mutating func obey(_ order: LaneOrder?) -> Bool {
        guard order != nil || self.order != nil, order?.isSame(as: self.order) != true else { return false }
        self.order = order
        if let order, order.action == .suspend {
            governor.suspend(until: order.until, reason: order.reason)
        } else {
            governor.endSuspension()
        }
        return true
    }

    /// Ends what the lane has brought on itself.
    mutating func resume(at now: SteadySeconds) {
        if order?.action != .suspend { governor.resume(at: now) }
    }

    mutating func close() { isClosed = true }
}

// Questions.
extension LaneConduct {
    func state(at now: SteadySeconds) -> LaneState { governor.state(at: now) }

    var permitted: Int { governor.underWay }

    mutating func perSecond(at now: SteadySeconds) -> Double { throughput.perSecond(at: now) }
    /// Mails answered since the lane was made.
    package var answeredCount: Int { throughput.total }

    /// When a mail that comes now may be sent.
    @usableFromInline
    package func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        if let order, order.action == .drain { return order.opensAt(now) }
        return gates.reduce(governor.opensAt(now)) { max($0, $1.opensAt(now)) }
    }

    /// When a rest ends that the lane or a gate has ordered; nil where there is none.
    package func restsUntil(_ now: SteadySeconds) -> SteadySeconds? {
        let opensAt = gates.reduce(governor.opensAt(now)) { max($0, $1.opensAt(now)) }
        return opensAt > now ? opensAt : nil
    }

    func readiness(isIdle: Bool, at now: SteadySeconds) -> LaneReadiness {
        // Other lanes come first: in one that fails, mail ends.
        if let order, order.action == .fail { return .rests(until: order.opensAt(now)) }
        if order != nil { return .rests(until: opensAt(now)) }
        if let until = restsUntil(now) { return .rests(until: until) }
        guard governor.isProbing(at: now) else { return .open }
        return isIdle ? .wantsProbe : .rests(until: now)
    }

    /// Mails that stay while the others are handed over: the probe needs one.
    func kept(at now: SteadySeconds) -> Int { governor.isProbing(at: now) && workers == 0 ? 1 : 0 }

    /// Mail that would wait so long here goes elsewhere.
    @usableFromInline
    func isLong(until opensAt: SteadySeconds, at now: SteadySeconds) -> Bool { opensAt > now + limits.queueSeconds }

    func hasWaitedTooLong(since start: SteadySeconds, at now: SteadySeconds) -> Bool {
        now - start > limits.queueSeconds
    }

    /// Whether so many waiting mails are more than the site takes while a mail may wait.
    @usableFromInline
    mutating func isFull(queued: Int, at now: SteadySeconds) -> Bool {
        // Too little is known of a young lane to turn mail away.
        guard queued >= Self.leastQueue, let pace = throughput.established(at: now) else { return false }
        return Double(queued) / pace > limits.queueSeconds
    }

    @usableFromInline
    mutating func secondsUntilReturn(opensAt: SteadySeconds, at now: SteadySeconds) -> Double {
        overflow.secondsUntilReturn(
            pace: throughput.perSecond(at: now), queueSeconds: limits.queueSeconds, opensAt: opensAt, at: now)
    }

    /// Whether nothing is lost if the lane is forgotten after so many seconds without mail.
    ///
    /// - Parameter learntSeconds: for which what was learnt is worth keeping once a rest is over.
    func mayBeForgotten(unusedFor seconds: Double, pause: Double, learntSeconds: Double, at now: SteadySeconds) -> Bool
    {
        guard workers == 0, !awaitsConnection, governor.opensAt(now) <= now else { return false }
        return seconds >= (governor.state(at: now).condition == .open ? pause : max(pause, learntSeconds))
    }

    private static var leastQueue: Int { 256 }
}

extension LaneGovernor {
    func isProbing(at now: SteadySeconds) -> Bool {
        if isOpen { return false }
        guard case .probing = state(at: now).condition else { return false }
        return true
    }

    /// When the lane may send again; now where it may.
    func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        if isOpen { return now }
        return switch state(at: now).condition {
        case .open, .slowed, .probing: now
        case .backingOff(let until, _): until
        case .suspended(let until, _): until ?? now + Self.suspendedSeconds
        }
    }

    /// Without an end: looked at again before long, in case it is over.
    static var suspendedSeconds: Double { 300 }
}
