package import MailTypes

/// How a lane stands, for operators and metrics.
package struct LaneState: Sendable, Hashable {
    package enum Condition: Sendable, Hashable {
        case open
        /// Below the limits of its rule.
        case slowed
        case backingOff(until: SteadySeconds, BackOffReason)
        /// One mail finds out whether the site takes mail again.
        case probing(BackOffReason)
        /// - Parameter until: nil until somebody resumes it.
        case suspended(until: SteadySeconds?, reason: String)
    }

    package let condition: Condition
    /// Connections allowed when the lane is open.
    package let connections: Int
    /// Mails a second allowed when the lane is open, nil without a limit.
    package let ratePerSecond: Double?

    /// What an operator is told of a lane behind a gate: the gate's state where that is what keeps the lane.
    package func behind(_ gate: LaneState?) -> LaneState {
        switch (condition, gate?.condition) {
        case (.open, .backingOff), (.open, .probing), (.slowed, .backingOff), (.slowed, .probing): gate ?? self
        default: self
        }
    }
}

package enum BackOffReason: Sendable, Hashable, CustomStringConvertible {
    /// A rule answers this reply so.
    case reply(code: Int, EnhancedStatusCode?)
    /// No connection could be made several times in a row.
    case unreachable
    /// Mail was refused for what the sender is, does or sends.
    case blocked(code: Int, EnhancedStatusCode?)
    /// Every mail was refused for its pace several times in a row.
    case refusing
    /// The smarthost refuses our login, or wants one. The text says how, without credentials.
    case login(String)

    /// The reply that decided; nil where none did.
    package var reply: (code: Int, enhanced: EnhancedStatusCode?)? {
        switch self {
        case .reply(let code, let enhanced), .blocked(let code, let enhanced): (code, enhanced)
        case .unreachable, .refusing, .login: nil
        }
    }

    var isAboutConnecting: Bool {
        switch self {
        case .unreachable, .login: true
        case .reply, .refusing, .blocked: false
        }
    }

    package var description: String {
        switch self {
        case .reply(let code, let enhanced): "reply \(code)\(enhanced.map { " \($0)" } ?? "")"
        case .blocked(let code, let enhanced): "blocked: reply \(code)\(enhanced.map { " \($0)" } ?? "")"
        case .unreachable: "no connection"
        case .refusing: "every mail refused"
        case .login(let problem): "login failed: \(problem)"
        }
    }
}
