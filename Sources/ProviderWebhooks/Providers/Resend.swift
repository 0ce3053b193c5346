import Feedback
import Postgres

/// Resend, and other senders whose events have `type` and `data` as Standard Webhooks suggests.
struct Resend: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try StandardWebhooks.verify(delivery, material.keys, now: now)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let data = event["data"]
        // An event of a mail to several does not say whom it is about.
        guard data["to"].elements.count <= 1 else { return .nothing(event) }
        let time = Instant.reading(event["created_at"].text ?? event["timestamp"].text)
        switch event["type"].exact {
        case "email.bounced": return bounce(data["bounce"], time, event)
        case "email.complained": return .complaint(at: time, event)
        case "email.delivery_delayed": return .plain(.delay, at: time, event)
        case "email.unsubscribed": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }

    private static func bounce(_ bounce: JSONValue, _ time: PostgresTimestamp?, _ event: JSONValue) -> ProviderEvent {
        let text = bounce["diagnosticCode"].each.compactMap(\.text).first ?? bounce["message"].text
        return .bounce(
            BounceJudgement(isPermanent: bounce["type"].exact == "Permanent", text: text), at: time, event)
    }
}
