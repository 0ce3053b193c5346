/// Waiting times that double from try to try, each drawn from the upper half of its range, so that those who failed
/// together do not come back together.
struct RetryBackoff {
    let base: Duration
    let limit: Duration

    /// - Parameter attempt: 0 for the wait after the first failure.
    func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let ceiling = min(limit, base * (1 << min(attempt, 20)))
        return ceiling * Double.random(in: 0.5...1, using: &generator)
    }

    func delay(attempt: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(attempt: attempt, using: &generator)
    }

    static let transaction = RetryBackoff(base: .milliseconds(10), limit: .milliseconds(500))
    static let connecting = RetryBackoff(base: .milliseconds(50), limit: .seconds(1))
    static let migrating = RetryBackoff(base: .milliseconds(250), limit: .seconds(1))
}
