/// A part of a mail, or the whole of it (RFC 2045 §2.4). Messages inside are not taken apart: see ``message``.
package struct ReceivedPart: Sendable {
    package let header: ReceivedHeader
    package let contentType: ReceivedContentType
    let octets: [UInt8]
    /// Of the mail's octets.
    package let body: Range<Int>
    /// Of a multipart that could be taken apart.
    package let children: [ReceivedPart]

    package var mediaType: String { contentType.mediaType }

    /// The parts without children in their order, this one where it has none.
    package var leaves: [ReceivedPart] { children.isEmpty ? [self] : children.flatMap(\.leaves) }

    /// Its octets without the transfer encoding, and no more than `limit` of them.
    package func content(limit: Int = ReadingLimits.textOctets) -> [UInt8] {
        let encoding = header.first("content-transfer-encoding") ?? []
        if encoding.holds("base64", at: 0, before: encoding.count) {
            return TransferDecoding.base64(octets, in: body, limit: limit)
        }
        if encoding.holds("quoted-printable", at: 0, before: encoding.count) {
            return TransferDecoding.quotedPrintable(octets, in: body, limit: limit)
        }
        return Array(octets[body.prefix(limit)])
    }

    /// Its content as text in UTF-8, HTML without its tags.
    package func text(limit: Int = ReadingLimits.textOctets) -> [UInt8] {
        let text = ReceivedCharset.decode(content(limit: limit), label: contentType.charset)
        return mediaType == "text/html" ? HTMLReader.text(of: text) : text
    }

    /// The mail inside a `message/rfc822` or `text/rfc822-headers`.
    package var message: ReceivedMail {
        ReceivedMail(header.has("content-transfer-encoding") ? content() : Array(octets[body]))
    }
}
