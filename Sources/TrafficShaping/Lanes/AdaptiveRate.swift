import Foundation

/// The mails a second of a lane: what its rule allows, less after refusals, measured where no rule says.
struct AdaptiveRate: Sendable {
    private let policy: GovernorPolicy
    private var ceiling: Double?
    private var bucket: TokenBucket?
    private var meter = RateMeter()
    /// The rate before the last decrease: up to it the rate rises in even steps, beyond it by growing ones.
    private var peak = 0.0
    /// At this rate a limit that no rule asks for ends.
    private var endsAt = Double.infinity
    private var hasRisenSinceDecrease = true

    init(ceiling: Double?, policy: GovernorPolicy) {
        self.policy = policy
        self.ceiling = ceiling
        bucket = ceiling.map { TokenBucket(rate: $0) }
    }

    /// The present limit, nil without one.
    var rate: Double? { bucket?.rate }

    var isBelowCeiling: Bool {
        guard let rate else { return false }
        return rate < ceiling ?? .infinity
    }

    /// - Returns: nil when one mail may go now, otherwise when it may.
    mutating func take(at now: SteadySeconds) -> SteadySeconds? { bucket?.take(at: now) }

    mutating func giveBack() { bucket?.giveBack(1) }

    /// A mail was accepted or refused.
    mutating func answered(at now: SteadySeconds) { meter.count(at: now) }

    /// A cohort of mails was accepted.
    mutating func increase(at now: SteadySeconds) {
        hasRisenSinceDecrease = true
        guard let rate, isBelowCeiling else { return }
        let next = rate < peak ? rate + peak * policy.rateStep : rate * policy.rateGrowth
        if ceiling == nil && next >= endsAt {
            bucket = nil
        } else {
            bucket?.setRate(min(next, ceiling ?? .infinity), at: now)
        }
    }

    mutating func decrease(at now: SteadySeconds) {
        let present = min(rate ?? .infinity, max(policy.minimumRate, meter.rate(at: now)))
        // In a row of decreases the first one saw the pace that the site could not bear.
        if hasRisenSinceDecrease { peak = present }
        hasRisenSinceDecrease = false
        if ceiling == nil && bucket == nil { endsAt = present * policy.rateEndsAtMultiple }
        let floor = min(policy.minimumRate, ceiling ?? .infinity)
        let lowered = max(floor, present * policy.decreaseFactor)
        if bucket == nil { bucket = TokenBucket(rate: lowered) }
        bucket?.setRate(lowered, burst: 1, at: now)
    }

    mutating func setCeiling(_ ceiling: Double?, at now: SteadySeconds) {
        // What was used up stays so.
        guard ceiling != self.ceiling else { return }
        let wasBelow = isBelowCeiling
        self.ceiling = ceiling
        guard wasBelow, let rate else {
            bucket = ceiling.map { TokenBucket(rate: $0) }
            return
        }
        if let ceiling { bucket?.setRate(min(rate, ceiling), at: now) }
    }
}

/// Events a second over the last few, older ones counting less.
private struct RateMeter: Sendable {
    /// Seconds over which an event's weight falls to 1/e.
    private static let memorySeconds = 5.0
    private var weight = 0.0
    private var updatedAt: SteadySeconds?
    private var startedAt: SteadySeconds?

    mutating func count(at now: SteadySeconds) {
        decay(to: now)
        if startedAt == nil { startedAt = now }
        weight += 1
    }

    /// As if the time before the first event had not been, so that a young meter does not report too little.
    func rate(at now: SteadySeconds) -> Double {
        var copy = self
        copy.decay(to: now)
        guard let startedAt = copy.startedAt else { return 0 }
        let span = Self.memorySeconds * (1 - exp(-max(1, now - startedAt) / Self.memorySeconds))
        return copy.weight / span
    }

    private mutating func decay(to now: SteadySeconds) {
        if let updatedAt, now > updatedAt { weight *= exp(-(now - updatedAt) / Self.memorySeconds) }
        if weight < 0.01 { startedAt = nil }
        updatedAt = max(now, updatedAt ?? now)
    }
}
