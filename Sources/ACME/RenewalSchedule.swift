/// When a certificate is ordered anew. Chance is a parameter: 0 ..< 1.
package struct RenewalSchedule: Sendable, Hashable {
    /// Before the second try; doubles with each further one.
    package var retrySeconds = 300.0
    /// The longest wait after a failure that the authority has not asked for.
    package var mostRetrySeconds = 43_200.0

    package init() {}

    /// At two thirds of its life, and up to a twentieth of its life earlier, so that installations that began together
    /// do not come together.
    ///
    /// - Returns: in the unit of the arguments
    package func due(notBefore: Int64, notAfter: Int64, chance: Double) -> Int64 {
        let life = Double(max(0, notAfter - notBefore))
        return notBefore + Int64(life * 2 / 3 - life * chance / 20)
    }

    /// Seconds until the next try. With the defaults four tries fail within an hour, which is less than the five that
    /// public authorities allow for a name.
    ///
    /// - Parameters:
    ///   - failures: how many there have been, this one included
    ///   - retryAfter: what the authority asks for, obeyed for up to a week
    package func retry(failures: Int, retryAfter: Double?, chance: Double) -> Double {
        let doubled = retrySeconds * Double(1 << min(max(0, failures - 1), 20))
        let own = min(doubled, mostRetrySeconds) * (0.95 + chance / 10)
        return max(own, min(retryAfter ?? 0, 604_800))
    }
}
