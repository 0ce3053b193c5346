import Feedback
import Postgres

/// SparkPost (Bird): events in batches, each wrapped in its class; no signature.
struct SparkPost: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try SharedSecret.verify(delivery, material)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.flatMap { element -> [ProviderEvent] in
            // An empty one is a ping.
            guard case .object(let classes) = element["msys"] else { return [] }
            return classes.keys.sorted().compactMap { classes[$0].map(Self.event) }
        }
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.seconds(event["timestamp"])
        switch event["type"].exact {
        case "bounce", "out_of_band": return bounce(event, time)
        case "policy_rejection", "generation_rejection", "generation_failure":
            return .bounce(BounceJudgement(.softBounce, .rejected), at: time, event)
        case "delay": return .plain(.delay, at: time, event)
        case "spam_complaint": return .complaint(event["fbtype"].text ?? "abuse", at: time, event)
        case "list_unsubscribe", "link_unsubscribe": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }

    private static func bounce(_ event: JSONValue, _ time: PostgresTimestamp?) -> ProviderEvent {
        let text = event["raw_reason"].text ?? event["reason"].text
        switch event["bounce_class"].integer {
        // Invalid recipient; no RCPT.
        case 10, 30:
            return .bounce(
                BounceJudgement(isPermanent: true, code: event["error_code"].integer, text: text, reason: .userunknown),
                at: time, event)
        case 90: return .plain(.unsubscribe, at: time, event)
        // Automatic answers, subscriptions, challenges.
        case 60, 80, 100: return .nothing(event)
        default:
            return .bounce(
                BounceJudgement(isPermanent: false, code: event["error_code"].integer, text: text), at: time, event)
        }
    }
}
