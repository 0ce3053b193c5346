import Feedback
import MailTypes
import SMTPProtocol
import TrafficShaping

/// What a refusal means: for its mail, whether it bounces; for its lane, what to do.
///
/// The provider's rule decides where one speaks of the reply. Otherwise the reply's text and place do: whoever refuses
/// for what the sender is, does or sends may take the same mail later, so that it is tried again and the lane soon rests
/// (``ReplyAction/block``).
struct Refusal: Equatable {
    let isPermanent: Bool
    let action: ReplyAction?

    /// Nil where the attempt did not end with a refusal of the server.
    init?(_ report: DeliveryReport, _ provider: Provider) {
        guard report.verdict != .accepted, let reply = report.reply, reply.code >= 400 else { return nil }
        isPermanent = report.verdict == .permanent
        let text = reply.lines.joined(separator: " ")
        action =
            provider.action(for: reply.code, enhanced: reply.enhanced, text: text)
            ?? Self.impliedAction(reply, text, in: report.phase)
    }

    init(isPermanent: Bool, action: ReplyAction?) {
        self.isPermanent = isPermanent
        self.action = action
    }

    /// Whether the refusal is about the sender, as far as anybody says.
    var isBlock: Bool {
        switch action {
        case .block, .suspend, .rotateSource: true
        case .slowDown: isPermanent
        case .bounce, .retry, .markMailbox, .ignore, nil: false
        }
    }

    /// What the lane of a smarthost is told: refusals come from behind it, and say nothing of its own unless a rule does.
    var ofRelay: Refusal { action == .block ? Refusal(isPermanent: isPermanent, action: nil) : self }

    /// Whether it says something of us, or decides the mail's fate: the next host of the destination would say the same.
    var isAboutSender: Bool {
        switch action {
        case .slowDown, .suspend, .rotateSource, .block, .bounce, .retry: true
        case .markMailbox, .ignore, nil: false
        }
    }

    /// - Parameter attempts: at the recipient, this one included.
    func bounces(_ policy: RefusalPolicy, attempts: Int) -> Bool {
        switch action {
        case .bounce: true
        case .block, .suspend, .rotateSource, .slowDown, .retry:
            isPermanent && !policy.isSoft && attempts >= policy.mostAttempts
        case .markMailbox, .ignore, nil: isPermanent && !policy.isSoft
        }
    }

    private static func impliedAction(_ reply: SMTPReply, _ text: String, in phase: SMTPPhase) -> ReplyAction? {
        let found = ReplyClassifier.classify(code: reply.code, enhanced: reply.enhanced, text: text)
        if found.replyClass.isAboutSender, reply.isPermanent || Self.isStanding(found.replyClass) { return .block }
        return reply.isPermanent && isBeforeRecipient(phase) && found.replyClass == .other ? .block : nil
    }

    /// Said for now, only a verdict on the sender's standing is a block: pace and greylisting have rules of their own.
    private static func isStanding(_ replyClass: ReplyClass) -> Bool {
        replyClass == .blockReputation || replyClass == .blockAuth
    }

    /// What is refused before RCPT has no recipient to be about (RFC 5321 §3.3).
    private static func isBeforeRecipient(_ phase: SMTPPhase) -> Bool {
        switch phase {
        case .connect, .greeting, .ehlo, .startTLS, .auth, .mail: true
        case .rcpt, .data, .content, .finalDot, .quit: false
        }
    }
}
