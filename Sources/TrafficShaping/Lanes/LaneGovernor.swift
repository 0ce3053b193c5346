package import MailTypes

/// Decides how hard a lane presses its site: how many connections, how many mails a second, and when not at all.
///
/// Limits fall by a factor when the site refuses mail for its pace, once for all mails that were under way then, and
/// rise by steps while it accepts, back to the limits of the rule (additive increase, multiplicative decrease, as TCP
/// does: RFC 5681 §3.1). Where no rule limits the rate, the first refusal limits it to a part of what was measured. A
/// suspension ends with one mail over one connection, the probe; its answer opens the lane or suspends it again.
///
/// Each ``permit(at:)`` that says `.now` must be followed by exactly one of ``accepted(at:)``,
/// ``refused(_:code:enhanced:at:)``, ``connectFailed(at:)``, ``loginFailed(_:at:)`` or ``permitUnused(at:)``. The caller
/// asks again at the time it was told, or after any of these events.
///
///     var governor = LaneGovernor(limits: provider.limits)
///     guard case .now = governor.permit(at: now) else { … }
///     governor.refused(provider.action(for: 421, enhanced: nil, text: text), code: 421, enhanced: nil, at: now)
package struct LaneGovernor: Sendable {
    package enum Permit: Sendable, Hashable {
        /// Send one mail.
        case now
        /// Ask again then.
        case at(SteadySeconds)
    }

    private enum State: Sendable {
        case open
        case backingOff(BackOff)
        case probing(Probe)
    }

    private struct BackOff: Sendable {
        var until: SteadySeconds
        var reason: BackOffReason
    }

    private struct Probe: Sendable {
        let reason: BackOffReason
        /// When the mail was permitted, nil before.
        var sentAt: SteadySeconds?
    }

    private struct Suspension: Sendable {
        let until: SteadySeconds?
        let reason: String
    }

    private let policy: GovernorPolicy
    private var limits: LaneLimits
    private var state = State.open
    private var suspension: Suspension?
    private var connections: AdaptiveConnections
    private var pace: AdaptiveRate
    private var cohort = Cohort()
    /// Mails permitted and not yet answered.
    private(set) var underWay = 0
    private var connectFailures = 0
    /// Refusals for the pace since the last mail accepted.
    private var refusals = 0
    /// Refusals about the sender since the last mail accepted.
    private var blocks = 0
    /// Suspensions for trouble since the last mail answered well.
    private var pauses = 0

    package init(limits: LaneLimits, policy: GovernorPolicy = GovernorPolicy()) {
        self.limits = limits
        self.policy = policy
        connections = AdaptiveConnections(ceiling: limits.connections, policy: policy)
        pace = AdaptiveRate(ceiling: limits.rate?.perSecond, policy: policy)
    }
}

// Decisions.
extension LaneGovernor {
    /// Connections worth having open for a queue of this length, those that are open included.
    package mutating func connectionsWanted(forQueued queued: Int, at now: SteadySeconds) -> Int {
        tick(at: now)
        guard suspension == nil else { return 0 }
        switch state {
        case .open:
            var present = limits
            present.connections = connections.count
            return present.connections(forQueued: queued)
        case .backingOff: return 0
        case .probing: return min(1, queued)
        }
    }

    /// Whether one mail may be sent now.
    package mutating func permit(at now: SteadySeconds) -> Permit {
        tick(at: now)
        if let suspension { return .at(suspension.until ?? now + Self.askAgainSeconds) }
        switch state {
        case .backingOff(let backOff): return .at(backOff.until)
        case .probing(let probe):
            if let sentAt = probe.sentAt { return .at(sentAt + policy.probeSeconds) }
            state = .probing(Probe(reason: probe.reason, sentAt: now))
        case .open:
            if let due = pace.take(at: now) { return .at(due) }
        }
        underWay += 1
        return .now
    }

    /// Lets time pass: suspensions end. Every decision does this itself.
    package mutating func tick(at now: SteadySeconds) {
        if let until = suspension?.until, until <= now { suspension = nil }
        switch state {
        case .backingOff(let backOff) where backOff.until <= now:
            state = .probing(Probe(reason: backOff.reason))
        case .probing(let probe):
            if let sentAt = probe.sentAt, sentAt + policy.probeSeconds <= now {
                state = .probing(Probe(reason: probe.reason))
            }
        default: break
        }
    }

    /// What the lane would tell an operator.
    package func state(at now: SteadySeconds) -> LaneState {
        var copy = self
        copy.tick(at: now)
        return LaneState(condition: copy.condition, connections: connections.count, ratePerSecond: pace.rate)
    }

    /// Neither rests nor probes, whatever time it is.
    var isOpen: Bool {
        if suspension == nil, case .open = state { true } else { false }
    }

    /// Goes no slower than its rule allows, either.
    package var isUnhindered: Bool { isOpen && !connections.isBelowCeiling && !pace.isBelowCeiling }

    /// The most seconds until a suspended lane is asked again.
    private static var askAgainSeconds: Double { 60 }

    private var condition: LaneState.Condition {
        if let suspension { return .suspended(until: suspension.until, reason: suspension.reason) }
        switch state {
        case .open: return isUnhindered ? .open : .slowed
        case .backingOff(let backOff): return .backingOff(until: backOff.until, backOff.reason)
        case .probing(let probe): return .probing(probe.reason)
        }
    }
}

// Events.
extension LaneGovernor {
    /// A mail was accepted.
    package mutating func accepted(at now: SteadySeconds) {
        tick(at: now)
        answered()
        pace.answered(at: now)
        refusals = 0
        blocks = 0
        siteIsWell(at: now)
        guard case .open = state else { return }
        if cohort.accepted(size: connections.count, seconds: policy.cohortSeconds, at: now) {
            connections.increase()
            pace.increase(at: now)
        }
    }

    /// A mail was refused, for now or for good.
    /// - Parameter action: what the provider's rules say of the reply; nil says nothing about the lane.
    package mutating func refused(
        _ action: ReplyAction?, code: Int, enhanced: EnhancedStatusCode?, at now: SteadySeconds
    ) {
        pace.answered(at: now)
        react(to: action, code: code, enhanced: enhanced, at: now)
        answered()
    }

    /// The server closed a connection by itself or refused it with a reply, while no mail was under way on it.
    package mutating func closed(
        _ action: ReplyAction?, code: Int, enhanced: EnhancedStatusCode?, at now: SteadySeconds
    ) {
        react(to: action, code: code, enhanced: enhanced, at: now, isAboutMail: false)
    }

    /// A connection is ready for mail. That ends a row of failures, though not a probe.
    package mutating func connected(at now: SteadySeconds) {
        connectFailures = 0
    }

    /// No connection could be made for a permitted mail, or it broke without a reply.
    package mutating func connectFailed(at now: SteadySeconds) {
        tick(at: now)
        answered()
        connectFailures += 1
        switch state {
        case .backingOff: break
        case .probing: pause(.unreachable, at: now)
        case .open where connectFailures >= policy.connectFailuresBeforePause: pause(.unreachable, at: now)
        case .open: break
        }
    }

    /// The smarthost did not let us log in. No other mail would fare better, so the lane rests at once, and a single mail
    /// tries again: a server that sees many failures may lock the account.
    ///
    /// - Parameter problem: for operators, without credentials.
    package mutating func loginFailed(_ problem: String, at now: SteadySeconds) {
        tick(at: now)
        answered()
        if case .backingOff = state { return }
        pause(.login(problem), at: now)
    }

    /// A permitted mail was not sent after all.
    package mutating func permitUnused(at now: SteadySeconds) {
        answered()
        switch state {
        case .probing(let probe): state = .probing(Probe(reason: probe.reason))
        case .open: pace.giveBack()
        case .backingOff: break
        }
    }

    /// Somebody else has learnt that the site wants nothing until then.
    package mutating func rest(until: SteadySeconds, _ reason: BackOffReason, at now: SteadySeconds) {
        tick(at: now)
        guard until > now else { return }
        backOff(until: until, reason)
    }

    /// Stops the lane until `until`, or until it is resumed.
    package mutating func suspend(until: SteadySeconds? = nil, reason: String) {
        suspension = Suspension(until: until, reason: reason)
    }

    /// Ends an operator's hold alone.
    package mutating func endSuspension() { suspension = nil }

    /// Ends an operator's hold and any suspension; the limits stay as low as they are.
    package mutating func resume(at now: SteadySeconds) {
        suspension = nil
        open()
    }

    /// Connections are made in another way from now on. A rest for want of a connection or a login is over: a single mail
    /// finds out whether the new way is better.
    package mutating func reconnects(at now: SteadySeconds) {
        tick(at: now)
        connectFailures = 0
        switch state {
        case .backingOff(let backOff) where backOff.reason.isAboutConnecting:
            state = .probing(Probe(reason: backOff.reason))
            pauses = 0
        case .probing(let probe) where probe.reason.isAboutConnecting: pauses = 0
        case .open, .backingOff, .probing: break
        }
    }

    /// The rules were read anew.
    package mutating func setLimits(_ limits: LaneLimits, at now: SteadySeconds) {
        self.limits = limits
        connections.setCeiling(limits.connections)
        pace.setCeiling(limits.rate?.perSecond, at: now)
    }
}

// Consequences.
extension LaneGovernor {
    private mutating func react(
        to action: ReplyAction?, code: Int, enhanced: EnhancedStatusCode?, at now: SteadySeconds,
        isAboutMail: Bool = true
    ) {
        tick(at: now)
        connectFailures = 0
        switch action {
        case .slowDown: slowDown(at: now)
        case .suspend(let seconds), .rotateSource(let seconds):
            decrease(at: now)
            backOff(until: now + seconds, .reply(code: code, enhanced))
        case .block: blocked(.blocked(code: code, enhanced), at: now)
        case .bounce, .retry, .markMailbox, .ignore, nil:
            if isAboutMail { siteIsWell(at: now) }
        }
    }

    private mutating func slowDown(at now: SteadySeconds) {
        refusals += 1
        switch state {
        case .backingOff: return
        case .probing: pause(.refusing, at: now)
        case .open:
            decrease(at: now)
            if refusals >= max(policy.refusalsBeforePause, 2 * connections.count) { pause(.refusing, at: now) }
        }
    }

    /// A block says nothing of the pace, so the limits stay as they are.
    private mutating func blocked(_ reason: BackOffReason, at now: SteadySeconds) {
        blocks += 1
        switch state {
        case .backingOff: return
        case .probing: break
        case .open: guard blocks >= limits.blocksBeforePause else { return }
        }
        pause(
            reason, first: policy.firstBlockPauseSeconds, longest: policy.maximumBlockPauseSeconds, at: now)
    }

    /// Once for all mails that were under way at the last decrease: they all went at the old pace.
    private mutating func decrease(at now: SteadySeconds) {
        if case .backingOff = state { return }
        guard cohort.refused(underWay: underWay, policy, at: now) else { return }
        connections.decrease(underWay: underWay)
        pace.decrease(at: now)
    }

    private mutating func answered() {
        underWay = max(0, underWay - 1)
        cohort.answered()
    }

    /// The site answers mail as it should: a probe has succeeded.
    private mutating func siteIsWell(at now: SteadySeconds) {
        connectFailures = 0
        guard case .probing = state else { return }
        open()
        cohort = Cohort()
    }

    private mutating func open() {
        state = .open
        pauses = 0
        refusals = 0
        blocks = 0
        connectFailures = 0
    }

    private mutating func pause(_ reason: BackOffReason, at now: SteadySeconds) {
        pause(reason, first: policy.firstPauseSeconds, longest: policy.maximumPauseSeconds, at: now)
    }

    private mutating func pause(
        _ reason: BackOffReason, first: Double, longest: Double, at now: SteadySeconds
    ) {
        let seconds = min(longest, first * Double(1 << min(pauses, 20)))
        pauses += 1
        backOff(until: now + seconds, reason)
    }

    private mutating func backOff(until: SteadySeconds, _ reason: BackOffReason) {
        if case .backingOff(let present) = state, present.until >= until { return }
        state = .backingOff(BackOff(until: until, reason: reason))
    }
}
