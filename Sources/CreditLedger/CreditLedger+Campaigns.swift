package import MailTypes
package import Postgres

/// What others compare their own records with.
extension CreditLedger {
    /// What the settlements of campaigns charged, by the entries. Campaigns without any are left out.
    ///
    /// - Parameter campaigns: up to ``LedgerLimits/pageRows``
    package func charges(
        _ account: AccountID, _ campaigns: [CampaignID], on connection: PostgresConnection
    ) async throws -> [CampaignID: Int64] {
        let rows = try await connection.query(
            """
            SELECT campaign_id, sum(amount)::bigint FROM ledger_entries
            WHERE account_id = \(account.rawValue) AND campaign_id = ANY (\(campaigns.map(\.rawValue)))
                AND kind = 'settle'
            GROUP BY campaign_id
            """
        ).map { try $0.decode(Int64.self, Int64.self) }
        return Dictionary(uniqueKeysWithValues: rows.map { (CampaignID(rawValue: $0), $1) })
    }

    /// The digests of the purge certificates of campaigns, as they were noted. Campaigns without any are left out.
    ///
    /// - Parameter campaigns: up to ``LedgerLimits/pageRows``
    package func purgeDigests(
        _ account: AccountID, _ campaigns: [CampaignID], on connection: PostgresConnection
    ) async throws -> [CampaignID: [UInt8]] {
        let rows = try await connection.query(
            """
            SELECT campaign_id, digest FROM ledger_entries
            WHERE account_id = \(account.rawValue) AND idempotency_key = ANY (\(campaigns.map(Self.purgeKey)))
                AND kind = 'purge'
            """
        ).map { try $0.decode(Int64.self, [UInt8].self) }
        return Dictionary(uniqueKeysWithValues: rows.map { (CampaignID(rawValue: $0), $1) })
    }

    static func purgeKey(_ campaign: CampaignID) -> String { "purge:\(campaign)" }
}
