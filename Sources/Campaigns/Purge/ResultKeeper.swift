import CreditLedger
import Logging
import MailTypes
import Postgres
import Vault
import Webhooks

/// Ends a campaign whose outcomes can be read for a while.
///
/// Its content goes, and of each recipient all but the address: names and variables. What is left, sealed under the
/// campaign's key, is what a listing of outcomes shows. The wiping comes first and can be repeated, so a crash on the way
/// leaves a campaign that is done and has not ended, which the sweep finds.
struct ResultKeeper: Sendable {
    let records: PostgresPool
    let vault: Vault
    let ledger: CreditLedger
    let logger: Logger

    private static let batchesAtOnce: Int32 = 16

    /// - Parameter seconds: from now to the purge.
    func keep(_ account: AccountID, _ campaign: CampaignID, seconds: Int) async throws {
        let key = try await vault.openingKey(account, campaign)
        var last: Int32 = 0
        while let batch = try await wipeRecipients(after: last, account, campaign, key) { last = batch }
        try await records.withTransaction { connection in
            let current = try await Campaign.lock(account, campaign, ledger: ledger, on: connection)
            // Another node may have been faster.
            guard current.isFinishing else { return }
            guard let state = current.state.isFinal ? current.state : current.state.applying(.complete)
            else { throw CampaignError.illegal(.complete, in: current.state) }
            try await connection.query(
                """
                UPDATE campaign_content SET sealed = '', lacking = NULL
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \(state.rawValue), completed_at = clock_timestamp(), pause_reason = NULL,
                    results_until = clock_timestamp() + make_interval(secs => \(Double(seconds)))
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            if !current.state.isFinal {
                try await WebhookOutbox.append(
                    [.campaign(.campaignCompleted, campaign, counts: current.counters.told)], account: account,
                    campaign: campaign, on: connection)
            }
            try await CampaignChannel.notifyProgress(account, campaign, on: connection)
            logger.info(
                "campaign ended",
                metadata: ["account": "\(account)", "campaign": "\(campaign)", "state": "\(state.rawValue)"])
        }
    }

    /// Leaves only addresses of some batches.
    ///
    /// - Returns: the number of the last one; nil where no batch follows.
    private func wipeRecipients(
        after last: Int32, _ account: AccountID, _ campaign: CampaignID, _ key: SealingKey
    ) async throws -> Int32? {
        try await records.withTransaction { connection -> Int32? in
            let batches = try await connection.query(
                """
                SELECT batch_no, sealed FROM batch_recipients
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND batch_no > \(last)
                ORDER BY batch_no LIMIT \(Self.batchesAtOnce) FOR NO KEY UPDATE
                """
            ).map { try $0.decode(Int32.self, [UInt8].self) }
            guard let end = batches.last?.0 else { return nil }
            let left = try batches.map { number, sealed in
                try wiped(sealed, of: BatchID(account: account, campaign: campaign, number: number), key)
            }
            try await connection.query(
                """
                UPDATE batch_recipients r SET sealed = w.sealed
                FROM unnest(\(batches.map(\.0)), \(left)) AS w (batch_no, sealed)
                WHERE r.account_id = \(account.rawValue) AND r.campaign_id = \(campaign.rawValue)
                    AND r.batch_no = w.batch_no
                """)
            return end
        }
    }

    /// What cannot be read is wiped as a whole: it must not keep the campaign from its end.
    private func wiped(_ sealed: [UInt8], of batch: BatchID, _ key: SealingKey) throws -> [UInt8] {
        var records: [RecipientRecord] = []
        do {
            records = try key.openRecipients(sealed, of: batch)
        } catch {
            logger.error("recipients cannot be read", metadata: ["batch": "\(batch)", "error": "\(error)"])
        }
        return try key.sealRecipients(
            records.map { RecipientRecord(index: $0.index, isSuppressed: $0.isSuppressed, address: $0.address) },
            of: batch)
    }
}
