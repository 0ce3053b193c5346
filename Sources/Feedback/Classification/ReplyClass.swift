package import MailTypes

/// What a receiver's refusal is about, and so what helps: nothing, waiting, another sender, or another message.
package enum ReplyClass: String, CaseIterable, Sendable, Hashable, Decodable {
    case hardBadMailbox = "hard:bad-mailbox"
    case hardBadDomain = "hard:bad-domain"
    /// The mailbox existed and is switched off.
    case hardInactive = "hard:inactive"
    case softMailboxFull = "soft:mailbox-full"
    case softGreylist = "soft:greylist"
    case softRateLimited = "soft:rate-limited"
    /// The message looks like spam or breaks a policy of the receiver.
    case blockSpamPolicy = "block:spam-policy"
    /// The sending address or domain is distrusted or listed.
    case blockReputation = "block:reputation"
    /// SPF, DKIM or DMARC.
    case blockAuth = "block:auth"
    case messageTooLarge = "message:too-large"
    /// The message is malformed or holds something forbidden.
    case messageContent = "message:content"
    /// Relaying, credentials, loops, sender's own domain: set-up of either side.
    case relayConfig = "relay-config"
    case tls
    case other

    /// Whether the refusal is about the sender: its addresses, its domain and their set-up, its volume, what it sends.
    /// The recipient is not to blame, and once the cause is mended the same mail may be taken.
    package var isAboutSender: Bool {
        switch self {
        case .blockSpamPolicy, .blockReputation, .blockAuth, .messageContent, .relayConfig, .softRateLimited, .tls: true
        case .hardBadMailbox, .hardBadDomain, .hardInactive, .softMailboxFull, .softGreylist, .messageTooLarge, .other:
            false
        }
    }
}

/// A reply, understood.
package struct ReplyClassification: Sendable, Hashable {
    package let replyClass: ReplyClass
    package let reason: FeedbackReason
    /// A 5xx reply whose enhanced code does not say otherwise.
    package let isPermanent: Bool
    package let enhanced: EnhancedStatusCode?
    /// The rule of `replies.yaml` that decided; nil where none held.
    package let rule: String?
    /// Which of its phrases was found; nil where a code decided.
    package let phrase: String?

    /// Whether the reply alone is reason never to mail the address again. Only "no such mailbox", said for good,
    /// is: every other refusal may be about the sender, the message or the moment.
    package var suppresses: Bool { replyClass == .hardBadMailbox && isPermanent }

    /// Whether the address, or its domain, takes no mail. What is said for now is not hard.
    package var hardness: FeedbackHardness { isPermanent ? reason.condemns : .no }

    package var consequence: FeedbackConsequence { RefusalReader.consequence(replyClass, hardness) }
}
