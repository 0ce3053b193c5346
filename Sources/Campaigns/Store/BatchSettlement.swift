package import Feedback
package import Vault

/// What a worker brings to the settlement of a batch.
package struct BatchSettlement: Sendable {
    /// The final outcomes, as journalled.
    package let results: [RecipientResult]
    /// Those to try again, as their retry batch keeps them.
    package let deferred: [RecipientRecord]
    /// When the retry batch is due.
    package let retryInSeconds: Double
    /// Addresses never to be mailed again by this account.
    package let suppress: [(fingerprint: Fingerprint, reason: SuppressionReason)]

    package init(
        results: [RecipientResult], deferred: [RecipientRecord] = [], retryInSeconds: Double = 0,
        suppress: [(fingerprint: Fingerprint, reason: SuppressionReason)] = []
    ) {
        self.results = results
        self.deferred = deferred
        self.retryInSeconds = retryInSeconds
        self.suppress = suppress
    }
}

package enum SettleResult: Sendable, Hashable {
    /// - campaignDone: this was the last batch; complete the campaign.
    case settled(campaignDone: Bool)
    /// The lease ran out or went to another worker. Nothing was changed.
    case lost
}
