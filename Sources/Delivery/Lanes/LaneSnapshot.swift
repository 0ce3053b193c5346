import TrafficShaping

/// What a lane looks like at one moment.
struct LaneSnapshot: Sendable {
    let id: LaneID
    let state: LaneState
    /// The time that ``state`` counts from.
    let at: SteadySeconds
    /// Mails that wait for a connection, ready or not.
    let queued: Int
    let workers: Int
    let connections: Int
    /// Mails answered a second, over the last seconds.
    let perSecond: Double
    /// Mails answered since the lane was made.
    let answered: Int
    let counts: LaneCounts
    let order: LaneOrder?
}
