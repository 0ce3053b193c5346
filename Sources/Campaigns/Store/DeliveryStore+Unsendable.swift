import Logging
import MailTypes
import Postgres

extension DeliveryStore {
    /// Recipients that this process has ended without a mail because none could be made for them.
    package var unsendableRecipients: Int { unsendable.count }

    /// Ends a batch for whose recipients no mail can be made any more, as it stands: what was journalled counts and is paid,
    /// a mail that may have arrived is in doubt, and recipients that got none are cancelled, or expired where the campaign
    /// has. The rest of its hold is released. Where the journal cannot be read either, all without an outcome are in doubt.
    ///
    /// Nothing of the batch may have been begun under this claim.
    package func endUnsendable(
        _ batch: ClaimedBatch, node: String, because reason: any Error
    ) async throws -> SettleResult {
        let result: SettleResult
        do {
            result = try await settle(
                batch.id, node: node, epoch: batch.epoch, batch.asItStands,
                endingRestAs: batch.isExpired ? .expired : .cancelled)
        } catch let error where Self.isDamage(error) {
            try await endUnreadable(batch.id, node: node, epoch: batch.epoch)
            return .settled(campaignDone: false)
        }
        guard result != .lost else { return result }
        let ended = batch.records.count - batch.asItStands.results.count
        unsendable.add(ended)
        logger.error(
            "no mail can be made of a batch: its recipients without an outcome have ended",
            metadata: ["batch": "\(batch.id)", "recipients": "\(ended)", "error": "\(reason)"])
        return result
    }
}

extension ClaimedBatch {
    /// What earlier workers journalled, and nothing more.
    package var asItStands: BatchSettlement {
        BatchSettlement(
            results: records.compactMap { record in
                if case .finished(let result) = progress[record.index] { result } else { nil }
            })
    }
}
