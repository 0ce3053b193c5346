import Campaigns
import Feedback
import MailTypes
import SMTPProtocol
import SMTPTransport

/// What a report means for its recipient: pure decision, no I/O.
enum Verdict: Equatable {
    case final(Outcome)
    /// Try again later; `countsAsInDoubt` when this attempt may have delivered the mail.
    case later(countsAsInDoubt: Bool)

    /// - Parameters:
    ///   - isExpired: the campaign gives up on recipients that were not reached by now.
    ///   - resendsInDoubt: the campaign's choice for answers that were lost.
    ///   - bounces: what a refusal means for its mail; nil where the verdict says it.
    init(_ verdict: DeliveryReport.Verdict, isExpired: Bool, resendsInDoubt: Bool, bounces: Bool? = nil) {
        self =
            switch verdict {
            case .accepted: .final(.delivered)
            case .permanent: bounces ?? true || isExpired ? .final(.bounced) : .later(countsAsInDoubt: false)
            case .temporary where bounces == true: .final(.bounced)
            case .temporary: isExpired ? .final(.expired) : .later(countsAsInDoubt: false)
            case .inDoubt: resendsInDoubt && !isExpired ? .later(countsAsInDoubt: true) : .final(.inDoubt)
            }
    }
}

/// What the other side, or the lack of one, said about a recipient, without personal data beyond what the reply holds.
struct Diagnosis: Sendable {
    var code: UInt16 = 0
    var enhanced: EnhancedStatusCode?
    var text: String

    init(code: UInt16 = 0, enhanced: EnhancedStatusCode? = nil, text: String) {
        self.code = code
        self.enhanced = enhanced
        self.text = text
    }

    init(_ report: DeliveryReport) {
        if let reply = report.reply {
            self.init(
                code: UInt16(clamping: reply.code), enhanced: reply.enhanced, text: reply.lines.joined(separator: " "))
        } else {
            self.init(enhanced: report.enhanced, text: report.reason)
        }
    }

    init(_ result: RecipientResult) {
        self.init(code: result.code, enhanced: result.enhanced, text: result.text)
    }

    /// Whether the reply says for good that there is no such mailbox.
    var namesMissingMailbox: Bool {
        code != 0 && ReplyClassifier.classify(code: Int(code), enhanced: enhanced, text: text).suppresses
    }

    /// Whether the account must not mail the address again: a permanent refusal that names the mailbox.
    func suppresses(_ report: DeliveryReport) -> Bool {
        report.verdict == .permanent && report.blame == .recipient && namesMissingMailbox
    }
}
