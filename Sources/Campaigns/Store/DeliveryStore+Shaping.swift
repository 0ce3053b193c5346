package import MailTypes
package import Postgres

/// What an operator has set for the mail of one account.
package struct AccountShaping: Sendable, Hashable {
    /// Its share where accounts compete, 1…1,000.
    package var weight: Int
    /// Mails a second, all sites together; nil without a cap.
    package var rate: Double?
    /// The pool of source addresses that its mail leaves from; nil for the default one.
    package var pool: String?
    /// The pools that its campaigns may ask for, besides that one.
    package var campaignPools: [String]

    package init(weight: Int = 1, rate: Double? = nil, pool: String? = nil, campaignPools: [String] = []) {
        self.weight = weight
        self.rate = rate
        self.pool = pool
        self.campaignPools = campaignPools
    }

    /// The pool of accounts for which no other was set.
    package static let defaultPool = "default"
}

extension DeliveryStore {
    /// Says that the node lives, and which pools of source addresses it has.
    ///
    /// - Returns: how many nodes do, this one included, and the database's time, in seconds since 1970.
    package func heartbeat(
        node: String, aliveSeconds: Double, pools: [String] = []
    ) async throws -> (nodes: Int, time: Double) {
        let (nodes, time) = try await journal.query(
            """
            SELECT heartbeat(\(node), \(aliveSeconds), \(pools)),
                extract(epoch FROM clock_timestamp())::double precision
            """
        ).only.decode(Int32.self, Double.self)
        return (Int(nodes), time)
    }

    /// The accounts for which something was set.
    package func shapings() async throws -> [AccountID: AccountShaping] {
        let rows = try await records.query(
            "SELECT account_id, weight, rate, pool, campaign_pools FROM account_shaping")
        return try rows.reduce(into: [:]) { shapings, row in
            let (account, weight, rate, pool, campaignPools) = try row.decode(
                Int64.self, Int32.self, Double?.self, String?.self, [String].self)
            shapings[AccountID(rawValue: account)] = AccountShaping(
                weight: Int(weight), rate: rate, pool: pool, campaignPools: campaignPools)
        }
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

    /// Takes tokens out of the bucket of a site, which all nodes share.
    ///
    /// - Parameter rate: tokens a second; one second's worth, at least one, may be saved up.
    /// - Returns: how many were granted, at most `wanted`.
    package func leaseSiteTokens(_ site: String, rate: Double, wanted: Int) async throws -> Int {
        let granted = try await journal.query(
            "SELECT lease_site_tokens(\(site), \(rate), \(max(1, rate)), \(Int32(clamping: wanted)))"
        ).only.decode(Int32.self)
        return Int(granted)
    }

    /// Adds to what sources have sent on a day, and tells the fleet's sums of that day.
    ///
    /// - Parameter sent: mails by source address and provider
    package func countUsage(_ sent: [SourceUsage: Int], onDay day: Int) async throws -> [SourceUsage: Int] {
        let list = Array(sent)
        if !list.isEmpty {
            try await records.query(
                """
                INSERT INTO source_usage AS u (source, provider, day, sent)
                SELECT s.source, s.provider, \(Int32(day)), s.sent
                FROM unnest(
                    \(list.map(\.key.source)), \(list.map(\.key.provider)), \(list.map { Int64($0.value) })
                ) AS s (source, provider, sent)
                ORDER BY 1, 2
                ON CONFLICT (source, provider, day) DO UPDATE SET sent = u.sent + excluded.sent
                """)
        }
        let rows = try await records.query(
            "SELECT source, provider, sent FROM source_usage WHERE day = \(Int32(day))")
        return try rows.reduce(into: [:]) { sums, row in
            let (source, provider, sent) = try row.decode(String.self, String.self, Int64.self)
            sums[SourceUsage(source: source, provider: provider)] = Int(sent)
        }
    }
}

/// A source address and a provider that it sends to.
package struct SourceUsage: Sendable, Hashable {
    package let source: String
    package let provider: String

    package init(source: String, provider: String) {
        self.source = source
        self.provider = provider
    }
}
