package import MailTypes

/// A campaign as its account sees it. Times are seconds since 1970.
package struct Campaign: Sendable, Hashable {
    package let account: AccountID
    package let id: CampaignID
    package let state: CampaignState
    package let fromDomain: String
    package let inDoubt: InDoubtPolicy
    package let requiresTLS: Bool
    /// The pool of source addresses that it asks for; nil for the one of its account.
    package let sourcePool: String?
    package let expirySeconds: Int
    /// Most mails in an hour, all nodes together; nil without a cap.
    package let ratePerHour: Int?
    package let counters: CampaignCounters
    package let createdAt: Int64
    package let scheduledAt: Int64?
    package let queuedAt: Int64?
    package let startedAt: Int64?
    package let pausedAt: Int64?
    /// What paused it, where nobody asked for that: a share of its mail was refused for its sender.
    package let pauseReason: String?
    /// When temporary failures become final. Moves with each pause.
    package let expiresAt: Int64?
    package let completedAt: Int64?
    /// When an operator ended it: what was not sent counts as bounced.
    package let failedAt: Int64?
    /// Until when the outcomes can be read; nil before the end, and where they are destroyed with it.
    package let resultsUntil: Int64?
    /// When recipients and outcomes were destroyed.
    package let purgedAt: Int64?
    /// For so many seconds after the end its outcomes can be read; 0: the end destroys them.
    package let resultsSeconds: Int
    /// For so many seconds after the end a bounce is refunded; 0: never.
    let refundSeconds: Int
    /// What will keep it from being sent, as known when it was made; nil at any other time.
    package var warnings: [ReachWarning]?
    let batchSize: Int32
    let nextBatch: Int32
    let openBatches: Int32

    /// The outcome of recipients that a cancellation, or an operator's end, finds without one.
    var unfinishedOutcome: Outcome { failedAt == nil ? .cancelled : .bounced }

    /// Whether every recipient has its outcome and nothing more happens to the campaign but its purge.
    package var hasEnded: Bool { purgedAt != nil || resultsUntil != nil }

    /// Whether every recipient of what was sent has its outcome.
    package var isDone: Bool {
        state != .draft && openBatches == 0 && counters.finished == counters.recipients
    }

    /// Whether only the end is left to do.
    var isFinishing: Bool {
        !hasEnded && openBatches == 0 && (state == .cancelled || state.applying(.complete) != nil)
    }
}
