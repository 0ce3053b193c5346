import MailTypes

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension MessageContent {
    /// JSON with sorted keys, so that equal content encodes to equal octets; attachments in base64. Meant to be sealed
    /// and stored: it is as private as the message.
    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(StoredContent(self)) else {
            // Strings, Data and arrays of them have no value that JSON cannot hold.
            preconditionFailure("message content could not be encoded")
        }
        return [UInt8](data)
    }

    /// - Throws: `undecodable` for anything that `encoded()` did not make.
    package init(decoding bytes: [UInt8]) throws(MessageError) {
        guard let stored = try? JSONDecoder().decode(StoredContent.self, from: Data(bytes)) else {
            throw MessageError(.undecodable, "the stored message content is not of the expected form")
        }
        guard stored.version == StoredContent.currentVersion else {
            throw MessageError(.undecodable, "the stored message content has version \(stored.version)")
        }
        self = try stored.content()
    }
}

/// The stored form. Names are part of the format: a change of meaning needs a new version.
private struct StoredContent: Codable {
    static let currentVersion = 1

    struct StoredMailbox: Codable {
        var name: String?
        var address: String

        init(_ mailbox: Mailbox) {
            name = mailbox.name
            address = mailbox.address.text
        }

        func mailbox() throws(MessageError) -> Mailbox {
            guard let address = try? EmailAddress(address) else {
                throw MessageError(.undecodable, "a stored address is not valid")
            }
            return try Mailbox(name: name, address: address)
        }
    }

    struct StoredHeader: Codable {
        var name: String
        var value: String
    }

    struct StoredAttachment: Codable {
        var filename: String
        var contentType: String
        var content: Data
        var contentID: String?
    }

    var version: Int
    var from: StoredMailbox
    var replyTo: [StoredMailbox]
    var subject: String
    var html: String?
    var text: String?
    var headers: [StoredHeader]
    /// Nil for none.
    var listUnsubscribe: [String]?
    /// Nil for the server.
    var unsubscribing: UnsubscribePolicy?
    var attachments: [StoredAttachment]
    var missingVariables: MissingVariablePolicy
    /// Nil where it was stored before there was a choice: then html went out alone.
    var textPart: TextPartPolicy?

    init(_ content: MessageContent) {
        version = Self.currentVersion
        from = StoredMailbox(content.from)
        replyTo = content.replyTo.map(StoredMailbox.init)
        subject = content.subject
        html = content.html
        text = content.text
        headers = content.headers.map { StoredHeader(name: $0.name, value: $0.value) }
        listUnsubscribe = content.listUnsubscribe.isEmpty ? nil : content.listUnsubscribe
        unsubscribing = content.unsubscribing == .server ? nil : content.unsubscribing
        attachments = content.attachments.map {
            StoredAttachment(
                filename: $0.filename, contentType: $0.contentType, content: Data($0.content),
                contentID: $0.contentID)
        }
        missingVariables = content.missingVariables
        textPart = content.textPart
    }

    func content() throws(MessageError) -> MessageContent {
        var replies: [Mailbox] = []
        for stored in replyTo { replies.append(try stored.mailbox()) }
        return MessageContent(
            from: try from.mailbox(),
            replyTo: replies,
            subject: subject,
            html: html,
            text: text,
            headers: headers.map { (name: $0.name, value: $0.value) },
            listUnsubscribe: listUnsubscribe ?? [],
            unsubscribing: unsubscribing ?? .server,
            attachments: attachments.map {
                Attachment(
                    filename: $0.filename, contentType: $0.contentType, content: [UInt8]($0.content),
                    contentID: $0.contentID)
            },
            missingVariables: missingVariables,
            textPart: textPart ?? .none)
    }
}
