import Feedback
import Postgres

/// The form for everybody else, described in docs/operators/feedback.md:
///
///     {"events": [{"type": "hard_bounce", "token": "…", "at": "2026-11-30T10:00:00Z", "code": 550, "status": "5.1.1",
///                  "text": "no such user"}]}
struct GenericEvents: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        try StandardWebhooks.verify(delivery, material.keys, now: now)
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body)["events"].elements.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.reading(event["at"].text)
        func bounce(_ isPermanent: Bool) -> ProviderEvent {
            .bounce(
                BounceJudgement(
                    isPermanent: isPermanent, code: event["code"].integer, status: event["status"].text,
                    text: event["text"].text), at: time, event)
        }
        switch event["type"].exact {
        case "hard_bounce": return bounce(true)
        case "soft_bounce": return bounce(false)
        case "complaint": return .complaint(event["complaint_type"].text ?? "abuse", at: time, event)
        case "unsubscribe": return .plain(.unsubscribe, at: time, event)
        case "delay": return .plain(.delay, at: time, event)
        default: return .nothing(event)
        }
    }
}
