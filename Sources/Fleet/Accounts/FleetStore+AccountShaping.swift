package import MailTypes
package import Postgres

extension FleetStore {
    /// The accounts for which something was set.
    package func shapings() async throws -> [AccountID: AccountShaping] {
        let rows = try await records.query(
            "SELECT account_id, weight, rate, pool, campaign_pools FROM account_shaping")
        return try rows.reduce(into: [:]) { shapings, row in
            let (account, shaping) = try AccountShaping.read(row)
            shapings[account] = shaping
        }
    }

    /// What was set for an account; nil if nothing.
    package static func shaping(
        of account: AccountID, on connection: PostgresConnection
    ) async throws -> AccountShaping? {
        try await connection.query(
            """
            SELECT account_id, weight, rate, pool, campaign_pools FROM account_shaping
            WHERE account_id = \(account.rawValue)
            """
        ).first.map { try AccountShaping.read($0).shaping }
    }

    /// Sets what applies to an account from now on; nodes learn of it within seconds.
    package static func set(
        _ shaping: AccountShaping, for account: AccountID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO account_shaping (account_id, weight, rate, pool, campaign_pools)
            VALUES (
                \(account.rawValue), \(Int32(shaping.weight)), \(shaping.rate as Double?), \(shaping.pool as String?),
                \(shaping.campaignPools))
            ON CONFLICT (account_id)
            DO UPDATE SET weight = excluded.weight, rate = excluded.rate, pool = excluded.pool,
                campaign_pools = excluded.campaign_pools
            """)
    }
}

extension AccountShaping {
    fileprivate static func read(_ row: PostgresRow) throws -> (account: AccountID, shaping: AccountShaping) {
        let (account, weight, rate, pool, campaignPools) = try row.decode(
            Int64.self, Int32.self, Double?.self, String?.self, [String].self)
        return (
            AccountID(rawValue: account),
            AccountShaping(weight: Int(weight), rate: rate, pool: pool, campaignPools: campaignPools)
        )
    }
}
