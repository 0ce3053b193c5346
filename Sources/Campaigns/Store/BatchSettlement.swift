/// What a worker brings when every recipient of its batch has an outcome or waits for another attempt.
package struct BatchSettlement: Sendable {
    /// Recipients that are tried again together.
    package struct Retry: Sendable {
        package var records: [RecipientRecord]
        /// Until the first of them is due: then all are.
        package var inSeconds: Double
        /// Until the last of them would be due by itself.
        package var latestInSeconds: Double
        /// They wait for a stopped lane: ``DeliveryStore/recall()`` makes them due.
        package var awaitsResume: Bool

        /// - Parameter latestInSeconds: nil where all have one time.
        package init(
            _ records: [RecipientRecord], inSeconds: Double, latestInSeconds: Double? = nil, awaitsResume: Bool = false
        ) {
            self.records = records
            self.inSeconds = inSeconds
            self.latestInSeconds = latestInSeconds ?? inSeconds
            self.awaitsResume = awaitsResume
        }
    }

    /// The final outcomes, as journalled.
    package let results: [RecipientResult]
    /// Those to try again, by the time they are due: one retry batch each.
    package let retries: [Retry]
    /// The mailbox providers that answered last, by the recipient's index, where that is known.
    package var providers: [Int32: String] = [:]

    /// - Parameter retries: empty ones are left out.
    package init(results: [RecipientResult], retries: [Retry]) {
        self.results = results
        self.retries = retries.filter { !$0.records.isEmpty }
    }

    /// With at most one retry batch.
    package init(results: [RecipientResult], deferred: [RecipientRecord] = [], retryInSeconds: Double = 0) {
        self.init(results: results, retries: [Retry(deferred, inSeconds: retryInSeconds)])
    }

    /// Whether some wait for a stopped lane.
    package var awaitsResume: Bool { retries.contains(where: \.awaitsResume) }

    var deferredIndices: [Int32] { retries.flatMap { $0.records.map(\.index) } }
}

package enum SettleResult: Sendable, Hashable {
    /// - campaignDone: this was the last batch; complete the campaign.
    case settled(campaignDone: Bool)
    /// The lease ran out or went to another worker. Nothing was changed.
    case lost
}
