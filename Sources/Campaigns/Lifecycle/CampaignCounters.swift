package import MailTypes

/// How many of a campaign's recipients stand where. Pending, deferred and the outcomes always sum to the recipients.
package struct CampaignCounters: Sendable, Hashable {
    /// Everything imported, with those that were suppressed already.
    package var recipients = 0
    package var delivered = 0
    package var bounced = 0
    package var expired = 0
    package var suppressed = 0
    package var invalid = 0
    package var cancelled = 0
    /// Final: the answer was lost and the mail was not sent again.
    package var inDoubt = 0
    /// Waiting for another attempt after a temporary refusal. Not final.
    package var deferred = 0
    /// Mails sent again after an answer was lost. Not part of the sum: each of those has an outcome of its own.
    package var inDoubtResent = 0

    package init() {}

    /// Recipients with a final outcome.
    package var finished: Int { delivered + bounced + expired + suppressed + invalid + cancelled + inDoubt }

    /// Not tried yet, or under way for the first time.
    package var pending: Int { recipients - finished - deferred }

    package subscript(outcome: Outcome) -> Int {
        switch outcome {
        case .delivered: delivered
        case .bounced: bounced
        case .expired: expired
        case .suppressed: suppressed
        case .invalid: invalid
        case .cancelled: cancelled
        case .inDoubt: inDoubt
        }
    }
}
