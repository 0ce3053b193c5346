/// When mail comes back that a lane sent to the store: spread over the time that its site will need for it.
struct Overflow: Sendable {
    /// When the mail that was sent back last is to come back.
    private var until: SteadySeconds = 0

    /// - Parameters:
    ///   - pace: mails a second that the site takes, as far as is known.
    ///   - opensAt: when the lane, or another in its place, takes mail again.
    /// - Returns: seconds from now for one mail more.
    mutating func secondsUntilReturn(
        pace: Double, queueSeconds: Double, opensAt: SteadySeconds, at now: SteadySeconds
    ) -> Double {
        let start = max(now + queueSeconds, opensAt)
        until = max(until, start) + 1 / max(pace, Self.leastPace)
        return min(until - now, Self.mostSeconds + max(0, opensAt - now))
    }

    /// Mails a second that any site is trusted to take, for estimates only.
    private static let leastPace = 1.0
    private static let mostSeconds = 900.0
}
