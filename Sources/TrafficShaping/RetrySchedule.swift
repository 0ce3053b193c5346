/// When a recipient that was refused for now is tried again, and when to give up.
///
/// The wait doubles from `base` with each attempt up to `maximum`, and is spread over its upper half, so that
/// recipients that failed together do not come back together.
///
///     let schedule = RetrySchedule(baseSeconds: 300, maximumSeconds: 14_400)
///     schedule.delay(afterAttempt: 1, using: &generator)   // 150…300 s
package struct RetrySchedule: Sendable, Hashable {
    package var baseSeconds: Double
    package var maximumSeconds: Double

    /// - Parameters:
    ///   - baseSeconds: upper bound of the first wait; five minutes outlast most greylists (RFC 6647 §5).
    ///   - maximumSeconds: upper bound of any wait.
    package init(baseSeconds: Double = 600, maximumSeconds: Double = 14_400) {
        precondition(baseSeconds > 0 && maximumSeconds >= baseSeconds, "a retry schedule runs forward")
        self.baseSeconds = baseSeconds
        self.maximumSeconds = maximumSeconds
    }

    /// Seconds from now until the next attempt.
    /// - Parameter attempt: attempts made so far, 1 or more.
    package func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Double {
        precondition(attempt >= 1, "only an attempt is followed by a retry")
        let ceiling = attempt > 32 ? maximumSeconds : min(maximumSeconds, baseSeconds * Double(1 << (attempt - 1)))
        return Double.random(in: ceiling / 2...ceiling, using: &generator)
    }
}
