import Feedback
import Postgres

/// Postmark: one event a delivery, no signature.
struct Postmark: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try SharedSecret.verify(delivery, material)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.reading(event["BouncedAt"].text ?? event["ChangedAt"].text)
        switch event["RecordType"].exact {
        case "Bounce": return bounce(event, event["Type"].exact, time)
        case "SpamComplaint": return .complaint(at: time, event)
        case "SubscriptionChange": return change(event, time)
        default: return .nothing(event)
        }
    }

    private static func bounce(_ event: JSONValue, _ type: ExactText?, _ time: PostgresTimestamp?) -> ProviderEvent {
        let text = event["Details"].text ?? event["Description"].text
        switch type {
        case "HardBounce": return .bounce(BounceJudgement(isPermanent: true, text: text), at: time, event)
        case "BadEmailAddress": return .bounce(BounceJudgement(.hardBounce, .userunknown), at: time, event)
        case "SoftBounce", "DnsError", "Blocked", "DMARCPolicy", "Undeliverable":
            return .bounce(BounceJudgement(isPermanent: false, text: text), at: time, event)
        case "SpamNotification": return .bounce(BounceJudgement(.softBounce, .spamdetected), at: time, event)
        case "VirusNotification": return .bounce(BounceJudgement(.softBounce, .virusdetected), at: time, event)
        case "SpamComplaint": return .complaint(at: time, event)
        case "Unsubscribe": return .plain(.unsubscribe, at: time, event)
        case "Transient": return .plain(.delay, at: time, event)
        // Answers of people and machines, and what the account itself has done.
        default: return .nothing(event)
        }
    }

    private static func change(_ event: JSONValue, _ time: PostgresTimestamp?) -> ProviderEvent {
        guard event["SuppressSending"].isTrue else { return .nothing(event) }
        switch event["SuppressionReason"].exact {
        case "HardBounce": return .bounce(BounceJudgement(.hardBounce, .filtered), at: time, event)
        case "SpamComplaint": return .complaint(at: time, event)
        case "ManualSuppression" where event["Origin"].exact == "Recipient":
            return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }
}
