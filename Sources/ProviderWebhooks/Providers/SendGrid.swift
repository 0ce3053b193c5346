import Crypto
import Feedback
import Postgres

/// Twilio SendGrid's Event Webhook: ECDSA on P-256 over the timestamp's octets and the body's, exactly as they came.
struct SendGrid: Provider {
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        guard let text = delivery.headers["x-twilio-email-event-webhook-signature"],
            let time = delivery.headers["x-twilio-email-event-webhook-timestamp"],
            let octets = Signatures.base64(text),
            let signature = try? P256.Signing.ECDSASignature(derRepresentation: octets)
        else { throw ProviderRefusal.unauthentic("The delivery is not signed.") }
        var hash = SHA256()
        hash.update(data: Array(time.utf8))
        hash.update(data: delivery.body)
        let digest = hash.finalize()
        let isRight = material.keys.contains { key in
            Self.publicKey(key).map { $0.isValidSignature(signature, for: digest) } ?? false
        }
        guard isRight else { throw ProviderRefusal.unauthentic("The signature is not by the key of this source.") }
        try Signatures.checkTime(time, now: now, age: ProviderLimits.retriedSignatureSeconds)
        return .body(delivery)
    }

    /// As SendGrid shows it: SubjectPublicKeyInfo in base64.
    static func publicKey(_ text: String) -> P256.Signing.PublicKey? {
        Signatures.base64(text).flatMap { try? P256.Signing.PublicKey(derRepresentation: $0) }
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        try JSONReader.read(body).each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.seconds(event["timestamp"])
        switch event["event"].exact {
        case "bounce":
            let isBlock = ["blocked", "expired"].contains(event["type"].exact)
            return .bounce(
                BounceJudgement(
                    isPermanent: !isBlock, code: replyCode(event["reason"].text), status: event["status"].text,
                    text: event["reason"].text, reason: event["type"].exact == "expired" ? .expired : .undefined),
                at: time, event)
        case "dropped": return dropped(event, time)
        case "deferred": return .plain(.delay, at: time, event)
        case "spamreport": return .complaint(at: time, event)
        case "unsubscribe", "group_unsubscribe": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }

    /// SendGrid did not even try, because of its own list.
    private static func dropped(_ event: JSONValue, _ time: PostgresTimestamp?) -> ProviderEvent {
        switch event["reason"].exact {
        case "Bounced Address": .bounce(BounceJudgement(.hardBounce, .filtered), at: time, event)
        case "Invalid": .bounce(BounceJudgement(.hardBounce, .userunknown), at: time, event)
        case "Spam Reporting Address": .complaint(at: time, event)
        case "Unsubscribed Address": .plain(.unsubscribe, at: time, event)
        default: .bounce(BounceJudgement(.softBounce, .undefined), at: time, event)
        }
    }

    private static func replyCode(_ text: String?) -> Int64? { text.flatMap { Int64($0.prefix(3)) } }
}
