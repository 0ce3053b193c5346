package import MailTypes

/// The fate of one recipient in one batch.
package struct RecipientResult: Sendable, Hashable {
    /// Position of the recipient in its campaign.
    package let index: Int32
    /// Nil: deferred, with the last reply.
    package let outcome: Outcome?
    package let reply: RecipientReply
    /// A mail was sent again after the answer to an earlier one was lost.
    package var wasInDoubt = false
    /// Of a bounce that the journal still knows. It is not kept with the results of a settled batch.
    package var finding = AddressFinding.nothing

    package var code: UInt16 { reply.code }
    package var enhanced: EnhancedStatusCode? { reply.enhanced }
    package var text: String { reply.text }

    package init(
        index: Int32, outcome: Outcome?, code: UInt16 = 0, enhanced: EnhancedStatusCode? = nil, text: String = ""
    ) {
        self.init(
            index: index, outcome: outcome, reply: RecipientReply(code: code, enhanced: enhanced, text: text))
    }

    package init(index: Int32, outcome: Outcome?, reply: RecipientReply) {
        self.index = index
        self.outcome = outcome
        self.reply = reply
    }
}
