/// Groups answers, so that limits change once for mails that were sent at the same pace.
struct Cohort: Sendable {
    private var startedAt: SteadySeconds?
    private var successes = 0
    /// Mails of the last decrease that are still to be answered.
    private var answersToPass = 0
    private var decreasedAt: SteadySeconds?

    /// A permitted mail has ended in some way.
    mutating func answered() {
        answersToPass = max(0, answersToPass - 1)
    }

    /// - Returns: true when the cohort is complete and limits may rise.
    mutating func accepted(size: Int, seconds: Double, at now: SteadySeconds) -> Bool {
        successes += 1
        let start = startedAt ?? now
        startedAt = start
        guard successes >= size, now - start >= seconds else { return false }
        successes = 0
        startedAt = now
        return true
    }

    /// - Parameter underWay: mails sent and not yet answered.
    /// - Returns: true when limits must fall: once for mails sent at the same pace, though not much later if their
    ///   answers never come.
    mutating func refused(underWay: Int, _ policy: GovernorPolicy, at now: SteadySeconds) -> Bool {
        successes = 0
        startedAt = now
        if let decreasedAt {
            let elapsed = now - decreasedAt
            if elapsed < policy.decreaseSeconds || answersToPass > 0 && elapsed < policy.cohortSeconds { return false }
        }
        answersToPass = underWay
        decreasedAt = now
        return true
    }
}
