/// What a variable without value and without fallback does to its recipient.
package enum MissingVariablePolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The campaign is not sent as long as such recipients are known; one who turns up all the same ends as `invalid`.
    case refuse
    /// The recipient ends as `invalid`, the others are mailed.
    case invalid
    /// The variable renders as nothing.
    case empty
}

/// Whether html without a text gets one.
package enum TextPartPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// Made from the html (``TextOfHTML``).
    case automatic = "auto"
    /// The html goes out alone.
    case none
}

/// Who hears a recipient that unsubscribes.
package enum UnsubscribePolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sluice, whose URIs stand first in List-Unsubscribe; those of the customer stand behind them.
    case server
    /// The customer alone: no URI of Sluice is in the mail.
    case own
}

/// A message as the customer submitted it: one template for all recipients.
///
/// `subject`, `html`, `text`, the values of `headers` and those of `listUnsubscribe` are templates; `CompiledMessage` documents their language.
package struct MessageContent: Sendable {
    package var from: Mailbox
    package var replyTo: [Mailbox]
    package var subject: String
    package var html: String?
    package var text: String?
    /// Further header fields, written in this order after Sluice's own.
    package var headers: [(name: String, value: String)]
    /// The customer's URIs of List-Unsubscribe, behind Sluice's or in place of them: `https:` or `mailto:`, templates.
    package var listUnsubscribe: [String]
    package var unsubscribing: UnsubscribePolicy
    package var attachments: [Attachment]
    package var missingVariables: MissingVariablePolicy
    package var textPart: TextPartPolicy

    package init(
        from: Mailbox,
        replyTo: [Mailbox] = [],
        subject: String,
        html: String? = nil,
        text: String? = nil,
        headers: [(name: String, value: String)] = [],
        listUnsubscribe: [String] = [],
        unsubscribing: UnsubscribePolicy = .server,
        attachments: [Attachment] = [],
        missingVariables: MissingVariablePolicy = .invalid,
        textPart: TextPartPolicy = .automatic
    ) {
        self.from = from
        self.replyTo = replyTo
        self.subject = subject
        self.html = html
        self.text = text
        self.headers = headers
        self.listUnsubscribe = listUnsubscribe
        self.unsubscribing = unsubscribing
        self.attachments = attachments
        self.missingVariables = missingVariables
        self.textPart = textPart
    }
}

extension MessageContent: Equatable {
    package static func == (left: Self, right: Self) -> Bool {
        left.from == right.from && left.replyTo == right.replyTo && left.subject == right.subject
            && left.html == right.html && left.text == right.text
            && left.headers.elementsEqual(right.headers, by: ==) && left.listUnsubscribe == right.listUnsubscribe
            && left.unsubscribing == right.unsubscribing && left.attachments == right.attachments
            && left.missingVariables == right.missingVariables
            && left.textPart == right.textPart
    }
}
