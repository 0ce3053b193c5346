import Feedback
import Postgres

/// Mailjet: an event, or several in an array; no signature.
struct Mailjet: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try SharedSecret.verify(delivery, material)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.seconds(event["time"])
        switch event["event"].exact {
        case "bounce": return bounce(event, time)
        case "blocked": return .bounce(BounceJudgement(.softBounce, .blocked), at: time, event)
        case "spam": return .complaint(at: time, event)
        case "unsub": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }

    private static func bounce(_ event: JSONValue, _ time: PostgresTimestamp?) -> ProviderEvent {
        let isHard = event["hard_bounce"].isTrue
        switch event["error"].exact {
        case "greylisted" where !isHard: return .plain(.delay, at: time, event)
        case "user unknown":
            return .bounce(BounceJudgement(isHard ? .hardBounce : .softBounce, .userunknown), at: time, event)
        case "invalid domain", "no mail host":
            return .bounce(BounceJudgement(isHard ? .hardBounce : .softBounce, .hostunknown), at: time, event)
        case "quota exceeded": return .bounce(BounceJudgement(.softBounce, .mailboxfull), at: time, event)
        default:
            let isRecipients = event["error_related_to"].exact == "recipient"
            return .bounce(
                BounceJudgement(
                    isPermanent: isHard && isRecipients, text: event["comment"].text ?? event["error"].text),
                at: time, event)
        }
    }
}
