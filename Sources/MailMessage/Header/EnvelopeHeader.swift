import MailTypes

/// The header fields that each copy has of its own: To, Date, Message-ID, the unsubscribing ones, those of feedback loops.
///
/// The values come from the delivery engine. They are checked here all the same: this is the last place before the
/// octets leave, and each copy is signed as it is.
enum EnvelopeHeader {
    static func appendTo(_ recipient: MergeRecipient, into message: inout RenderedMessage) {
        append("To:", to: &message.bytes)
        var column = 3
        var name = message.takeText()
        recipient.name?.withBytes { HeaderText.appendCollapsed($0, to: &name) }
        name.withUnsafeBufferPointer {
            HeaderText.appendMailbox(name: $0, address: recipient.address, to: &message.bytes, column: &column)
        }
        message.scratch.text = name
        append("\r\n", to: &message.bytes)
    }

    static func appendDate(_ seconds: Int64, to output: inout [UInt8]) throws(RenderError) {
        guard MailDate.validSeconds.contains(seconds) else { throw .invalidField(field: "Date") }
        append("Date: ", to: &output)
        MailDate.append(seconds, to: &output)
        append("\r\n", to: &output)
    }

    static func appendMessageID(_ messageID: String, to output: inout [UInt8]) throws(RenderError) {
        try check(messageID, "Message-ID", upTo: MessageLimits.messageIDOctets, allowsBlanks: false)
        let ats = messageID.utf8.count { $0 == UInt8(ascii: "@") }
        guard ats == 1, messageID.utf8.first != UInt8(ascii: "@"), messageID.utf8.last != UInt8(ascii: "@") else {
            throw .invalidField(field: "Message-ID")
        }
        append("Message-ID: <", to: &output)
        output.append(contentsOf: messageID.utf8)
        append(">\r\n", to: &output)
    }

    /// What stands before each URI but the first.
    static let nextURI: StaticString = ",\r\n <"

    /// RFC 2369 §3.2 and RFC 8058 §3.1. Ours come first, for clients take the leftmost that they can use: the one click
    /// is a promise of our URI alone.
    ///
    /// - Parameter own: the customer's.
    static func appendListUnsubscribe(
        _ envelope: MessageEnvelopeFields, _ own: UnsubscribeTemplates, into message: inout RenderedMessage,
        missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        let before = message.bytes.count
        var written = UnsubscribeTemplates.Written(separator: listUnsubscribe)
        for uri in envelope.listUnsubscribe {
            try check(uri, "List-Unsubscribe", upTo: MessageLimits.unfoldableOctets, allowsBlanks: false)
            append(written.separator, to: &message.bytes)
            message.bytes.append(contentsOf: uri.utf8)
            append(">", to: &message.bytes)
            written.separator = nextURI
        }
        try own.render(into: &message, &written, missingVariables: missingVariables, limits: limits)
        guard message.bytes.count > before else { return }
        append("\r\n", to: &message.bytes)
        guard envelope.oneClick, envelope.unsubscribeURL != nil else { return }
        append(oneClick, to: &message.bytes)
    }

    private static let listUnsubscribe: StaticString = "List-Unsubscribe: <"
    private static let oneClick: StaticString = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"

    /// The fields of a mail whose recipient unsubscribes with the customer alone. An https URI takes the one click, and
    /// there may be but one (RFC 8058 §3.1). A mail that nobody could unsubscribe from is not written.
    ///
    /// - Parameter message: still empty, and empty again when it returns.
    /// - Returns: the fields, and the https URI
    static func ownListUnsubscribe(
        _ own: UnsubscribeTemplates, into message: inout RenderedMessage, missingVariables: MissingVariablePolicy,
        limits: MessageLimits
    ) throws(RenderError) -> (fields: [UInt8], url: String?) {
        var written = UnsubscribeTemplates.Written(separator: listUnsubscribe)
        try own.render(into: &message, &written, missingVariables: missingVariables, limits: limits)
        guard !message.bytes.isEmpty, written.urls <= 1 else { throw .invalidField(field: "List-Unsubscribe") }
        append("\r\n", to: &message.bytes)
        if written.url != nil { append(oneClick, to: &message.bytes) }
        defer { message.bytes.removeAll(keepingCapacity: true) }
        return (message.bytes, written.url.map { String(decoding: message.bytes[$0], as: UTF8.self) })
    }

    static func appendFeedbackID(_ feedbackID: String?, to output: inout [UInt8]) throws(RenderError) {
        guard let feedbackID else { return }
        try check(feedbackID, "Feedback-ID", upTo: MessageLimits.unfoldableOctets, allowsBlanks: true)
        append("Feedback-ID: ", to: &output)
        output.append(contentsOf: feedbackID.utf8)
        append("\r\n", to: &output)
    }

    /// RFC 9477 §3
    static func appendComplaintFields(
        _ envelope: MessageEnvelopeFields, to output: inout [UInt8]
    ) throws(RenderError) {
        guard let address = envelope.complaintAddress else { return }
        try check(address, "CFBL-Address", upTo: MessageLimits.unfoldableOctets, allowsBlanks: true)
        append("CFBL-Address: ", to: &output)
        output.append(contentsOf: address.utf8)
        append("\r\n", to: &output)
        guard let identifier = envelope.complaintID else { return }
        try check(identifier, "CFBL-Feedback-ID", upTo: MessageLimits.unfoldableOctets, allowsBlanks: false)
        append("CFBL-Feedback-ID: ", to: &output)
        output.append(contentsOf: identifier.utf8)
        append("\r\n", to: &output)
    }

    /// Printable ASCII without angle brackets.
    private static func check(
        _ text: String, _ field: String, upTo octets: Int, allowsBlanks: Bool
    ) throws(RenderError) {
        guard !text.withBytes(HeaderText.containsControl) else { throw .headerInjection(field: field) }
        let lowest: UInt8 = allowsBlanks ? 0x20 : 0x21
        let isValid = text.withBytes { bytes in
            (1...octets).contains(bytes.count)
                && bytes.allSatisfy {
                    (lowest...0x7E).contains($0) && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">")
                }
        }
        guard isValid else { throw .invalidField(field: field) }
    }

    static func append(_ text: StaticString, to output: inout [UInt8]) {
        text.withUTF8Buffer { output.append(contentsOf: $0) }
    }
}
