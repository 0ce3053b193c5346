/// Checks attachments and turns each into a MIME entity, encoded once per campaign.
enum AttachmentPart {
    static func check(_ attachments: [Attachment], limits: MessageLimits) throws(MessageError) {
        guard attachments.count <= limits.attachmentCount else {
            throw MessageError(
                .tooManyAttachments, "\(attachments.count) attachments; \(limits.attachmentCount) are allowed",
                field: "attachments")
        }
        let octets = attachments.reduce(0) { $0 + $1.content.count }
        guard octets <= limits.attachmentOctets else {
            throw MessageError(
                .attachmentTooLarge,
                "the attachments have \(octets) octets together; \(limits.attachmentOctets) are allowed",
                field: "attachments")
        }
        // Known before the work of encoding is done.
        let encodedOctets = attachments.reduce(0) { $0 + Base64.lineOctets(for: $1.content.count) }
        guard encodedOctets <= limits.messageOctets else {
            throw MessageError(
                .messageTooLarge,
                "the encoded attachments have \(encodedOctets) octets; \(limits.messageOctets) are allowed",
                field: "attachments")
        }
        var contentIDs: Set<String> = []
        for (index, attachment) in attachments.enumerated() {
            func fail(_ code: MessageError.Code, _ reason: String, _ field: String? = nil) -> MessageError {
                MessageError(
                    code, "attachment \(index + 1): \(reason)",
                    field: (["attachments", "\(index)"] + (field.map { [$0] } ?? [])).joined(separator: "."))
            }
            for text in [attachment.filename, attachment.contentType, attachment.contentID ?? ""]
            where text.withBytes(HeaderText.containsControl) {
                throw fail(.headerInjection, "a control character")
            }
            guard (1...MessageLimits.filenameOctets).contains(attachment.filename.utf8.count),
                !attachment.filename.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") })
            else {
                throw fail(
                    .invalidAttachment,
                    "its file name is 1 to \(MessageLimits.filenameOctets) octets without path separators", "filename")
            }
            guard !attachment.filename.contains("{{") else {
                throw fail(.invalidAttachment, "tags do not work in file names, which are the same for all", "filename")
            }
            guard let type = MediaType(attachment.contentType), !["multipart", "message"].contains(type.type) else {
                throw fail(
                    .invalidAttachment, "its content type is not one that an attachment can have", "content_type")
            }
            guard let contentID = attachment.contentID else { continue }
            guard (1...MessageLimits.identifierOctets).contains(contentID.utf8.count),
                contentID.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"<>\"".utf8.contains($0) })
            else {
                throw fail(
                    .invalidAttachment, "its content ID is printable ASCII without blanks and brackets", "content_id")
            }
            guard contentIDs.insert(contentID).inserted else {
                throw fail(.invalidAttachment, "its content ID was used before", "content_id")
            }
        }
    }

    /// - Parameter inline: whether the html shows it (RFC 2387), rather than the recipient opening it.
    static func entity(_ attachment: Attachment, inline: Bool) -> MIMEEntity {
        var fields = Array("Content-Type: ".utf8)
        fields += Array((MediaType(attachment.contentType)?.folded ?? "application/octet-stream").utf8)
        fields += Array("\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: ".utf8)
        fields += Array((inline ? "inline" : "attachment").utf8)
        MIMEParameter.append("filename", attachment.filename, to: &fields)
        if let contentID = attachment.contentID { fields += Array("\r\nContent-ID: <\(contentID)>".utf8) }
        fields += Array("\r\n".utf8)

        var body: [UInt8] = []
        body.reserveCapacity(Base64.lineOctets(for: attachment.content.count))
        attachment.content.withUnsafeBufferPointer { Base64.appendLines($0, to: &body) }
        // The delimiter that follows brings the last line's CRLF.
        if !body.isEmpty { body.removeLast(2) }
        return MIMEEntity(fields: fields, pieces: [.fixed(body)])
    }
}
