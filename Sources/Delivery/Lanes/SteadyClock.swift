import TrafficShaping

/// The clock of lanes.
enum SteadyClock {
    private static let origin = ContinuousClock.now
    static var now: SteadySeconds {
        let (seconds, attoseconds) = (ContinuousClock.now - origin).components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
