import CreditLedger
import Logging
import MailTypes
import Postgres
import Vault

/// A claimed batch of which what is stored cannot be opened.
///
/// Where its rows are damaged, nothing will mend them: it ends, its recipients without an outcome in doubt. Where the key is
/// missing or the data is of another release, somebody may mend that: it is put off, unless its campaign is over.
struct UnopenedBatch: Sendable {
    let id: BatchID
    let epoch: Int64
    /// The campaign was cancelled or has expired.
    let isOver: Bool
    let error: any Error

    /// The vault cannot give out the campaign's key.
    struct KeyError: Error, CustomStringConvertible {
        let error: VaultError
        var description: String { error.description }
    }

    var ends: Bool { isOver || DeliveryStore.isDamage(error) }
}

extension DeliveryStore {
    /// Recipients that this process has ended in doubt because what was stored of them could not be read.
    package var unreadableRecipients: Int { unreadable.count }
    /// Times that this process has put a batch off because it could not be opened, though somebody may mend that.
    package var unopenedBatches: Int { unopened.count }

    /// Whether a sealed value is not what was sealed. Where the vault cannot give out the key, that says nothing of the value.
    static func isDamage(_ error: any Error) -> Bool { (error as? VaultError)?.code == .notAuthentic }

    func putAside(_ batch: UnopenedBatch, node: String) async {
        logger.error(
            "batch cannot be opened",
            metadata: ["batch": "\(batch.id)", "error": "\(batch.error)", "ends": "\(batch.ends)"])
        do {
            if batch.ends {
                try await endUnreadable(batch.id, node: node, epoch: batch.epoch)
            } else {
                unopened.add(1)
                try await park(
                    batch.id, node: node, epoch: batch.epoch, dueInSeconds: Self.unopenedBatchSeconds)
            }
        } catch {
            // Its lease runs out, and it is claimed again.
            logger.warning("batch not put aside", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
        }
    }

    /// How long a batch that cannot be opened is left alone.
    private static let unopenedBatchSeconds: Double = 300

    /// Ends a batch whose rows cannot be read: what the counters say was delivered is charged, the rest of its hold released,
    /// and recipients without an outcome end in doubt. None of them is mailed again.
    func endUnreadable(_ batch: BatchID, node: String, epoch: Int64) async throws {
        let ended = try await records.withTransaction { connection -> Int32? in
            guard let campaign = try await lockCampaign(of: batch, on: connection),
                let row = try await lockBatch(batch, on: connection), row.epoch == epoch, row.leaseNode == node,
                row.plan.state != .settled
            else { return nil }
            try await ledger.settle(
                row.hold(of: batch), charged: Int64(row.plan.delivered), carried: [], on: connection)
            let unknown = row.plan.recipients - row.plan.finished
            try await connection.query(
                """
                WITH counted AS (
                    UPDATE campaigns
                    SET open_batches = open_batches - 1, in_doubt = in_doubt + \(unknown),
                        deferred = deferred - \(row.plan.deferred)
                    WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)),
                forgotten AS (
                    DELETE FROM journal
                    WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                        AND batch_no = \(batch.number))
                UPDATE batches
                SET state = \(BatchState.settled.rawValue), lease_node = NULL, lease_until = NULL, deferred = 0,
                    finished = recipients
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number)
                """)
            if campaign.refundSeconds > 0, unknown > 0 || row.plan.finished > row.plan.delivered {
                try await UnchargedMails.noteUnknown(campaign.account, campaign.id, on: connection)
            }
            try await CampaignChannel.notifyProgress(campaign.account, campaign.id, on: connection)
            return unknown
        }
        guard let ended else { return }
        unreadable.add(Int(ended))
        logger.error(
            "batch cannot be read: its recipients without an outcome ended in doubt",
            metadata: ["batch": "\(batch)", "recipients": "\(ended)"])
    }
}
