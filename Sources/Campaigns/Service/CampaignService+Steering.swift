package import MailTypes
import Postgres

extension CampaignService {
    /// Lets no new mail start. Batches at work are told with their next journal group and given back.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition`
    package func pause(
        _ account: AccountID, _ campaign: CampaignID, onCommit: CommitHook<CampaignStatus>? = nil
    ) async throws -> CampaignStatus {
        try await records.withTransaction { connection in
            try await Campaign.pause(account, campaign, reason: nil, on: connection)
            let status = try await self.status(account, campaign, on: connection)
            try await onCommit?(connection, status)
            return status
        }
    }

    /// Goes on after a pause. The campaign's expiry moves by the length of the pause.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition` unless it is paused, `.domainNotProven`
    package func resume(
        _ account: AccountID, _ campaign: CampaignID, onCommit: CommitHook<CampaignStatus>? = nil
    ) async throws -> CampaignStatus {
        let status = try await records.withTransaction { connection in
            let current = try await Campaign.lock(account, campaign, on: connection)
            guard let next = current.state.applying(.resume) else {
                throw CampaignError.illegal(.resume, in: current.state)
            }
            try await requireProof(of: current.fromDomain, account, on: connection)
            try await connection.query(
                """
                UPDATE campaigns
                SET state = \(next.rawValue), expires_at = expires_at + (clock_timestamp() - paused_at),
                    paused_at = NULL, pause_reason = NULL, started_at = coalesce(started_at, clock_timestamp())
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            // What paused it may be mended: it is judged anew.
            try await connection.query(
                """
                DELETE FROM campaign_answers
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            try await Campaign.reopenBatches(of: account, campaign, on: connection)
            try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
            try await CampaignChannel.notifyWork(on: connection)
            return try await changed(account, campaign, onCommit, on: connection)
        }
        // The last batch may have been settled during the pause.
        await completeIfDone(account, status.campaign)
        return status
    }
}
