/// A file that goes with the message.
package struct Attachment: Sendable, Hashable {
    /// What the recipient sees; UTF-8, without path separators.
    package var filename: String
    /// A media type, such as `application/pdf` or `text/calendar; method=REQUEST`. `multipart/…` and `message/…` are
    /// refused: their content must not be base64 (RFC 2046 §5.1, §5.2.1).
    package var contentType: String
    /// As is; encoded once per campaign.
    package var content: [UInt8]
    /// Makes it an inline image: the html refers to it as `cid:<contentID>` (RFC 2392). Without angle brackets.
    package var contentID: String?

    package init(filename: String, contentType: String, content: [UInt8], contentID: String? = nil) {
        self.filename = filename
        self.contentType = contentType
        self.content = content
        self.contentID = contentID
    }
}
