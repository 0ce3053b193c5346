import Feedback
import Postgres

/// Brevo: an event, or several in an array; no signature. It gives up after any failure but 429.
struct Brevo: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try SharedSecret.verify(delivery, material)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.milliseconds(event["ts_epoch"])
        let text = event["reason"].text
        // Campaign and transactional webhooks spell them differently.
        switch event["event"].text.map({ ExactText($0.lowercased()) }) {
        case "hard_bounce", "hardbounce":
            return .bounce(BounceJudgement(isPermanent: true, text: text), at: time, event)
        case "soft_bounce", "softbounce":
            return .bounce(BounceJudgement(isPermanent: false, text: text), at: time, event)
        case "invalid_email", "invalid": return .bounce(BounceJudgement(.hardBounce, .userunknown), at: time, event)
        case "blocked", "error": return .bounce(BounceJudgement(.softBounce, .blocked), at: time, event)
        case "deferred": return .plain(.delay, at: time, event)
        case "spam", "complaint": return .complaint(at: time, event)
        case "unsubscribe", "unsubscribed": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }
}
