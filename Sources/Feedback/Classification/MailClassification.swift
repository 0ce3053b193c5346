package import MailTypes

/// What a mail that came back is.
package enum FeedbackKind: String, Sendable, Hashable, CaseIterable {
    /// Given up
    case bounce
    /// Still being tried
    case delayed
    /// ARF, or a provider's own form
    case complaint
    /// Out of office, or a challenge
    case autoReply = "auto-reply"
    /// Everything else: delivered, read, reports on TLS and DMARC, ordinary mail
    case notABounce = "not-a-bounce"
}

/// What is to be done about a recipient.
package enum FeedbackConsequence: String, Sendable, Hashable {
    /// Never mail the address again.
    case suppress
    /// The mail, or a later one, may be taken.
    case retry
    /// Send less to this receiver.
    case slowDown = "slow-down"
    /// Somebody has to mend something on our side.
    case tellOperator = "tell-operator"
    case nothing
}

/// What a mail says of one recipient.
package struct RecipientClassification: Sendable, Hashable {
    /// As it stands in the mail; nil where the mail hides it.
    package let address: String?
    package let enhanced: EnhancedStatusCode?
    package let smtpCode: Int?
    package let hardness: FeedbackHardness
    /// One of ``FeedbackReason``, or the Feedback-Type of a complaint
    package let reason: String
    package let replyClass: ReplyClass
    package let consequence: FeedbackConsequence
    /// The rule of `replies.yaml` that decided, and its phrase; nil where none held.
    package let rule: String?
    package let phrase: String?
}

/// What a mail is and whom it is about.
package struct MailClassification: Sendable {
    package let kind: FeedbackKind
    /// In the mail's order, each once
    package let recipients: [RecipientClassification]
    /// How the verdict came about, step by step, for people; empty where nobody asked for an explanation.
    package let steps: [String]
}
