/// What a provider is answered.
package struct ProviderAnswer: Error, Sendable, Hashable {
    /// Of HTTP; 200 once what was sent is committed.
    package let status: Int
    /// snake_case; empty with a 200.
    package let code: String
    package let detail: String
    /// Seconds.
    package let retryAfter: Int?

    static let taken = ProviderAnswer(status: 200, code: "", detail: "", retryAfter: nil)

    static func busy(_ kind: ProviderKind) -> ProviderAnswer {
        ProviderAnswer(
            status: kind.busyStatus, code: "feedback_busy", detail: "Too much waits here; send it again.",
            retryAfter: ProviderLimits.retrySeconds)
    }

    static func refused(_ refusal: ProviderRefusal, useless: Int) -> ProviderAnswer {
        let status =
            switch refusal.cause {
            case .unauthentic: 403
            case .stale: useless == 400 ? 403 : useless
            case .replayed, .unreadable: useless
            }
        return ProviderAnswer(
            status: status, code: "feedback_\(refusal.cause.rawValue)", detail: refusal.detail, retryAfter: nil)
    }
}
