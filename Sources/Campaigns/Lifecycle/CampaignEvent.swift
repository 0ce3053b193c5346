/// What moves a campaign from one state to the next.
package enum CampaignEvent: String, CaseIterable, Sendable, Hashable {
    /// The customer wants it sent now.
    case send
    /// The customer wants it sent at a later time.
    case schedule
    /// A node claimed the first batch.
    case start
    case pause
    case resume
    case cancel
    /// An operator ends it.
    case fail
    /// The last batch is settled.
    case complete
}
