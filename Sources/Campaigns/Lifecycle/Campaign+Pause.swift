import MailTypes
import Postgres
import Webhooks

extension Campaign {
    /// Lets no new mail start, in the caller's transaction.
    ///
    /// - Parameter reason: what stopped it; nil where somebody asked for the pause.
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition`
    static func pause(
        _ account: AccountID, _ campaign: CampaignID, reason: String?, on connection: PostgresConnection
    ) async throws {
        let current = try await lock(account, campaign, on: connection)
        guard let next = current.state.applying(.pause), !current.isFinishing else {
            throw CampaignError.illegal(.pause, in: current.state)
        }
        try await connection.query(
            """
            UPDATE campaigns
            SET state = \(next.rawValue), paused_at = clock_timestamp(), pause_reason = \(reason as String?)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        try await stopBatchesAtWork(of: account, campaign, on: connection)
        try await WebhookOutbox.append(
            [.campaign(.campaignPaused, campaign, reason: reason)], account: account, campaign: campaign,
            on: connection)
        try await CampaignChannel.notifyProgress(account, campaign, on: connection)
    }

    /// Tells those who work on a batch, with their next journal group. The other batches stay open: claims pass over them,
    /// because the campaign is paused. A claim that is under way at this moment finds the pause when it has ended, or hears
    /// of it within a second (``DeliveryStore/stopped(node:)``).
    private static func stopBatchesAtWork(
        of account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            WITH leased AS (
                SELECT batch_no FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state = 1
                    AND lease_node IS NOT NULL
                ORDER BY batch_no FOR NO KEY UPDATE)
            UPDATE batches b SET state = 2 FROM leased
            WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.rawValue)
                AND b.batch_no = leased.batch_no
            """)
    }

    /// Opens what was stopped: batches that were at work, retries that were made meanwhile, and all batches where an
    /// earlier version paused the campaign.
    static func reopenBatches(
        of account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            WITH stopped AS (
                SELECT batch_no FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND state = 2
                ORDER BY batch_no FOR NO KEY UPDATE)
            UPDATE batches b SET state = 1 FROM stopped
            WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.rawValue)
                AND b.batch_no = stopped.batch_no
            """)
    }
}
