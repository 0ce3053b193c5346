package import MailTypes
import Postgres

extension CampaignService {
    /// Sets for how long after the end of a campaign its bounces are refunded, in seconds, for campaigns that the account
    /// sends from now on: those that were sent keep what held then. 0: none is refunded; nil: as everywhere here.
    ///
    /// - Throws: ``CampaignError`` `.invalidSetting` for what is out of bounds, `.notFound` where there is no such account.
    package func setRefundTime(_ seconds: Int?, for account: AccountID) async throws {
        let bounds = CampaignLimits.refundSeconds
        guard seconds.map(bounds.contains) ?? true else {
            throw CampaignError(
                .invalidSetting,
                "bounces are refunded for \(bounds.lowerBound) to \(bounds.upperBound) seconds after the end")
        }
        try await records.withTransaction { connection in
            // Locked, so that a sending under way is before or after.
            let found = try await connection.query(
                "SELECT FROM accounts WHERE account_id = \(account.rawValue) FOR UPDATE")
            guard !found.isEmpty else { throw CampaignError(.notFound, "there is no account \(account)") }
            guard let seconds else {
                try await connection.query("DELETE FROM account_refunds WHERE account_id = \(account.rawValue)")
                return
            }
            try await connection.query(
                """
                INSERT INTO account_refunds (account_id, refund_seconds) VALUES (\(account.rawValue), \(Int32(seconds)))
                ON CONFLICT (account_id) DO UPDATE SET refund_seconds = excluded.refund_seconds
                """)
        }
    }

    /// The accounts for which another time was set than for all, with its seconds.
    package func refundTimes() async throws -> [AccountID: Int] {
        let rows = try await records.query("SELECT account_id, refund_seconds FROM account_refunds")
        return try rows.reduce(into: [:]) { times, row in
            let (account, seconds) = try row.decode(Int64.self, Int32.self)
            times[AccountID(rawValue: account)] = Int(seconds)
        }
    }
}
