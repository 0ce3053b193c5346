import MailTypes
import SMTPProtocol

/// The text of a refusal. `{recipient}` and `{token}`, a number as servers put it into their logs, are filled in.
struct ReplyTemplate {
    let code: Int
    let enhanced: EnhancedStatusCode?
    let lines: [String]

    init(_ code: Int, _ enhanced: String, _ lines: String...) {
        self.code = code
        self.enhanced = EnhancedStatusCode(enhanced)
        self.lines = lines
    }

    func reply(to path: SMTPPath, _ digest: RecipientDigest) -> SMTPReply {
        let token = String(digest.draw(.token), radix: 36)
        return SMTPReply(
            code, enhanced,
            lines.map {
                $0.replacing("{recipient}", with: path.text).replacing("{token}", with: token)
            })
    }
}
