import DequeModule

/// Decides how hard all lanes together press one provider from one source: who of them has a connection, whether a mail
/// may go now, and when not at all. For providers that name the hosts of each customer differently, so that each domain
/// is a lane of its own, while limits, blocks and standing are the provider's.
///
/// What a single lane is to its site, a ``LaneGovernor``, all of them are to the provider; beside it stands a queue of
/// lanes that wait for a connection. Each gets one in its turn.
///
/// Promises: connections in use never exceed what the provider allows at the moment they are taken; a member that waits is
/// named once, in order, by ``grants(at:)`` as soon as there is a connection for it; between two looks at it nothing that
/// could be granted is left, if the owner looks again at ``nextLook(_:)``.
package struct ProviderGovernor<Member: Hashable & Sendable>: Sendable {
    private var governor: LaneGovernor
    private var inUse = 0
    /// Places in the order in which they were taken; those given up are passed over when their turn comes.
    private var queue = Deque<(member: Member, place: Int)>()
    private var waiting: [Member: Int] = [:]
    private var nextPlace = 0
    /// Nodes that press the provider from the same source's limits, this one included.
    package var nodes = 1

    package init(limits: LaneLimits, policy: GovernorPolicy) {
        governor = LaneGovernor(limits: limits, policy: policy)
    }

    /// For tests.
    package var connectionsInUse: Int { inUse }
    package var waitingCount: Int { waiting.count }

    // MARK: Connections

    /// - Returns: whether the member has a connection now. If not, it waits in turn; one that waits already keeps its place.
    package mutating func takeConnection(for member: Member, at now: SteadySeconds) -> Bool {
        if waiting.isEmpty && inUse < limit(at: now) {
            inUse += 1
            return true
        }
        guard waiting[member] == nil else { return false }
        waiting[member] = nextPlace
        queue.append((member, nextPlace))
        nextPlace += 1
        return false
    }

    /// A connection is closed.
    package mutating func giveBackConnection() {
        precondition(inUse > 0, "a connection is given back once")
        inUse -= 1
    }

    /// The member waits no more.
    package mutating func stopWaiting(_ member: Member) {
        waiting[member] = nil
        if waiting.isEmpty { queue.removeAll() }
    }

    /// Members that have waited and have a connection now, which is taken for them.
    package mutating func grants(at now: SteadySeconds) -> [Member] {
        guard !waiting.isEmpty else { return [] }
        let limit = limit(at: now)
        var granted: [Member] = []
        while inUse < limit, let (member, place) = queue.popFirst() {
            guard waiting[member] == place else { continue }
            waiting[member] = nil
            inUse += 1
            granted.append(member)
        }
        return granted
    }

    /// When time alone may bring a connection to those that wait; nil where nobody waits, or only for others to give one
    /// back.
    package func nextLook(_ now: SteadySeconds) -> SteadySeconds? {
        guard !waiting.isEmpty else { return nil }
        let opensAt = governor.opensAt(now)
        return opensAt > now ? opensAt : nil
    }

    private mutating func limit(at now: SteadySeconds) -> Int {
        let all = governor.connectionsWanted(forQueued: Self.longQueue, at: now)
        return all == 0 ? 0 : max(1, all / nodes)
    }

    private static var longQueue: Int { 1_000_000 }

    // MARK: Mails

    /// Whether one mail may go now; `.now` is followed by one ``answered(_:at:)``.
    package mutating func permit(at now: SteadySeconds) -> LaneGovernor.Permit { governor.permit(at: now) }

    /// A mail that was permitted has ended so. That one customer's host cannot be reached says nothing of the provider.
    package mutating func answered(_ answer: LaneAnswer, at now: SteadySeconds) {
        switch answer {
        case .accepted: governor.accepted(at: now)
        case .refused(let action, let code, let enhanced):
            governor.refused(action, code: code, enhanced: enhanced, at: now)
        case .broken, .stopped, .notLoggedIn, .unused, .connectionWasClosed: governor.permitUnused(at: now)
        }
    }

    // MARK: Rests

    /// When mail may go again; `now` where it may.
    package func opensAt(_ now: SteadySeconds) -> SteadySeconds { governor.opensAt(now) }

    package func state(at now: SteadySeconds) -> LaneState { governor.state(at: now) }

    /// Another node has found the provider closed to the source until then.
    package mutating func learn(restUntil until: SteadySeconds, _ reason: BackOffReason, at now: SteadySeconds) {
        governor.rest(until: until, reason, at: now)
    }

    /// An operator ends what the provider's answers have brought about.
    package mutating func resume(at now: SteadySeconds) { governor.resume(at: now) }

    package mutating func setLimits(_ limits: LaneLimits, at now: SteadySeconds) { governor.setLimits(limits, at: now) }
}
