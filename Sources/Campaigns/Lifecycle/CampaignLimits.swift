import MailTypes

/// The bounds of campaigns, in one place. Those of uploads are with the importer.
package enum CampaignLimits {
    /// Seconds after which temporary failures become final.
    package static let expirySeconds: ClosedRange<Int> = 60...2_592_000
    package static let defaultExpirySeconds = 172_800
    /// Mails in an hour that a campaign may be capped at.
    package static let ratePerHour: ClosedRange<Int> = 1...100_000_000
    package static let batchSize: ClosedRange<Int> = 1...MailLimits.batchRecipients
    /// Drafts of an account.
    package static let drafts = 5_000
    /// Campaigns of an account that were sent and have not ended.
    package static let unfinished = 5_000
    /// The same of a test account, whose mail is free.
    package static let testDrafts = 100
    package static let unfinishedTests = 100
    /// Seconds for which outcomes can be read after the end.
    package static let resultsSeconds: ClosedRange<Int> = 0...604_800
    /// Seconds after the end in which a bounce is refunded.
    package static let refundSeconds: ClosedRange<Int> = 0...2_592_000
    /// How far ahead a campaign may be scheduled, in seconds.
    package static let scheduleAheadSeconds: Int64 = 31_536_000
    /// How long ago a time may be that still means now: clocks differ, and requests take their time.
    package static let scheduleBehindSeconds: Int64 = 60
    /// Variables named where recipients lack them.
    package static let reportedVariables = 100
    /// Entries in an answer to a listing.
    package static let pageSize: ClosedRange<Int> = 1...1_000
    /// Batches opened for one page of recipients. A page may come back short, with a cursor to go on from.
    package static let batchesOpenedForPage = 32
    /// Octets of a reply's text that are kept with a recipient.
    package static let replyTextOctets = 200
    /// Batches claimed by one call.
    package static let claimedBatches: ClosedRange<Int> = 1...256
}
