import MailMessage
import MailTypes

/// What was said of a recipient, in the order of its weight, and the verdict on it.
struct RefusalReader {
    private(set) var smtpCode: Int?
    private(set) var enhanced: EnhancedStatusCode?
    private var verdict: RuleVerdict?
    private var isBeforeRecipient = false
    private let isPermanent: Bool

    /// - Parameter isPermanent: somebody has given up, whatever the codes say.
    init(isPermanent: Bool) {
        self.isPermanent = isPermanent
    }

    /// The Status field. A code that says nothing but the class yields to one that is told later.
    mutating func read(status: EnhancedStatusCode?) {
        if let status { enhanced = status }
    }

    /// A reply, or a text around one. What an earlier text has decided by its words stays.
    mutating func read(_ text: [UInt8], _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        if Self.endsBeforeRecipient(text, range) { isBeforeRecipient = true }
        let range = range.prefix(ReplyText.readOctets)
        let reply = Self.replyCode(in: text, range)
        if smtpCode == nil { smtpCode = reply?.code }
        if enhanced == nil || enhanced?.saysNothing == true, let code = ReplyText.firstEnhancedCode(in: text, range) {
            if enhanced == nil || !code.saysNothing { enhanced = code }
        }
        var words = ReplyText()
        words.append(text, range)
        notePhase(words)
        guard verdict?.isFromWords != true else { return }
        // What the other server said means more than what stands around it.
        if let reply, reply.start > range.lowerBound + 3 {
            judge(text, reply.start..<Self.end(of: reply.start, text, range))
        }
        if verdict?.isFromWords != true { judge(words) }
    }

    /// A reply in brackets or quotation marks ends with them.
    private static func end(of start: Int, _ text: [UInt8], _ range: Range<Int>) -> Int {
        let close: UInt8
        switch text[start - 1] {
        case UInt8(ascii: "["): close = UInt8(ascii: "]")
        case UInt8(ascii: "\""): close = UInt8(ascii: "\"")
        default: return range.upperBound
        }
        return text.firstIndex(of: close, in: start..<range.upperBound) ?? range.upperBound
    }

    /// A transcript in which MAIL was the last command. Mail systems mark what they sent with `>`.
    private static func endsBeforeRecipient(_ text: [UInt8], _ range: Range<Int>) -> Bool {
        var hasSender = false
        var start = range.lowerBound
        while let mark = text.firstIndex(of: UInt8(ascii: ">"), in: start..<range.upperBound) {
            start = mark + 1
            var command = start
            while command < range.upperBound, text[command] == 0x20 { command += 1 }
            if text.holds("rcpt to", at: command, before: range.upperBound) { return false }
            if text.holds("data", at: command, before: range.upperBound) { return false }
            if text.holds("mail from", at: command, before: range.upperBound) { hasSender = true }
        }
        return hasSender
    }

    /// The phase counts even where the verdict stands: a server that has not heard of the recipient says "user unknown" of
    /// the sender.
    private mutating func notePhase(_ words: ReplyText) {
        let marks = NoticeTable.notices.marks(in: words.words, words.words.indices)
        if marks.contains(.textBeforeRecipient) { isBeforeRecipient = true }
    }

    /// Whether words say of a recipient that it does not exist or is full.
    var namesRecipient: Bool {
        guard let verdict, verdict.isFromWords else { return false }
        return [.hardBadMailbox, .hardInactive, .softMailboxFull].contains(verdict.rule.replyClass)
    }

    private mutating func judge(_ text: [UInt8], _ range: Range<Int>) {
        var words = ReplyText()
        words.append(text, range)
        judge(words)
    }

    private mutating func judge(_ words: ReplyText) {
        let reply = RuleTable.Reply(code: smtpCode ?? 0, enhanced: enhanced, isPermanent: isPermanent)
        guard let found = RuleTable.replies.verdict(reply, words.words, words.words.indices) else { return }
        if found.isFromWords || verdict == nil { verdict = found }
    }

    /// What the codes alone tell.
    mutating func readCodes() {
        guard verdict == nil else { return }
        let reply = RuleTable.Reply(code: smtpCode ?? 0, enhanced: enhanced, isPermanent: isPermanent)
        verdict = RuleTable.replies.verdict(reply, [], 0..<0)
    }

    func classification(of address: String?) -> RecipientClassification {
        var reason = verdict?.rule.reason ?? (isPermanent ? .undefined : .expired)
        var replyClass = verdict?.rule.replyClass ?? .other
        if isBeforeRecipient, !replyClass.isAboutSender, reason.condemns != .no {
            (reason, replyClass) = (.rejected, .relayConfig)
        }
        let hardness = isPermanent ? reason.condemns : .no
        return RecipientClassification(
            address: address, enhanced: enhanced, smtpCode: smtpCode, hardness: hardness, reason: reason.rawValue,
            replyClass: replyClass, consequence: Self.consequence(replyClass, hardness), rule: verdict?.rule.rule,
            phrase: verdict?.phrase)
    }

    /// Only a mailbox or a domain that takes no mail is suppressed: whatever is about the sender is not the address's
    /// fault.
    static func consequence(_ replyClass: ReplyClass, _ hardness: FeedbackHardness) -> FeedbackConsequence {
        switch replyClass {
        case .hardBadMailbox, .hardBadDomain: hardness == .yes ? .suppress : .retry
        case .softRateLimited: .slowDown
        case .blockSpamPolicy, .blockReputation, .blockAuth, .messageContent, .relayConfig, .tls: .tellOperator
        case .hardInactive, .softMailboxFull, .softGreylist, .messageTooLarge, .other: .retry
        }
    }

    /// The first three digits that look like a refusal's code.
    static func replyCode(in text: [UInt8], _ range: Range<Int>) -> (code: Int, start: Int)? {
        var index = range.lowerBound
        while index + 2 < range.upperBound {
            defer { index += 1 }
            guard text[index] == UInt8(ascii: "4") || text[index] == UInt8(ascii: "5"), text[index + 1].isDigit,
                text[index + 2].isDigit, text[index + 1] <= UInt8(ascii: "7")
            else { continue }
            if index > range.lowerBound, !Self.mayPrecede(text[index - 1]) { continue }
            guard index + 3 == range.upperBound || Self.mayFollow(text, index + 3, range.upperBound) else { continue }
            let digits = text[index..<(index + 3)]
            return (digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }, index)
        }
        return nil
    }

    private static func mayPrecede(_ octet: UInt8) -> Bool {
        octet.isBlank
            || [
                UInt8(ascii: ":"), UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: "("), UInt8(ascii: "'"),
                UInt8(ascii: "["), UInt8(ascii: "#"), UInt8(ascii: ";"),
            ].contains(octet)
    }

    private static func mayFollow(_ text: [UInt8], _ index: Int, _ end: Int) -> Bool {
        let octet = text[index]
        if octet.isBlank || octet == UInt8(ascii: ":") || octet == UInt8(ascii: ",") || octet == UInt8(ascii: ")") {
            return true
        }
        guard octet == UInt8(ascii: "-") else { return false }
        // A reply's line that goes on, not a telephone number.
        return index + 1 == end || !text[index + 1].isDigit || (index + 2 < end && text[index + 2] == UInt8(ascii: "."))
    }
}

extension EnhancedStatusCode {
    /// x.0.0, or a class and a subject alone
    var saysNothing: Bool { detail == 0 && subject == 0 }
}
