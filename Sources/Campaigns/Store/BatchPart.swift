import MailTypes

/// Divides a batch's row between what is settled now and what its worker goes on with. The part is then settled as if it
/// were a batch of its own.
struct BatchPart: Sendable, Hashable {
    let part: SettlementPlan.Row
    let rest: SettlementPlan.Row
    /// Of the part, in the order of the batch.
    let indices: [Int32]

    /// - Parameters:
    ///   - indices: of the batch's records.
    ///   - done: those that the worker is done with. Of an open batch each must have an outcome or be deferred; of a
    ///     cancelled one those may come as well that were never begun.
    /// - Throws: ``CampaignError`` `.settlementMismatch` where the journal does not say so, or nothing would be left.
    init(
        row: SettlementPlan.Row, indices: [Int32], progress: [Int32: RecipientProgress], done: Set<Int32>
    ) throws(CampaignError) {
        let mine = indices.filter(done.contains)
        try Self.require(!mine.isEmpty && mine.count < indices.count, "a part is neither nothing nor all of a batch")
        var part = SettlementPlan.Row(
            state: row.state, recipients: Int32(mine.count), finished: 0, delivered: 0, deferred: 0,
            attempt: row.attempt)
        for index in mine {
            switch progress[index] {
            case .finished(let result):
                part.finished += 1
                if result.outcome == .delivered { part.delivered += 1 }
            case .deferred: part.deferred += 1
            case nil where row.state == .cancelling: if row.attempt > 0 { part.deferred += 1 }
            case .intended, nil: throw CampaignError(.settlementMismatch, "a recipient of the part is not done")
            }
        }
        rest = SettlementPlan.Row(
            state: row.state, recipients: row.recipients - part.recipients, finished: row.finished - part.finished,
            delivered: row.delivered - part.delivered, deferred: row.deferred - part.deferred, attempt: row.attempt)
        try Self.require(
            rest.delivered >= 0 && rest.delivered <= rest.finished && rest.deferred >= 0
                && rest.finished + rest.deferred <= rest.recipients, "the journal and the batch's counters differ")
        self.part = part
        self.indices = mine
    }

    private static func require(_ condition: Bool, _ detail: String) throws(CampaignError) {
        guard condition else { throw CampaignError(.settlementMismatch, detail) }
    }
}
