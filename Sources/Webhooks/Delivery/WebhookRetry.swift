/// When a message that was not taken is tried again: at once, then after pauses that grow to most of a day, for three days.
struct WebhookRetry: Sendable {
    /// Seconds after the first failure, the second, and so on; the last repeats.
    static let pauses: [Double] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400]
    /// The last try comes so long before the event is given up.
    private static let lastTrySeconds: Int64 = 900
    private static let second: Int64 = 1_000_000

    /// - Parameters:
    ///   - failures: so far, 1 or more.
    ///   - createdAt: when the event happened, in microseconds.
    ///   - now: microseconds.
    ///   - chance: from 0 to 1; it spreads endpoints that failed together.
    /// - Returns: microseconds; nil: given up.
    static func next(afterFailures failures: Int, createdAt: Int64, now: Int64, chance: Double) -> Int64? {
        let end = createdAt + (WebhookLimits.lifetimeSeconds - lastTrySeconds) * second
        guard now < end else { return nil }
        let pause = pauses[min(max(1, failures), pauses.count) - 1] * (0.8 + 0.4 * min(max(0, chance), 1))
        return min(now + Int64(pause * Double(second)), end)
    }
}
