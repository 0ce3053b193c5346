/// Mails answered a second, over windows of some seconds.
struct Throughput: Sendable {
    private static let window = 5.0
    private var windowStart: SteadySeconds?
    private var inWindow = 0
    private var lastRate: Double?
    private(set) var total = 0

    mutating func count(at now: SteadySeconds) {
        roll(to: now)
        // Not before: a lane at which somebody only looks would be taken for a site that takes nothing.
        if windowStart == nil { windowStart = now }
        inWindow += 1
        total += 1
    }

    mutating func rest() {
        windowStart = nil
        lastRate = nil
        inWindow = 0
    }

    mutating func perSecond(at now: SteadySeconds) -> Double {
        roll(to: now)
        guard let windowStart else { return 0 }
        let elapsed = max(now - windowStart, 0.1)
        return lastRate ?? Double(inWindow) / elapsed
    }

    /// Nil until a whole window was measured.
    mutating func established(at now: SteadySeconds) -> Double? {
        roll(to: now)
        return lastRate.map { max($0, 0.1) }
    }

    private mutating func roll(to now: SteadySeconds) {
        guard let start = windowStart, now - start >= Self.window else { return }
        lastRate = Double(inWindow) / (now - start)
        inWindow = 0
        windowStart = now
    }
}
