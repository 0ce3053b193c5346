import Feedback
import MailTypes

/// Whether a bounce condemns the address. The provider has said that it is final; what the receiver wrote can only make it
/// milder: providers call a full mailbox, a block of the sender or a message that is too large “permanent” too.
struct BounceJudgement: Sendable {
    let fact: FeedbackFact
    let reason: String
    let enhanced: EnhancedStatusCode?
    let smtpCode: Int?

    /// - Parameters:
    ///   - isPermanent: as the provider says
    ///   - text: what the receiver wrote, as far as it is repeated
    ///   - reason: where the text tells none
    init(
        isPermanent: Bool, code: Int64? = nil, status: String? = nil, text: String?, reason: FeedbackReason = .undefined
    ) {
        let enhanced = status.flatMap { EnhancedStatusCode(leading: Array($0.utf8)) }
        let smtpCode = code.flatMap { (400...599).contains($0) ? Int($0) : nil }
        let classified = ReplyClassifier.classify(
            code: smtpCode ?? (isPermanent ? 550 : 450), enhanced: enhanced, text: text ?? "")
        // A rule that only a code has decided says less than a provider that has read the whole answer.
        let isKnown =
            classified.rule != nil && (classified.phrase != nil || enhanced.map { !$0.saysOnlyItsClass } ?? false)
        let isMilder =
            classified.replyClass.isAboutSender || !classified.isPermanent
            || [.softMailboxFull, .softGreylist, .messageTooLarge].contains(classified.replyClass)
        fact = isPermanent && !(isKnown && isMilder) ? .hardBounce : .softBounce
        self.reason = (isKnown && classified.reason != .undefined ? classified.reason : reason).rawValue
        self.enhanced = classified.enhanced
        self.smtpCode = smtpCode
    }

    /// Where the provider leaves no doubt and no receiver has said anything.
    init(_ fact: FeedbackFact, _ reason: FeedbackReason) {
        self.fact = fact
        self.reason = reason.rawValue
        enhanced = nil
        smtpCode = nil
    }
}

extension EnhancedStatusCode {
    fileprivate var saysOnlyItsClass: Bool { subject == 0 && detail == 0 }
}
