package import MailTypes
package import Postgres
package import Vault

/// Addresses that campaigns have found dead: a disabled mailbox, a domain that does not exist or takes no mail. One
/// campaign's word may be a fault that is mended tomorrow; several in a row are a spam trap in the making.
///
/// Kept as fingerprints with the campaigns' numbers, so that they outlive the purge and tell nothing.
package enum DeadAddresses {
    /// That a campaign has found an address of an account dead.
    package struct Found: Sendable, Hashable {
        package let account: AccountID
        package let fingerprint: Fingerprint
        package let campaign: CampaignID

        package init(_ account: AccountID, _ fingerprint: Fingerprint, in campaign: CampaignID) {
            self.account = account
            self.fingerprint = fingerprint
            self.campaign = campaign
        }

        fileprivate struct Address: Hashable {
            let account: AccountID
            let fingerprint: Fingerprint
        }

        fileprivate var address: Address { Address(account: account, fingerprint: fingerprint) }
    }

    /// Counts campaigns against addresses; each campaign counts once. What was found longer than a year ago is forgotten.
    ///
    /// - Parameter suppressAfter: campaigns.
    /// - Returns: those that so many campaigns have found dead. They are no longer counted: suppress them.
    package static func note(
        _ found: Set<Found>, suppressAfter: Int, on connection: PostgresConnection
    ) async throws -> [(account: AccountID, fingerprint: Fingerprint)] {
        var dead: [(account: AccountID, fingerprint: Fingerprint)] = []
        var left = found
        while !left.isEmpty {
            // A statement can change a row once, and several campaigns may have found the same address.
            let part = Dictionary(left.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first }).values
            left.subtract(part)
            dead += try await count(part.sorted(by: precedes), suppressAfter: suppressAfter, on: connection)
        }
        try await forget(dead, on: connection)
        return dead
    }

    private static func precedes(_ one: Found, _ other: Found) -> Bool {
        (one.account.rawValue, one.fingerprint.high, one.fingerprint.low)
            < (other.account.rawValue, other.fingerprint.high, other.fingerprint.low)
    }

    /// - Parameter found: each address once, in order of key.
    private static func count(
        _ found: [Found], suppressAfter: Int, on connection: PostgresConnection
    ) async throws -> [(account: AccountID, fingerprint: Fingerprint)] {
        let rows = try await connection.query(
            """
            INSERT INTO dead_addresses AS d (account_id, fingerprint, campaigns, seen_at)
            SELECT f.account_id, f.fingerprint, ARRAY[f.campaign_id], clock_timestamp()
            FROM unnest(
                \(found.map(\.account.rawValue))::bigint[], \(found.map(\.fingerprint.bytes))::bytea[],
                \(found.map(\.campaign.rawValue))::bigint[]) AS f (account_id, fingerprint, campaign_id)
            ORDER BY f.account_id, f.fingerprint
            ON CONFLICT (account_id, fingerprint) DO UPDATE
            SET campaigns = CASE
                    WHEN d.seen_at < clock_timestamp() - interval '1 year' THEN excluded.campaigns
                    WHEN excluded.campaigns <@ d.campaigns THEN d.campaigns
                    ELSE d.campaigns || excluded.campaigns END,
                seen_at = excluded.seen_at
            RETURNING account_id, fingerprint, cardinality(campaigns)
            """)
        var dead: [(account: AccountID, fingerprint: Fingerprint)] = []
        for row in rows {
            let (account, bytes, campaigns) = try row.decode(Int64.self, [UInt8].self, Int32.self)
            if Int(campaigns) >= suppressAfter, let fingerprint = Fingerprint(bytes: bytes) {
                dead.append((AccountID(rawValue: account), fingerprint))
            }
        }
        return dead
    }

    private static func forget(
        _ addresses: [(account: AccountID, fingerprint: Fingerprint)], on connection: PostgresConnection
    ) async throws {
        guard !addresses.isEmpty else { return }
        try await connection.query(
            """
            DELETE FROM dead_addresses d
            USING unnest(
                \(addresses.map(\.account.rawValue))::bigint[], \(addresses.map(\.fingerprint.bytes))::bytea[])
                AS f (account_id, fingerprint)
            WHERE d.account_id = f.account_id AND d.fingerprint = f.fingerprint
            """)
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
