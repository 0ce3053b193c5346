package import MailTypes

/// One step of one recipient.
package struct JournalEntry: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// The mail is about to be sent. Without a later entry its fate is unknown: in doubt.
        case intent
        /// The intent was not acted on: nothing was sent.
        case withdrawn
        case outcome(Outcome)
        /// Refused for now.
        case deferred
        /// The answer was lost and the campaign asks to send again: the earlier intent is done with.
        case inDoubtResend
    }

    /// Position of the recipient in its campaign.
    package let index: Int32
    package let kind: Kind
    package let reply: RecipientReply
    /// The recipient counts as deferred already: it came in a retry batch, or was deferred before in this one.
    package let wasDeferred: Bool
    /// Of a bounce.
    package let finding: AddressFinding
    /// False where the mail was given back without an attempt. Not stored.
    package var wasTried = true

    package var replyCode: UInt16 { reply.code }
    package var enhanced: EnhancedStatusCode? { reply.enhanced }
    package var text: String { reply.text }

    package init(
        index: Int32, kind: Kind, replyCode: UInt16 = 0, enhanced: EnhancedStatusCode? = nil, text: String = "",
        wasDeferred: Bool = false, finding: AddressFinding = .nothing
    ) {
        self.init(
            index: index, kind: kind, reply: RecipientReply(code: replyCode, enhanced: enhanced, text: text),
            wasDeferred: wasDeferred, finding: finding)
    }

    package init(
        index: Int32, kind: Kind, reply: RecipientReply, wasDeferred: Bool = false, finding: AddressFinding = .nothing
    ) {
        self.index = index
        self.kind = kind
        self.reply = reply
        self.wasDeferred = wasDeferred
        self.finding = finding
    }
}
