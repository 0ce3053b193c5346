package import MailTypes

/// A batch leased to a node.
package struct ClaimedBatch: Sendable {
    package let id: BatchID
    /// Counts the claims of this batch; goes with every write.
    package let epoch: Int64
    package let work: LeaseState.Work
    /// Those to deliver to, with the resends that earlier workers journalled. Recipients that were suppressed at the import are left out: they have their outcome.
    package let records: [RecipientRecord]
    /// What earlier workers journalled, by index.
    package let progress: [Int32: RecipientProgress]
    /// Its recipients were deferred before, and the campaign counts them so.
    package let isRetry: Bool
    /// Seconds since 1970; temporary failures are final from then on.
    package let campaignExpiresAt: Int64
    /// That time had come when the batch was claimed, by the database's clock: this is the last attempt.
    package var isExpired = false
    /// The database's time then, in seconds since 1970; nil where it was not asked.
    package var claimedAt: Double?
    /// The campaign has a most of mails in an hour.
    package var isCapped = false
}
