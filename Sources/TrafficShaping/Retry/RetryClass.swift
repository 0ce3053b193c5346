package import MailTypes

/// Why a mail was refused for now, as far as it tells when to come back.
package enum RetryClass: String, CaseIterable, Sendable, Hashable {
    /// The receiver wants to see the mail again (RFC 6647).
    case greylisting
    /// The mailbox has no room.
    case mailboxFull
    /// Too much, too fast, or the sender's standing is low for the moment. Lane and rules do the waiting.
    case throttled
    /// Refused for good, and yet tried again: for what the sender is, does or sends, or because the operator believes no
    /// permanent refusal. Never what ``init(code:enhanced:text:)`` makes of a reply. Lists and records change in an hour at
    /// best.
    case blocked
    /// No reply: no connection, or none that lasted; or the receiver could not reach somebody it needs.
    case unreachable
    case other

    /// - Parameters:
    ///   - code: 400…599; 0 where no reply came.
    ///   - enhanced: the enhanced code of the reply, if it has one.
    ///   - text: all lines, joined by anything.
    package init(code: Int, enhanced: EnhancedStatusCode?, text: String) {
        guard code != 0 else {
            self = .unreachable
            return
        }
        let text = PlainReply(text)
        let row = Self.words.first { row in row.phrases.contains(where: text.contains) }
        self = row?.retryClass ?? enhanced.flatMap(Self.init) ?? .other
    }

    /// RFC 3463 §3 and the numbers that large receivers document.
    private init?(_ enhanced: EnhancedStatusCode) {
        switch (enhanced.subject, enhanced.detail) {
        case (2, 2): self = .mailboxFull
        case (4, 1...4): self = .unreachable
        case (4, 5), (7, 28), (7, 500): self = .throttled
        default: return nil
        }
    }

    private struct Row: Sendable {
        let retryClass: RetryClass
        let phrases: [PlainReply]

        init(_ retryClass: RetryClass, _ phrases: [String]) {
            self.retryClass = retryClass
            self.phrases = phrases.map(PlainReply.init)
        }
    }

    /// Words say more than codes: 4.2.1, 4.7.0 and 4.7.1 stand for nearly everything. The first row that holds decides.
    private static let words: [Row] = [
        // A policy for the mail or the session, not a limit of its pace.
        Row(.other, ["per transaction", "separate transaction", "verification in progress", "login attempts"]),
        Row(
            .greylisting,
            ["greylist", "graylist", "grey-list", "gray-list", "grey list", "postgrey", "first time sender"]),
        Row(
            .throttled,
            ["quota for sending", "sending quota", "sending limit", "daily limit", "email quota exceeded"]),
        Row(
            .mailboxFull,
            [
                "over quota", "overquota", "quota exceeded", "exceeded quota", "exceeds quota", "out of storage",
                "mailbox full", "mailbox is full", "mailbox quota", "mailbox has exceeded", "inbox is full",
                "too many messages on", "insufficient system storage", "not enough space", "storage quota",
                "quota full", "full mailbox",
            ]),
        Row(
            .throttled,
            [
                "rate limit", "ratelimit", "rate-limit", "throttl", "too many", "too much", "too quickly", "too fast",
                "too frequent", "at a rate that", "unusual rate", "unusual amount", "server busy", "server is busy",
                "system busy", "slow down", "temporarily deferred", "permanently deferred", "connection limit",
                "concurrent", "per connection", "per hour", "per minute", "per day", "unexpected volume",
                "message limit", "service refuse", "exceeded the",
            ]),
        Row(
            .greylisting,
            ["try again in", "retry in", "come back in", "try again after", "retry after", "temporarily rejected"]),
    ]
}
