import MailTypes

/// A campaign's message, compiled once and rendered for each recipient.
///
///     let message = try CompiledMessage(content)
///     var rendered = RenderedMessage()
///     for recipient in batch {
///         try message.render(recipient, fields, into: &rendered)      // rendered.bytes goes to signing
///     }
///
/// What does not depend on the recipient is done here: the header fields are folded, the structure is chosen, literals
/// are encoded for transport, attachments too. Rendering copies those octets and encodes only the values between
/// them. Nothing in it depends on time or chance: equal input gives equal octets.
///
/// # The template language
///
/// Mustache (mustache(5)) without partials and delimiter changes, and with fallbacks:
///
/// | tag | means |
/// |---|---|
/// | `{{name}}` | the value; in html with `& < > " '` escaped; percent-encoded as a part of a URL (``URLContext``) |
/// | `{{{name}}}`, `{{&name}}` | the value as it is |
/// | `{{name\|friend}}` | the value, or the fallback `friend`; likewise `{{{name\|friend}}}`, `{{&name\|friend}}` |
/// | `{{#items}}…{{/items}}` | once per item of a list; once for an object, a text or true |
/// | `{{^items}}…{{/items}}` | if the section above would show nothing |
/// | `{{.}}` | the item itself |
/// | `{{order.total}}` | a field of an object |
/// | `{{! note }}` | nothing |
///
/// A fallback reaches to the closing braces, without the blanks around it, and is escaped like a value. Names inside a
/// section refer to its object or item first, then outwards. A section, closing or comment tag alone on its line takes
/// the line with it.
///
/// Values: null counts as missing, and so does a list or an object where text is needed. Empty text is a value, but a
/// fallback takes its place. A section treats missing, null, false, an empty list, empty text and a CSV cell that
/// says no (`false`, `no`, `off`, `0`) alike. A missing value without fallback fails that recipient, or renders as
/// nothing under `MissingVariablePolicy.empty`; ``VariableCheck`` tells that ahead.
///
/// Besides the recipient's variables there are `email` (always the address), `name` (the recipient's display name
/// where the variables have none, or null) and `unsubscribe_url` (the https URI of List-Unsubscribe where the mail has
/// one: Sluice's, or the customer's under `UnsubscribePolicy.own`). Inside a section an object's own fields of these names come first.
///
/// What other template languages write is refused with the right form beside it (``TemplateDialect``).
///
/// In headers each run of white space in a value becomes one blank (``HeaderText``).
///
/// # Structure
///
///     mixed ─┬─ alternative ─┬─ text/plain
///            │               └─ related ─┬─ text/html
///            │                           └─ inline images
///            └─ attachments
///
/// A level with only one part is left out. An html or text with nothing to see counts as absent if the other has. Html
/// without text gets one made from it (``TextOfHTML``) under `TextPartPolicy.automatic`. An attachment with a content ID is
/// inline if there is html. A text that is not empty always ends with a line break.
package struct CompiledMessage: Sendable {
    /// Whether From or Reply-To has an address with a UTF-8 local part, so that every copy needs SMTPUTF8.
    package let needsSMTPUTF8: Bool

    private let from: MailboxTemplate
    private let replyTo: MailboxTemplate
    private let subject: HeaderTemplate
    private let headers: [HeaderTemplate]
    private let unsubscribing: UnsubscribeTemplates
    /// MIME-Version to the empty line.
    private let contentFields: [UInt8]
    private let pieces: [BodyPiece]
    private let roots: TemplateRoots
    private let missingVariables: MissingVariablePolicy
    private let limits: MessageLimits
    /// The octets that a copy has, unless its values are long.
    package let expectedOctets: Int

    /// - Throws: any code of `MessageError` but `undecodable`.
    package init(_ content: MessageContent, limits: MessageLimits = .standard) throws(MessageError) {
        var roots = TemplateRoots()
        unsubscribing = try UnsubscribeTemplates(
            content.listUnsubscribe, content.unsubscribing, roots: &roots, limits: limits)
        subject = try Self.subject(content.subject, roots: &roots, limits: limits)
        headers = try Self.customHeaders(content.headers, roots: &roots, limits: limits)

        guard content.replyTo.count <= limits.replyToCount else {
            throw MessageError(
                .tooManyReplyTo, "more than \(limits.replyToCount) Reply-To addresses", field: "reply_to")
        }
        from = try Self.mailboxes("From", field: "from", [content.from], roots: &roots, limits: limits)
        replyTo = try Self.mailboxes("Reply-To", field: "reply_to", content.replyTo, roots: &roots, limits: limits)
        needsSMTPUTF8 =
            content.from.address.needsSMTPUTF8 || content.replyTo.contains { $0.address.needsSMTPUTF8 }

        let entity = try Self.body(content, roots: &roots, limits: limits)
        contentFields = Array("MIME-Version: 1.0\r\n".utf8) + entity.fields + Array("\r\n".utf8)
        pieces = entity.pieces
        self.roots = roots
        missingVariables = content.missingVariables
        self.limits = limits

        var octets = from.expectedOctets + replyTo.expectedOctets + contentFields.count
        for piece in pieces {
            switch piece {
            case .fixed(let bytes): octets += bytes.count
            case .text(let part): octets += part.expectedOctets
            }
        }
        guard octets <= limits.messageOctets else {
            throw MessageError(
                .messageTooLarge,
                "the encoded message has \(octets) octets; \(limits.messageOctets) are allowed")
        }
        // A quarter more for values, and room for the header, so that the first rendering seldom grows the buffer.
        expectedOctets = octets + min(octets / 4, 16_384) + 2_048
    }

    /// Writes the copy for one recipient into `message`, whose former content is dropped and whose memory is used again.
    /// After an error it is empty.
    package func render(
        _ recipient: MergeRecipient, _ envelope: MessageEnvelopeFields, into message: inout RenderedMessage
    ) throws(RenderError) {
        message.clear()
        do throws(RenderError) {
            try write(recipient, envelope, into: &message)
        } catch {
            message.clear()
            throw error
        }
        // The values are the recipient's; the scratch memory outlives this rendering.
        message.scratch.clear()
    }

    private func write(
        _ recipient: MergeRecipient, _ envelope: MessageEnvelopeFields, into message: inout RenderedMessage
    ) throws(RenderError) {
        message.bytes.reserveCapacity(expectedOctets)
        let ownFields = try resolve(recipient, envelope, into: &message)
        message.needsSMTPUTF8 = needsSMTPUTF8 || recipient.address.needsSMTPUTF8

        try from.render(into: &message, missingVariables: missingVariables, limits: limits)
        EnvelopeHeader.appendTo(recipient, into: &message)
        try replyTo.render(into: &message, missingVariables: missingVariables, limits: limits)
        try subject.render(into: &message, missingVariables: missingVariables, limits: limits)
        try EnvelopeHeader.appendDate(envelope.date, to: &message.bytes)
        try EnvelopeHeader.appendMessageID(envelope.messageID, to: &message.bytes)
        if let ownFields {
            message.bytes.append(contentsOf: ownFields)
        } else {
            try EnvelopeHeader.appendListUnsubscribe(
                envelope, unsubscribing, into: &message, missingVariables: missingVariables, limits: limits)
        }
        try EnvelopeHeader.appendFeedbackID(envelope.feedbackID, to: &message.bytes)
        try EnvelopeHeader.appendComplaintFields(envelope, to: &message.bytes)
        for header in headers {
            try header.render(into: &message, missingVariables: missingVariables, limits: limits)
        }
        message.bytes.append(contentsOf: contentFields)
        message.bodyOffset = message.bytes.count

        for piece in pieces {
            switch piece {
            case .fixed(let bytes):
                message.bytes.append(contentsOf: bytes)
            case .text(let part):
                try part.render(into: &message, missingVariables: missingVariables, limits: limits)
            }
        }
        guard message.bytes.count <= limits.messageOctets else { throw .tooLarge }
    }

    /// Looks the variables up.
    ///
    /// - Returns: the fields of List-Unsubscribe where they are the customer's alone. They are made first, for the other
    ///   templates may name the URI in them.
    private func resolve(
        _ recipient: MergeRecipient, _ envelope: MessageEnvelopeFields, into message: inout RenderedMessage
    ) throws(RenderError) -> [UInt8]? {
        guard unsubscribing.policy == .own else {
            roots.resolve(recipient, envelope, into: &message.scratch)
            return nil
        }
        var others = envelope
        others.listUnsubscribe = []
        roots.resolve(recipient, others, into: &message.scratch)
        let own = try EnvelopeHeader.ownListUnsubscribe(
            unsubscribing, into: &message, missingVariables: missingVariables, limits: limits)
        if let url = own.url { roots.setUnsubscribeURL(url, in: &message.scratch) }
        return own.fields
    }

    // MARK: Checking

    /// Every template with tags.
    var programs: [TemplateProgram] {
        from.programs + replyTo.programs + ([subject] + headers).compactMap(\.program) + unsubscribing.programs
            + pieces.compactMap { piece in
                guard case .text(let part) = piece else { return nil }
                return part.program
            }
    }

    /// Fills `scratch.roots` as a mail with an unsubscribing link would; the customer's own, where only that is to stand
    /// there, may be none for some recipients.
    func resolve(_ recipient: MergeRecipient, into scratch: inout RenderScratch) {
        let hasURL = unsubscribing.policy == .server || unsubscribing.surelyHaveURL
        let envelope = MessageEnvelopeFields(
            messageID: "", date: 0, listUnsubscribe: hasURL ? ["https://example.com/"] : [])
        roots.resolve(recipient, envelope, into: &scratch)
    }

    // MARK: Compiling

    private static func subject(
        _ template: String, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> HeaderTemplate {
        try MessageError.locating("subject") { () throws(MessageError) in
            guard template.utf8.count <= limits.subjectOctets else {
                throw MessageError(.subjectTooLong, "the subject has more than \(limits.subjectOctets) octets")
            }
            let subject = try HeaderTemplate(
                name: "Subject", template: template, longWords: .encoded, octetLimit: limits.subjectOctets,
                roots: &roots, limits: limits)
            guard !subject.isBlank else { throw MessageError(.noSubject, "the subject is empty") }
            return subject
        }
    }

    private static func customHeaders(
        _ headers: [(name: String, value: String)], roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> [HeaderTemplate] {
        guard headers.count <= limits.headerCount else {
            throw MessageError(
                .tooManyHeaders, "\(headers.count) custom headers; \(limits.headerCount) are allowed", field: "headers")
        }
        var templates: [HeaderTemplate] = []
        var names: Set<String> = []
        for header in headers {
            try CustomHeaderName.check(header.name)
            let template = try MessageError.locating("headers.\(header.name)") { () throws(MessageError) in
                guard names.insert(header.name.lowercased()).inserted else {
                    throw MessageError(
                        .duplicateHeader, "\(header.name) stands twice; names of header fields tell no case apart")
                }
                return try HeaderTemplate(
                    name: header.name, template: header.value, longWords: .kept,
                    octetLimit: limits.headerValueOctets, roots: &roots, limits: limits)
            }
            templates.append(template)
        }
        return templates
    }

    private static func mailboxes(
        _ name: String, field: String, _ mailboxes: [Mailbox], roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> MailboxTemplate {
        try MessageError.locating(field) { () throws(MessageError) in
            try MailboxTemplate(name: name, mailboxes, roots: &roots, limits: limits)
        }
    }

    private static func body(
        _ content: MessageContent, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> MIMEEntity {
        try AttachmentPart.check(content.attachments, limits: limits)
        let boundary = MIMEBoundary(content)
        let (html, text) = try bodyParts(content, roots: &roots, limits: limits)
        var inline: [Attachment] = []
        var attached = content.attachments

        var alternatives: [MIMEEntity] = []
        if let text { alternatives.append(.text(text, subtype: "plain")) }
        if let html {
            inline = content.attachments.filter { $0.contentID != nil }
            attached = content.attachments.filter { $0.contentID == nil }
            let entity = MIMEEntity.text(html, subtype: "html")
            alternatives.append(
                inline.isEmpty
                    ? entity
                    : .multipart(
                        "related; type=\"text/html\"", boundary: boundary.related,
                        [entity] + inline.map { AttachmentPart.entity($0, inline: true) }))
        }
        let body =
            alternatives.count > 1
            ? MIMEEntity.multipart("alternative", boundary: boundary.alternative, alternatives) : alternatives[0]
        guard !attached.isEmpty else { return body }
        return .multipart(
            "mixed", boundary: boundary.mixed, [body] + attached.map { AttachmentPart.entity($0, inline: false) })
    }

    /// The parts that have something to see: at least one is not nil. Html without a text gets one made from it.
    private static func bodyParts(
        _ content: MessageContent, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> (html: TextPart?, text: TextPart?) {
        let html = try program(content.html, as: .html, field: "html", roots: &roots, limits: limits)
        var text = try program(content.text, as: .text, field: "text", roots: &roots, limits: limits)
        if text?.isBlank == true { text = nil }
        let converted = content.html.map(TextOfHTML.convert) ?? TextOfHTML.Result(template: "", showsImage: false)
        // Markup that the two readers understand differently must not keep the html from going out alone.
        let made = try? TemplateCompiler.compile(converted.template, as: .textOfHTML, roots: &roots, limits: limits)
        let showsHTML = converted.showsImage || made.map { !$0.isBlank } ?? true
        guard html != nil && showsHTML || text != nil else {
            throw MessageError(
                .noBody, "neither html nor text has anything to see",
                field: content.html == nil && content.text != nil ? "text" : "html")
        }
        if text == nil, content.textPart == .automatic, let made, !made.isBlank { text = made }
        return (showsHTML ? html.map(TextPart.init) : nil, text.map(TextPart.init))
    }

    private static func program(
        _ template: String?, as target: TemplateCompiler.Target, field: String, roots: inout TemplateRoots,
        limits: MessageLimits
    ) throws(MessageError) -> TemplateProgram? {
        guard let template else { return nil }
        return try MessageError.locating(field) { () throws(MessageError) in
            guard template.utf8.count <= limits.bodyOctets else {
                throw MessageError(
                    .bodyTooLarge, "\(target) has \(template.utf8.count) octets; \(limits.bodyOctets) are allowed")
            }
            guard !template.utf8.contains(0) else {
                throw MessageError(.invalidCharacter, "\(target) holds a NUL character")
            }
            return try TemplateCompiler.compile(template, as: target, roots: &roots, limits: limits)
        }
    }
}
