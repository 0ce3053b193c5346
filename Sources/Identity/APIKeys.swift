package import MailTypes
package import Postgres

/// API keys: made and shown once, stored as hashes, revoked at once on this node and within
/// ``IdentityLimits/cacheSeconds`` on every other.
package final class APIKeys: Sendable {
    private let pool: PostgresPool
    private let cache: AuthenticationCache
    private let clock: @Sendable () -> Int64

    /// - Parameters:
    ///   - cacheSeconds: 0 asks the database each time
    ///   - clock: seconds of a clock that never goes back
    package init(
        pool: PostgresPool, cacheSeconds: Int64 = IdentityLimits.cacheSeconds,
        clock: @escaping @Sendable () -> Int64 = monotonicSeconds
    ) {
        self.pool = pool
        self.clock = clock
        cache = AuthenticationCache(seconds: cacheSeconds, capacity: IdentityLimits.cachedKeys)
    }

    /// Makes a key. It cannot be read again.
    ///
    /// - Parameter name: for people, 1…100 characters
    /// - Throws: ``IdentityError``, `PostgresError`
    package func create(
        account: AccountID, name: String, mode: APIKey.Mode = .live
    ) async throws -> (key: APIKey, id: Int64) {
        try await pool.withTransaction { connection in
            try await self.create(account: account, name: name, mode: mode, on: connection)
        }
    }

    /// Makes a key in the caller's transaction.
    package func create(
        account: AccountID, name: String, mode: APIKey.Mode = .live, on connection: PostgresConnection
    ) async throws -> (key: APIKey, id: Int64) {
        let scalars = name.unicodeScalars
        guard (1...IdentityLimits.nameCharacters).contains(scalars.count),
            !scalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw IdentityError.invalidName }
        let living = try await connection.query(
            "SELECT count(*) FROM api_keys WHERE account_id = \(account.rawValue) AND revoked_at IS NULL"
        ).only.decode(Int.self)
        guard living < IdentityLimits.keys else { throw IdentityError.tooManyKeys }
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(mode: mode, using: &generator)
        let rows = try await connection.query(
            """
            WITH owner AS (
                SELECT account_id FROM accounts WHERE account_id = \(account.rawValue) FOR KEY SHARE
            ), hashed AS (
                INSERT INTO api_key_hashes (key_hash, account_id)
                SELECT \(key.hash), account_id FROM owner RETURNING account_id, key_id
            )
            INSERT INTO api_keys (account_id, key_id, name, mode, display_prefix)
            SELECT account_id, key_id, \(name), \(mode.rawValue), \(key.displayPrefix) FROM hashed
            RETURNING key_id
            """)
        guard let row = rows.first else { throw IdentityError.accountNotFound }
        return (key, try row.decode(Int64.self))
    }

    /// The account that a bearer key stands for; nil for a key that is malformed, unknown or revoked.
    ///
    /// - Throws: `PostgresError` where the database cannot tell
    package func authenticate(_ bearer: String) async throws -> AccountID? {
        try await authenticatedKey(bearer)?.account
    }

    /// As ``authenticate(_:)``, with the key's number and mode.
    package func authenticatedKey(_ bearer: String) async throws -> AuthenticatedKey? {
        guard let key = APIKey(bearer) else { return nil }
        let hash = key.hash
        let now = clock()
        if let known = cache.find(hash, now: now) { return known }
        let rows = try await pool.query(
            """
            WITH found AS (
                SELECT k.account_id, k.key_id, k.last_used_at
                FROM api_key_hashes h JOIN api_keys k ON k.account_id = h.account_id AND k.key_id = h.key_id
                WHERE h.key_hash = \(hash) AND k.revoked_at IS NULL
            ), touched AS (
                UPDATE api_keys k SET last_used_at = now() FROM found
                WHERE k.account_id = found.account_id AND k.key_id = found.key_id
                    AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
                    AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
            )
            SELECT account_id, key_id FROM found
            """)
        guard let row = rows.first else { return nil }
        let (account, id) = try row.decode(Int64.self, Int64.self)
        let authenticated = AuthenticatedKey(account: AccountID(rawValue: account), keyID: id, mode: key.mode)
        cache.keep(authenticated, for: hash, readAt: now)
        return authenticated
    }

    /// Ends a key for good.
    ///
    /// - Returns: false where the account has no such key or it was revoked before
    package func revoke(_ id: Int64, account: AccountID) async throws -> Bool {
        let rows = try await pool.query(
            """
            UPDATE api_keys SET revoked_at = now()
            WHERE account_id = \(account.rawValue) AND key_id = \(id) AND revoked_at IS NULL RETURNING key_id
            """)
        cache.remove(keyID: id, account: account)
        return !rows.isEmpty
    }

    /// The account's keys, newest first, at most ``IdentityLimits/listedKeys``.
    package func list(account: AccountID) async throws -> [APIKeyRecord] {
        try await pool.query(
            """
            SELECT key_id, name, mode, display_prefix, created_at, last_used_at, revoked_at FROM api_keys
            WHERE account_id = \(account.rawValue) ORDER BY key_id DESC LIMIT \(IdentityLimits.listedKeys)
            """
        ).map { row in
            let (id, name, mode, prefix, createdAt, lastUsedAt, revokedAt) = try row.decode(
                Int64.self, String.self, String.self, String.self, PostgresTimestamp.self, PostgresTimestamp?.self,
                PostgresTimestamp?.self)
            return APIKeyRecord(
                id: id, account: account, name: name, mode: APIKey.Mode(rawValue: mode) ?? .live,
                displayPrefix: prefix, createdAt: createdAt, lastUsedAt: lastUsedAt, revokedAt: revokedAt)
        }
    }
}

/// Whole seconds of the continuous clock since this function was first called.
@Sendable
package func monotonicSeconds() -> Int64 {
    (ContinuousClock.now - processStart).components.seconds
}

private let processStart = ContinuousClock.now
