/// Lets through `rate` events a second, and `burst` at once after a rest: never more than rate × t + burst in any t
/// seconds.
package struct TokenBucket: Sendable, Hashable {
    /// Tokens added a second.
    package private(set) var rate: Double
    /// The most tokens that are saved up, 1 or more.
    package private(set) var burst: Double
    private var tokens: Double
    private var updatedAt: SteadySeconds?

    /// A full bucket.
    /// - Parameter burst: one second's worth, at least 1, where not given, so that an hourly limit comes evenly and not
    ///   at once.
    package init(rate: Double, burst: Double? = nil) {
        precondition(rate > 0 && rate.isFinite, "a bucket that never fills is a suspension")
        self.rate = rate
        self.burst = max(1, burst ?? rate)
        tokens = self.burst
    }

    /// Takes one token.
    /// - Returns: nil when it was there, otherwise the time at which there will be one; nothing is taken then.
    package mutating func take(at now: SteadySeconds) -> SteadySeconds? {
        refill(at: now)
        guard tokens < 1 else {
            tokens -= 1
            return nil
        }
        return now + (1 - tokens) / rate
    }

    /// Takes as many whole tokens as there are, up to `wanted`.
    package mutating func take(upTo wanted: Int, at now: SteadySeconds) -> Int {
        refill(at: now)
        let taken = max(0, min(wanted, Int(tokens)))
        tokens -= Double(taken)
        return taken
    }

    /// Puts unused tokens back; what exceeds the burst is lost.
    package mutating func giveBack(_ count: Int) {
        tokens = min(burst, tokens + Double(count))
    }

    /// Changes the pace from now on; what was saved up stays, up to the new burst.
    package mutating func setRate(_ rate: Double, burst: Double? = nil, at now: SteadySeconds) {
        refill(at: now)
        let full = TokenBucket(rate: rate, burst: burst)
        self.rate = full.rate
        self.burst = full.burst
        tokens = min(tokens, full.burst)
    }

    private mutating func refill(at now: SteadySeconds) {
        if let updatedAt, now > updatedAt { tokens = min(burst, tokens + (now - updatedAt) * rate) }
        // Within a billionth of a token: the sum of many small waits must reach a whole one at the promised time.
        if abs(tokens.rounded() - tokens) < 1e-9 { tokens.round() }
        updatedAt = max(now, updatedAt ?? now)
    }
}
