import Feedback
import Postgres

/// Amazon SES, whose events come through SNS in two forms, as notifications of an identity and as events of a
/// configuration set. That Amazon has signed says nothing yet: anybody can make a topic, so the source names its own.
struct AmazonSES: Provider {
    let certificates: SigningCertificates

    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified {
        guard delivery.headers["x-amz-sns-rawdelivery"]?.lowercased() != "true" else {
            throw ProviderRefusal.unauthentic("Raw message delivery is not signed; turn it off.")
        }
        guard let body = try? JSONReader.read(delivery.body) else { throw ProviderRefusal.unreadable }
        let message = try SNSMessage(body)
        guard let topic = material.topic.flatMap(SNSTopic.init), ExactText(message.topic) == ExactText(topic.text)
        else {
            throw ProviderRefusal.unauthentic("The topic is not the one of this source.")
        }
        guard try await certificate(message, topic, material).hasSigned(message, now: now) else {
            throw ProviderRefusal.unauthentic("The signature does not fit.")
        }
        try Self.checkTime(message.timestamp, now: now)
        switch message.kind {
        case .notification: return .body(delivery)
        case .unsubscription: return .done
        case .subscription:
            guard let address = message.subscribeURL.flatMap({ SNSAddress(confirmation: $0, topic: topic) }) else {
                throw ProviderRefusal.unauthentic("The address to confirm at is not Amazon's.")
            }
            if material.testCertificate == nil { try await certificates.confirm(address) }
            return .done
        }
    }

    private func certificate(
        _ message: SNSMessage, _ topic: SNSTopic, _ material: SourceMaterial
    ) async throws -> SigningCertificate {
        guard let address = SNSAddress(certificate: message.certificateURL, topic: topic) else {
            throw ProviderRefusal.unauthentic("The certificate's address is not Amazon's.")
        }
        if let pem = material.testCertificate { return try SigningCertificate(pem: pem) }
        return try await certificates.certificate(address)
    }

    private static func checkTime(_ text: String, now: Int64) throws(ProviderRefusal) {
        guard let time = Instant.reading(text)?.seconds else { throw .unauthentic("The signature has no time.") }
        guard (now - ProviderLimits.retriedSignatureSeconds...now + ProviderLimits.clockSkewSeconds).contains(time)
        else {
            throw .stale
        }
    }

    // MARK: Events

    func events(_ body: [UInt8]) throws -> [ProviderEvent] {
        let envelope = try JSONReader.read(body)
        // The message that a topic works is plain text.
        guard let text = envelope["Message"].text, text.utf8.first == UInt8(ascii: "{") else { return [] }
        return [Self.event(try JSONReader.read(Array(text.utf8)))]
    }

    private static func event(_ event: JSONValue) -> ProviderEvent {
        switch event["eventType"].exact ?? event["notificationType"].exact {
        case "Bounce": return bounce(event["bounce"], event)
        case "Complaint":
            let complaint = event["complaint"]
            guard isAboutAll(complaint["complainedRecipients"], event) else { return .nothing(event) }
            return .complaint(
                complaint["complaintFeedbackType"].text ?? "abuse", at: Instant.reading(complaint["timestamp"].text),
                event)
        case "DeliveryDelay":
            let delay = event["deliveryDelay"]
            return .plain(
                .delay, delayReasons[delay["delayType"].exact ?? ""]?.rawValue ?? "",
                at: Instant.reading(delay["timestamp"].text), event)
        // SES has found a virus, and sent nothing.
        case "Reject":
            return .bounce(
                BounceJudgement(.softBounce, .virusdetected), at: Instant.reading(event["mail"]["timestamp"].text),
                event)
        case "Subscription" where event["subscription"]["newTopicPreferences"]["unsubscribeAll"].isTrue:
            return .plain(.unsubscribe, at: Instant.reading(event["subscription"]["timestamp"].text), event)
        default: return .nothing(event)
        }
    }

    private static func bounce(_ bounce: JSONValue, _ event: JSONValue) -> ProviderEvent {
        guard isAboutAll(bounce["bouncedRecipients"], event) else { return .nothing(event) }
        let recipient = bounce["bouncedRecipients"].elements.first ?? .null
        let time = Instant.reading(bounce["timestamp"].text)
        let isPermanent = bounce["bounceType"].exact == "Permanent"
        switch bounce["bounceSubType"].exact {
        // SES's own lists, or the account's: nobody was asked.
        case "Suppressed", "OnAccountSuppressionList":
            return .bounce(BounceJudgement(.hardBounce, .filtered), at: time, event)
        case "NoEmail" where isPermanent: return .bounce(BounceJudgement(.hardBounce, .userunknown), at: time, event)
        case "MailboxFull": return .bounce(BounceJudgement(.softBounce, .mailboxfull), at: time, event)
        case "MessageTooLarge": return .bounce(BounceJudgement(.softBounce, .mesgtoobig), at: time, event)
        case "ContentRejected", "AttachmentRejected":
            return .bounce(BounceJudgement(.softBounce, .contenterror), at: time, event)
        // “Transient, General” may be an automatic answer.
        default:
            return .bounce(
                BounceJudgement(
                    isPermanent: isPermanent, status: recipient["status"].text, text: recipient["diagnosticCode"].text),
                at: time, event)
        }
    }

    /// Our mails have one recipient each. Of a mail that has several it is not clear whom the token means, unless all are meant.
    private static func isAboutAll(_ recipients: JSONValue, _ event: JSONValue) -> Bool {
        let destinations = event["mail"]["destination"].elements.count
        return destinations <= 1 || recipients.elements.count == destinations
    }

    private static let delayReasons: [ExactText: FeedbackReason] = [
        "MailboxFull": .mailboxfull, "SpamDetected": .spamdetected, "RecipientServerError": .systemerror,
        "TransientCommunicationFailure": .networkerror, "IPFailure": .blocked, "InternalFailure": .systemerror,
    ]
}
