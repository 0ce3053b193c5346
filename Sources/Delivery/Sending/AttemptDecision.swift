import Campaigns
import Feedback
import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping

/// What a report means for its recipient: pure decision, no I/O.
enum AttemptDecision: Equatable {
    case final(Outcome)
    /// Try again later; `countsAsInDoubt` when this attempt may have delivered the mail.
    case retry(countsAsInDoubt: Bool)

    /// - Parameters:
    ///   - isExpired: the campaign gives up on recipients that were not reached by now.
    ///   - resendsLeft: how often the mail may be sent again after an answer was lost.
    ///   - bounces: what a refusal means for its mail; nil where the verdict says it.
    init(_ verdict: DeliveryReport.Verdict, isExpired: Bool, resendsLeft: Int, bounces: Bool? = nil) {
        self =
            switch verdict {
            case .accepted: .final(.delivered)
            case .permanent: bounces ?? true || isExpired ? .final(.bounced) : .retry(countsAsInDoubt: false)
            case .temporary where bounces == true: .final(.bounced)
            case .temporary: isExpired ? .final(.expired) : .retry(countsAsInDoubt: false)
            case .inDoubt: resendsLeft > 0 && !isExpired ? .retry(countsAsInDoubt: true) : .final(.inDoubt)
            }
    }
}

extension RecipientReply {
    /// The reply that decided, or what was missing: nothing personal beyond what the reply holds.
    init(_ report: DeliveryReport) {
        if let reply = report.reply {
            self.init(code: UInt16(clamping: reply.code), enhanced: reply.enhanced, text: reply.words)
        } else {
            self.init(enhanced: report.enhanced, text: report.reason)
        }
    }
}

extension DeliveryReport {
    /// What a permanent refusal tells of the address.
    var finding: AddressFinding {
        guard verdict == .permanent else { return .nothing }
        guard let reply else { return namesDeadDomain ? .dead : .nothing }
        guard isAboutRecipient else { return .nothing }
        switch ReplyClassifier.classify(code: reply.code, enhanced: reply.enhanced, text: reply.words).replyClass {
        case .hardBadMailbox: return .missing
        case .hardInactive, .hardBadDomain: return .dead
        default: return .nothing
        }
    }

    /// A mail has one recipient, so a refusal after its RCPT may be about it in any phase: large receivers say only after
    /// the final dot that there is no such mailbox. Before RCPT nobody knows it.
    private var isAboutRecipient: Bool {
        switch phase {
        case .rcpt, .data, .content, .finalDot: blame != .connection
        default: false
        }
    }

    /// The domain does not exist (RFC 3463 §3.2, X.1.2) or takes no mail (RFC 7505 §4.1, X.1.10).
    private var namesDeadDomain: Bool {
        enhanced == EnhancedStatusCode("5.1.2") || enhanced == EnhancedStatusCode("5.1.10")
    }
}

extension RetryClass {
    /// From the whole reply, of which only the beginning is kept.
    init(_ report: DeliveryReport) {
        self = Self.of(report.reply?.code ?? 0, report.enhanced, report.reply?.words ?? "")
    }

    init(_ reply: RecipientReply) {
        self = Self.of(Int(reply.code), reply.enhanced, reply.text)
    }

    /// A permanent refusal is retried only where it is about the sender.
    private static func of(_ code: Int, _ enhanced: EnhancedStatusCode?, _ text: String) -> RetryClass {
        code >= 500 ? .blocked : RetryClass(code: code, enhanced: enhanced, text: text)
    }
}

extension SMTPReply {
    /// All lines as one.
    fileprivate var words: String { lines.joined(separator: " ") }
}
