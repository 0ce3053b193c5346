import MailTypes
import Postgres

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
        try await moveBatches(of: account, campaign, from: .open, to: .paused, on: connection)
        try await CampaignChannel.notifyProgress(account, campaign, on: connection)
    }

    /// Moves all batches of one state to another. Their rows are locked in order first, as everywhere.
    static func moveBatches(
        of account: AccountID, _ campaign: CampaignID, from: BatchState, to: BatchState,
        on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            SELECT count(*) FROM (
                SELECT FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    AND state = \(from.rawValue)
                ORDER BY batch_no FOR NO KEY UPDATE) AS locked
            """)
        try await connection.query(
            """
            UPDATE batches SET state = \(to.rawValue)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND state = \(from.rawValue)
            """)
    }
}
