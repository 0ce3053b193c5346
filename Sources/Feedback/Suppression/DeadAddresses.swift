package import MailTypes
package import Postgres
package import Vault

/// Addresses that campaigns have found dead: a disabled mailbox, a domain that does not exist or takes no mail. One
/// campaign's word may be a fault that is mended tomorrow; several in a row are a spam trap in the making.
///
/// Kept as fingerprints with the campaigns' numbers, so that they outlive the purge and tell nothing.
package enum DeadAddresses {
    /// Counts a campaign against addresses; each campaign counts once. What was found longer than a year ago is forgotten.
    ///
    /// - Parameter suppressAfter: campaigns.
    /// - Returns: those that so many campaigns have found dead. They are no longer counted: suppress them.
    package static func note(
        _ fingerprints: Set<Fingerprint>, account: AccountID, campaign: CampaignID, suppressAfter: Int,
        on connection: PostgresConnection
    ) async throws -> [Fingerprint] {
        guard !fingerprints.isEmpty else { return [] }
        let rows = try await connection.query(
            """
            INSERT INTO dead_addresses AS d (account_id, fingerprint, campaigns, seen_at)
            SELECT \(account.rawValue), f.fingerprint, ARRAY[\(campaign.rawValue)], clock_timestamp()
            FROM unnest(\(fingerprints.map(\.bytes))::bytea[]) AS f (fingerprint) ORDER BY f.fingerprint
            ON CONFLICT (account_id, fingerprint) DO UPDATE
            SET campaigns = CASE
                    WHEN d.seen_at < clock_timestamp() - interval '1 year' THEN excluded.campaigns
                    WHEN excluded.campaigns <@ d.campaigns THEN d.campaigns
                    ELSE d.campaigns || excluded.campaigns END,
                seen_at = excluded.seen_at
            RETURNING fingerprint, cardinality(campaigns)
            """)
        var dead: [Fingerprint] = []
        for row in rows {
            let (bytes, campaigns) = try row.decode([UInt8].self, Int32.self)
            if Int(campaigns) >= suppressAfter, let fingerprint = Fingerprint(bytes: bytes) { dead.append(fingerprint) }
        }
        try await forget(dead, account: account, on: connection)
        return dead
    }

    /// Addresses that mail was delivered to are alive.
    package static func forget(
        _ fingerprints: [Fingerprint], account: AccountID, on connection: PostgresConnection
    ) async throws {
        guard !fingerprints.isEmpty else { return }
        try await connection.query(
            """
            DELETE FROM dead_addresses
            WHERE account_id = \(account.rawValue) AND fingerprint = ANY (\(fingerprints.map(\.bytes)))
            """)
    }

    /// Whether any address of the account is counted.
    package static func areKnown(of account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        try await connection.query(
            "SELECT EXISTS (SELECT FROM dead_addresses WHERE account_id = \(account.rawValue))"
        ).only.decode(column: 0, as: Bool.self)
    }
}
