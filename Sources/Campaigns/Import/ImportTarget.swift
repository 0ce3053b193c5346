/// Where in its campaign an upload goes on.
package struct ImportTarget: Sendable, Hashable {
    /// Position of the next recipient: how many the campaign has.
    package var nextIndex: Int32
    /// Number of the next batch. Batches below it are stored, and their recipients count for duplicates.
    package var nextBatch: Int32
    /// Recipients of a batch.
    package var batchSize: Int

    package init(nextIndex: Int32 = 0, nextBatch: Int32 = 1, batchSize: Int) {
        self.nextIndex = nextIndex
        self.nextBatch = nextBatch
        self.batchSize = max(1, batchSize)
    }
}

/// What an upload added to its campaign.
package struct ImportResult: Sendable, Hashable {
    package var report: ImportReport
    /// SHA-256 of all octets of the upload.
    package var digest: [UInt8]
    /// Where the next upload goes on.
    package var target: ImportTarget
    /// Recipients added that are not suppressed: what the new batches would hold in credits.
    package var deliverable: Int
    /// The same for each new batch, by number.
    package var deliverableOfBatches: [Int32]
    /// Those of ``deliverable`` who lack a variable.
    package var lacking: LackingVariables
}
