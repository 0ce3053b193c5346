/// When a recipient that was refused for now is tried again. When to give up is the caller's business.
///
/// The wait is random between a least and an upper bound, so that recipients that failed together do not come back
/// together (full jitter). The upper bound doubles with each attempt. All bounds follow from two settings and from why
/// the mail was refused:
///
/// | class | least | upper bound of the first wait | of any wait |
/// |---|---|---|---|
/// | greylisting | ½ base | ¾ base | ¼ maximum |
/// | mailbox full | 6 base | 12 base | maximum |
/// | throttled | 1/20 base | ⅕ base | 1/16 maximum |
/// | blocked | 1½ base | 3 base | maximum |
/// | unreachable | 1/10 base | ½ base | maximum |
/// | other | 1/10 base | base | maximum |
///
/// With the defaults a greylisted mail comes back after 5 to 7½ minutes: five outlast most greylists (RFC 6647 §5).
///
///     let schedule = RetrySchedule(baseSeconds: 600, maximumSeconds: 14_400)
///     schedule.delay(afterAttempt: 1, for: .greylisting, using: &generator)   // 300…450 s
package struct RetrySchedule: Sendable, Hashable {
    package var baseSeconds: Double
    package var maximumSeconds: Double

    /// - Parameters:
    ///   - baseSeconds: upper bound of the first wait of an ordinary refusal.
    ///   - maximumSeconds: upper bound of any wait.
    package init(baseSeconds: Double = 600, maximumSeconds: Double = 14_400) {
        precondition(baseSeconds > 0 && maximumSeconds >= baseSeconds, "a retry schedule runs forward")
        self.baseSeconds = baseSeconds
        self.maximumSeconds = maximumSeconds
    }

    /// Seconds from now until the next attempt.
    /// - Parameter attempt: attempts made so far, 1 or more.
    package func delay(
        afterAttempt attempt: Int, for retryClass: RetryClass = .other,
        using generator: inout some RandomNumberGenerator
    ) -> Double {
        Double.random(in: bounds(afterAttempt: attempt, for: retryClass), using: &generator)
    }

    /// The shortest and the longest wait, in seconds.
    package func bounds(afterAttempt attempt: Int, for retryClass: RetryClass) -> ClosedRange<Double> {
        precondition(attempt >= 1, "only an attempt is followed by a retry")
        let shape = retryClass.shape
        let first = baseSeconds * shape.first
        let longest = max(min(first, maximumSeconds), maximumSeconds * shape.longest)
        let upper = min(longest, first * Double(1 << min(attempt - 1, 32)))
        return min(upper, baseSeconds * shape.least)...upper
    }
}

extension RetryClass {
    /// `least` and `first` as multiples of the base, `longest` as a share of the maximum.
    fileprivate var shape: (least: Double, first: Double, longest: Double) {
        switch self {
        case .greylisting: (1 / 2, 3 / 4, 1 / 4)
        case .mailboxFull: (6, 12, 1)
        case .throttled: (1 / 20, 1 / 5, 1 / 16)
        case .blocked: (3 / 2, 3, 1)
        case .unreachable: (1 / 10, 1 / 2, 1)
        case .other: (1 / 10, 1, 1)
        }
    }
}
