import Crypto
import Feedback
import Postgres

/// Mailgun signs a timestamp and a random token, and not the body. So a token belongs to the first body that came with it.
struct Mailgun: Provider {
    /// Mailgun tries again after anything else.
    var uselessStatus: Int { 406 }

    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        guard let body = try? JSONReader.read(delivery.body) else { throw ProviderRefusal.unreadable }
        // A subaccount signs with its own key, and the primary account signs beside it.
        let signed =
            Self.signed(body["signature"], by: material.keys)
            ?? Self.signed(body["parent-signature"], by: material.parentKeys + material.keys)
        guard let signed else { throw ProviderRefusal.unauthentic("The signature is not by a key of this source.") }
        try Signatures.checkTime(signed.time, now: now, age: ProviderLimits.retriedSignatureSeconds)
        return .keep(receipt: Array(SHA256.hash(data: Array("mailgun \(signed.token)".utf8))))
    }

    private static func signed(_ block: JSONValue, by keys: [String]) -> (time: String, token: String)? {
        guard let time = block["timestamp"].word, let token = block["token"].text, token.utf8.count <= 200,
            let signature = block["signature"].text.flatMap(octets)
        else { return nil }
        let isRight = keys.contains { key in
            HMAC<SHA256>.isValidAuthenticationCode(
                signature, authenticating: Array((time + token).utf8), using: SymmetricKey(data: Array(key.utf8)))
        }
        return isRight ? (time, token) : nil
    }

    /// Of 64 hexadecimal digits.
    private static func octets(_ text: String) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map { UInt8($0) } }
        guard digits.count == 64, text.utf8.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        let body = try JSONReader.read(body)
        return body["event-data"].each.map(Self.event)
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        let time = Instant.seconds(event["timestamp"])
        switch event["event"].exact {
        case "failed": return failed(event, time)
        case "rejected": return .bounce(BounceJudgement(.softBounce, .rejected), at: time, event)
        case "complained": return .complaint(at: time, event)
        case "unsubscribed": return .plain(.unsubscribe, at: time, event)
        default: return .nothing(event)
        }
    }

    private static func failed(_ event: JSONValue, _ time: PostgresTimestamp?) -> ProviderEvent {
        guard event["severity"].exact == "permanent" else { return .plain(.delay, at: time, event) }
        let status = event["delivery-status"]
        switch event["reason"].exact {
        case "suppress-bounce": return .bounce(BounceJudgement(.hardBounce, .filtered), at: time, event)
        case "suppress-complaint": return .complaint(at: time, event)
        case "suppress-unsubscribe": return .plain(.unsubscribe, at: time, event)
        case "old": return .bounce(BounceJudgement(.softBounce, .expired), at: time, event)
        default:
            let text = status["message"].text.flatMap { $0.isEmpty ? nil : $0 } ?? status["description"].text
            return .bounce(
                BounceJudgement(
                    isPermanent: event["reason"].exact != "espblock", code: status["code"].integer,
                    status: status["enhanced-code"].text, text: text), at: time, event)
        }
    }
}
