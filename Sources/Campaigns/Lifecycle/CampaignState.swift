/// Where a campaign stands. The raw values are stored and part of the API; never rename them.
package enum CampaignState: String, CaseIterable, Sendable, Hashable {
    /// Takes recipients. Nothing is reserved yet.
    case draft
    /// Credits are held; the first mail waits for the chosen time.
    case scheduled
    /// Credits are held; the first batch waits for a node.
    case queued
    case sending
    /// No new mail starts. Mails under way end.
    case paused
    /// Every recipient has its final outcome.
    case completed
    /// No more mail starts. Outcomes of mails that were under way still count.
    case cancelled

    /// The state after `event`, or nil where the event is not allowed.
    package func applying(_ event: CampaignEvent) -> CampaignState? {
        switch (self, event) {
        case (.draft, .send): .queued
        case (.draft, .schedule): .scheduled
        case (.queued, .start), (.scheduled, .start): .sending
        case (.queued, .pause), (.sending, .pause): .paused
        case (.paused, .resume): .sending
        case (.draft, .cancel), (.scheduled, .cancel), (.queued, .cancel), (.sending, .cancel), (.paused, .cancel):
            .cancelled
        // A draft is the customer's alone.
        case (.scheduled, .fail), (.queued, .fail), (.sending, .fail), (.paused, .fail): .cancelled
        // Without `start` before it where every recipient was suppressed at the import: nothing is ever claimed.
        case (.queued, .complete), (.scheduled, .complete), (.sending, .complete): .completed
        default: nil
        }
    }

    /// Whether nothing more happens to the campaign's recipients.
    package var isFinal: Bool { self == .completed || self == .cancelled }
}
