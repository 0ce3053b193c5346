/// What a lane keeps to besides its own governor: a limit that it shares with other lanes, such as those of one provider.
///
/// Asked and told inside the lane's lock, where it only decides; what follows is done in ``carryOut()``, which the lane
/// calls once it has left its lock.
package protocol LaneGate: Sendable {
    /// Whether one mail may go now. `.now` is followed by exactly one ``answered(_:at:)``.
    ///
    /// - Parameter queued: mails that wait in the asking lane.
    func permit(forQueued queued: Int, at now: SteadySeconds) -> LaneGovernor.Permit
    /// How a mail ended that this gate let through. ``LaneAnswer/unused``: it was not sent after all.
    func answered(_ answer: LaneAnswer, at now: SteadySeconds)
    /// Does what has followed from questions and answers since the last time. Called outside of all locks, after each.
    func carryOut()
    /// When the gate lets mail through again; `now` where it does.
    func opensAt(_ now: SteadySeconds) -> SteadySeconds
    /// Takes one connection. Where there is none, the lane is told by ``LaneGateUser/connectionGranted()`` once one is
    /// free, in turn; it is then taken for it. A lane waits once at a time.
    func takeConnection(for lane: any LaneGateUser) -> Bool
    /// Gives a connection back that is closed.
    func giveBackConnection()
    /// The lane waits no more.
    func stopWaiting(_ lane: any LaneGateUser)
    /// Lanes wait for a connection.
    var othersWait: Bool { get }
    /// What an operator is told of the gate; nil where that is nothing.
    func state(at now: SteadySeconds) -> LaneState?
}

extension LaneGate {
    package func answered(_: LaneAnswer, at _: SteadySeconds) {}
    package func carryOut() {}
    package func opensAt(_ now: SteadySeconds) -> SteadySeconds { now }
    package func takeConnection(for _: any LaneGateUser) -> Bool { true }
    package func giveBackConnection() {}
    package func stopWaiting(_: any LaneGateUser) {}
    package var othersWait: Bool { false }
    package func state(at _: SteadySeconds) -> LaneState? { nil }
}

/// A lane, as a gate sees it.
package protocol LaneGateUser: AnyObject, Sendable {
    /// A connection has come free and is taken for this lane, which uses it or gives it back. Called outside of all locks.
    func connectionGranted()
}
