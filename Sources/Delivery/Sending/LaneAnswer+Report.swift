import SMTPProtocol
import TrafficShaping

extension DeliveryReport {
    /// What the lane learns from it.
    func answer(_ refusal: Refusal?) -> LaneAnswer {
        if verdict == .accepted { return .accepted }
        // Only who has credentials comes to this phase.
        if phase == .auth && isLoginFailure { return .notLoggedIn(loginProblem) }
        if let reply { return .refused(refusal?.action, code: reply.code, reply.enhanced) }
        switch cause {
        case .messageTooBig, .smtpUTF8NotOffered, .eightBitNotOffered, .unsafeReversePath, .requireTLSNotOffered:
            return .refused(nil, code: 0, nil)
        case .cancelled, .poolClosed: return .stopped
        default: return .broken
        }
    }

    /// For operators: the reply's codes, not its text, which may repeat what was sent.
    var loginProblem: String {
        reply.map { "reply \($0.code)\($0.enhanced.map { " \($0)" } ?? "")" } ?? reason
    }
}
