package import MailTypes
package import Postgres
package import Vault

/// One fact about one mail that was sent: of one recipient of one campaign, whoever told it.
package struct FeedbackEvent: Sendable, Hashable {
    package let recipient: RecipientToken
    package let fact: FeedbackFact
    package let channel: FeedbackChannel
    /// One of ``FeedbackReason``, or the Feedback-Type of a complaint (RFC 5965 §7.3).
    package let reason: String
    package let enhanced: EnhancedStatusCode?
    package let smtpCode: Int?
    /// When it happened, as the reporter says; nil where it does not.
    package let occurredAt: PostgresTimestamp?
    /// The mailbox provider whose user it is, as its reporter's name tells; nil where it does not. Counted, not believed.
    package var mailboxProvider: String?

    package init(
        _ recipient: RecipientToken, _ fact: FeedbackFact, by channel: FeedbackChannel, reason: String,
        enhanced: EnhancedStatusCode? = nil, smtpCode: Int? = nil, occurredAt: PostgresTimestamp? = nil
    ) {
        self.recipient = recipient
        self.fact = fact
        self.channel = channel
        self.reason = reason
        self.enhanced = enhanced
        self.smtpCode = smtpCode
        self.occurredAt = occurredAt
    }
}

/// What has happened to a mail after a server took it, or refused it.
package enum FeedbackFact: Int16, CaseIterable, Sendable, Hashable {
    // The numbers are stored. Never renumber.
    /// The address does not take mail, for good.
    case hardBounce = 1
    /// It was not delivered, but the address may be good: full, blocked, expired, or unclear.
    case softBounce = 2
    /// The recipient, or a filter in its name, called it spam.
    case complaint = 3
    /// The recipient wants no more.
    case unsubscribe = 4
    /// A server is still trying.
    case delay = 5

    /// Why the address must not be mailed again; nil where it may be.
    package var suppression: SuppressionReason? {
        switch self {
        case .hardBounce: .hardBounce
        case .complaint: .complaint
        case .unsubscribe: .unsubscribe
        case .softBounce, .delay: nil
        }
    }
}

/// By which way a fact came in.
package enum FeedbackChannel: Sendable, Hashable {
    /// A receiver's reply during delivery.
    case reply
    /// A mail to the return path: a DSN (RFC 3464) or what stands for one.
    case notice
    /// A mail of a feedback loop: ARF (RFC 5965) or a provider's own form.
    case report
    /// A provider's webhook, with the provider's name: `ses`, `sendgrid` …
    case provider(String)
    /// The List-Unsubscribe link (RFC 8058).
    case link
    /// The List-Unsubscribe address (RFC 2369 §3.2).
    case mailto

    /// What is stored and shown.
    package var name: String {
        switch self {
        case .reply: "reply"
        case .notice: "notice"
        case .report: "report"
        case .provider(let name): "provider:" + name
        case .link: "link"
        case .mailto: "mailto"
        }
    }
}
