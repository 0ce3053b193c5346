/// The connections of a lane: what its rule allows, fewer after refusals, never less than one.
struct AdaptiveConnections: Sendable {
    private let policy: GovernorPolicy
    private var ceiling: Int
    private(set) var count: Int
    /// The number that was last refused.
    private var refused: Int?
    /// Steps left to stay below it.
    private var stepsBelow = 0

    init(ceiling: Int, policy: GovernorPolicy) {
        self.policy = policy
        self.ceiling = ceiling
        count = ceiling
    }

    var isBelowCeiling: Bool { count < ceiling }

    /// A cohort of mails was accepted.
    mutating func increase() {
        guard isBelowCeiling else { return }
        if let refused, count + 1 >= refused {
            stepsBelow -= 1
            guard stepsBelow <= 0 else { return }
            self.refused = nil
        }
        count += 1
    }

    /// - Parameter underWay: mails on connections at the moment. What the site refused was that many rather than the
    ///   limit; yet one answer halves the limit at most, before the factor.
    mutating func decrease(underWay: Int) {
        let present = max(min(count, underWay), count / 2, 1)
        refused = present
        stepsBelow = policy.stepsBelowRefused
        count = max(1, Int(Double(present) * policy.decreaseFactor))
    }

    mutating func setCeiling(_ ceiling: Int) {
        count = isBelowCeiling ? min(count, ceiling) : ceiling
        self.ceiling = ceiling
    }
}
