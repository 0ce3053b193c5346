package import MailTypes

/// What a lane's site has answered since the lane was made.
package struct LaneCounts: Sendable, Hashable {
    package struct Refusal: Sendable, Hashable {
        package let code: Int
        package let enhanced: EnhancedStatusCode?
        package let at: SteadySeconds
    }

    package private(set) var accepted = 0
    /// Refused for now.
    package private(set) var deferred = 0
    /// Refused for good.
    package private(set) var bounced = 0
    /// No connection, or one that broke without an answer.
    package private(set) var broken = 0
    package private(set) var lastRefusal: Refusal?

    mutating func count(_ answer: LaneAnswer, at now: SteadySeconds) {
        switch answer {
        case .accepted: accepted += 1
        case .refused(_, let code, let enhanced):
            if (400..<500).contains(code) { deferred += 1 } else { bounced += 1 }
            if code != 0 { lastRefusal = Refusal(code: code, enhanced: enhanced, at: now) }
        case .broken, .notLoggedIn: broken += 1
        case .stopped, .unused, .connectionWasClosed: break
        }
    }
}
