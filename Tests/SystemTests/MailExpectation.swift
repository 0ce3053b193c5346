/// What one recipient's copy must hold, for `check_mails.py`. Texts are as a reader sees them: decoded, lines ended by LF.
struct MailExpectation: Encodable {
    struct Attachment: Encodable, Equatable {
        let filename: String
        let type: String
        let disposition: String
        let contentID: String
        let octets: Int
        let sha256: String

        enum CodingKeys: String, CodingKey {
            case filename, type, disposition
            case contentID = "content_id"
            case octets, sha256
        }
    }

    /// For messages: which kind of mail it is.
    let shape: String
    /// The name as a reader sees it, and the address.
    var from: [String]
    /// The DKIM algorithms, one for each signature.
    var signatures: [String]
    /// The address in To where it is spelt otherwise than in the envelope.
    var to: String?
    var toName = ""
    var subject = ""
    var text: String?
    var html: String?
    /// As in `mixed(alternative(plain,html),pdf)`.
    var structure = "plain"
    /// Content-Transfer-Encoding by subtype; nil looks at none.
    var encodings: [String: String]?
    var replyTo: [String] = []
    var headers: [String: String] = [:]
    var attachments: [Attachment] = []

    enum CodingKeys: String, CodingKey {
        case shape, from, signatures, to
        case toName = "to_name"
        case subject, text, html, structure, encodings
        case replyTo = "reply_to"
        case headers, attachments
    }
}
