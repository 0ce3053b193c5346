import MailMessage
import MailTypes

/// Testing has a type of this name too; what the module itself declares goes first.
typealias Attachment = MailMessage.Attachment

/// Content, recipient and envelope fields that a test changes in the one respect it is about.
enum Samples {
    static func content(
        subject: String = "Hello", html: String? = nil, text: String? = "Hi\n",
        headers: [(name: String, value: String)] = [], attachments: [Attachment] = [],
        missingVariables: MissingVariablePolicy = .invalid, textPart: TextPartPolicy = .none
    ) throws -> MessageContent {
        MessageContent(
            from: try Mailbox(name: "Acme", address: EmailAddress("news@acme.example")), subject: subject, html: html,
            text: text, headers: headers, attachments: attachments, missingVariables: missingVariables,
            textPart: textPart)
    }

    static func recipient(_ variables: MergeVariables = [:], name: String? = nil) throws -> MergeRecipient {
        MergeRecipient(address: try EmailAddress("jane@example.org"), name: name, variables: variables)
    }

    static let envelope = MessageEnvelopeFields(messageID: "1.2@acme.example", date: 1_445_412_480)

    static func render(
        _ content: MessageContent, _ recipient: MergeRecipient? = nil, _ envelope: MessageEnvelopeFields = envelope,
        limits: MessageLimits = .standard
    ) throws -> ReadMessage {
        var message = RenderedMessage()
        try CompiledMessage(content, limits: limits).render(recipient ?? Self.recipient(), envelope, into: &message)
        return try ReadMessage(message)
    }

    /// The decoded text of a message whose only part is `template`.
    static func text(_ template: String, _ variables: MergeVariables = [:], name: String? = nil) throws -> String {
        try render(content(text: template), recipient(variables, name: name)).root.text
    }

    static func html(_ template: String, _ variables: MergeVariables = [:]) throws -> String {
        try render(content(html: template, text: nil), recipient(variables)).root.text
    }

    static func subject(_ template: String, _ variables: MergeVariables = [:]) throws -> String {
        try render(content(subject: template), recipient(variables)).header("Subject")
    }
}
