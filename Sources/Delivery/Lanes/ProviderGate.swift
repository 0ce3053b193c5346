import Synchronization
import TrafficShaping

/// What all lanes of one provider from one source keep to together: ``ProviderGovernor`` behind a lock, and the rate that
/// all nodes share.
///
/// Lanes that wait for a connection are told of one from a task of its own: who has no use for it gives it back, so that
/// many would call each other in depth.
final class ProviderGate: LaneGate {
    private struct State {
        var governor: ProviderGovernor<ObjectIdentifier>
        var rate: SiteRate?
        var waiting: [ObjectIdentifier: any LaneGateUser] = [:]
        /// Lanes that have been granted a connection and are to be told.
        var granted: [any LaneGateUser] = []
        /// A look to be set.
        var newLook: SteadySeconds?
        /// The look that is set, or to be set.
        var looksAt: SteadySeconds?
        /// Until when another node has found the provider closed.
        var heardRestUntil: SteadySeconds = 0
        /// Nodes that have not heard of an operator's resume yet may still tell of the rest.
        var isDeafUntil: SteadySeconds = 0
    }

    private let state: Mutex<State>
    private let clock: DeliveryClock
    private let fleet: FleetState
    private let isShared: Bool

    /// - Parameters:
    ///   - rate: that all nodes keep together; nil where there is none.
    ///   - isShared: whether other nodes press the provider from the same source.
    init(
        limits: LaneLimits, policy: GovernorPolicy, rate: SiteRate?, isShared: Bool, fleet: FleetState,
        clock: DeliveryClock
    ) {
        state = Mutex(State(governor: ProviderGovernor(limits: limits, policy: policy), rate: rate))
        self.isShared = isShared
        self.fleet = fleet
        self.clock = clock
    }

    // MARK: A lane asks

    func permit(forQueued queued: Int, at now: SteadySeconds) -> LaneGovernor.Permit {
        let rate = state.withLock(\.rate)
        if case .at(let due) = rate?.permit(forQueued: queued, at: now) { return .at(due) }
        return state.withLock { $0.governor.permit(at: now) }
    }

    func answered(_ answer: LaneAnswer, at _: SteadySeconds) { decide { $0.answered(answer, at: $1) } }

    func opensAt(_ now: SteadySeconds) -> SteadySeconds { state.withLock { $0.governor.opensAt(now) } }

    func state(at now: SteadySeconds) -> LaneState? { state.withLock { $0.governor.state(at: now) } }

    func takeConnection(for lane: any LaneGateUser) -> Bool {
        let now = clock.steady()
        let key = ObjectIdentifier(lane)
        let isTaken = state.withLock { state in
            state.governor.nodes = isShared ? fleet.nodes : 1
            guard !state.governor.takeConnection(for: key, at: now) else { return true }
            state.waiting[key] = lane
            return false
        }
        // What it waits for may be time alone.
        if !isTaken { update { _, _ in } }
        return isTaken
    }

    func giveBackConnection() { update { governor, _ in governor.giveBackConnection() } }

    func stopWaiting(_ lane: any LaneGateUser) {
        let key = ObjectIdentifier(lane)
        state.withLock { state in
            state.governor.stopWaiting(key)
            state.waiting[key] = nil
        }
    }

    var othersWait: Bool { state.withLock { $0.governor.waitingCount > 0 } }

    // MARK: Others decide

    /// Rules were read anew.
    func follow(_ limits: LaneLimits, _ rate: SiteRate?) {
        state.withLock { $0.rate = rate }
        update { $0.setLimits(limits, at: $1) }
    }

    /// An operator ends what the provider's answers have brought about.
    func resume() {
        let now = clock.steady()
        state.withLock { $0.isDeafUntil = now + Self.deafSeconds }
        update { $0.resume(at: $1) }
    }

    private static let deafSeconds = 10.0

    /// A rest that this node's own mail has led to.
    var ownRest: (seconds: Double, reason: BackOffReason)? {
        let now = clock.steady()
        return state.withLock { state in
            guard case .backingOff(let until, let reason) = state.governor.state(at: now).condition,
                until > state.heardRestUntil + Self.grain
            else { return nil }
            return (until - now, reason)
        }
    }

    /// Another node has found the provider closed for so long.
    func hear(restFor seconds: Double, _ reason: BackOffReason) {
        let now = clock.steady()
        state.withLock { state in
            guard now >= state.isDeafUntil else { return }
            state.heardRestUntil = max(state.heardRestUntil, now + seconds)
            state.governor.learn(restUntil: now + seconds, reason, at: now)
        }
    }

    /// What goes to the database and comes back differs by the way, in seconds.
    private static let grain = 2.0

    // MARK: Carrying out

    private func update(_ change: (inout ProviderGovernor<ObjectIdentifier>, SteadySeconds) -> Void) {
        decide(change)
        carryOut()
    }

    private func decide(_ change: (inout ProviderGovernor<ObjectIdentifier>, SteadySeconds) -> Void) {
        let now = clock.steady()
        state.withLock { state in
            change(&state.governor, now)
            state.granted += state.governor.grants(at: now).compactMap { state.waiting.removeValue(forKey: $0) }
            guard let look = state.governor.nextLook(now), look < state.looksAt ?? .infinity else { return }
            (state.looksAt, state.newLook) = (look, look)
        }
    }

    func carryOut() {
        let (granted, look, rate) = state.withLock { state in
            defer { (state.granted, state.newLook) = ([], nil) }
            return (state.granted, state.newLook, state.rate)
        }
        rate?.carryOut()
        if !granted.isEmpty { Task { for lane in granted { lane.connectionGranted() } } }
        if let look { lookAgain(at: look, in: look - clock.steady()) }
    }

    private func lookAgain(at time: SteadySeconds, in seconds: Double) {
        Task { [weak self] in
            try? await Task.sleep(for: .seconds(max(0.001, seconds)))
            guard let self else { return }
            self.state.withLock { if $0.looksAt == time { $0.looksAt = nil } }
            self.update { _, _ in }
        }
    }
}
