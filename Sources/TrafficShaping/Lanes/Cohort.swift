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

    /// - Parameters:
    ///   - underWay: mails sent and not yet answered.
    ///   - seconds: after which a decrease is due even if answers never came.
    /// - Returns: true when limits must fall.
    mutating func refused(underWay: Int, seconds: Double, at now: SteadySeconds) -> Bool {
        successes = 0
        startedAt = now
        if answersToPass > 0, let decreasedAt, now - decreasedAt < seconds { return false }
        answersToPass = underWay
        decreasedAt = now
        return true
    }
}
