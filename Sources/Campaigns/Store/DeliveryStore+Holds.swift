package import MailTypes
import Postgres

extension DeliveryStore {
    /// Lets no batch of the account be claimed by any node until ``resume(account:)``. Batches at work are for the nodes
    /// to give back. Nothing changes for an account that is held already.
    ///
    /// - Returns: false if there is no such account
    package func hold(account: AccountID) async throws -> Bool {
        let rows = try await records.query(
            """
            INSERT INTO account_queue AS q (account_id, next_due, held_at)
            SELECT account_id, 'infinity', clock_timestamp() FROM accounts WHERE account_id = \(account.rawValue)
            ON CONFLICT (account_id) DO UPDATE
            SET next_due = excluded.next_due, held_at = coalesce(q.held_at, excluded.held_at)
            RETURNING account_id
            """)
        return !rows.isEmpty
    }

    /// Has the account's batches claimed again.
    ///
    /// - Returns: false if the account was not held
    package func resume(account: AccountID) async throws -> Bool {
        try await records.withTransaction { connection in
            let rows = try await connection.query(
                """
                UPDATE account_queue SET held_at = NULL, next_due = clock_timestamp()
                WHERE account_id = \(account.rawValue) AND held_at IS NOT NULL
                RETURNING account_id
                """)
            try await CampaignChannel.notifyWork(on: connection)
            return !rows.isEmpty
        }
    }

    package func heldAccounts() async throws -> Set<AccountID> {
        let rows = try await records.query("SELECT account_id FROM account_queue WHERE held_at IS NOT NULL")
        return Set(try rows.map { AccountID(rawValue: try $0.decode(Int64.self)) })
    }

    /// The account a campaign belongs to; for operators, who name only the campaign.
    package func accounts(of campaign: CampaignID) async throws -> [AccountID] {
        try await records.query("SELECT account_id FROM campaigns WHERE campaign_id = \(campaign.rawValue)")
            .map { AccountID(rawValue: try $0.decode(Int64.self)) }
    }
}
