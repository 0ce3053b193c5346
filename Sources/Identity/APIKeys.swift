package import MailTypes
package import Postgres

/// API keys: made and shown once, stored as hashes, revoked for good: at once on this node, and within
/// ``IdentityLimits/cacheSeconds`` on every other, because none is believed for longer without asking the database.
package final class APIKeys: Sendable {
    private let pool: PostgresPool
    private let lookups: PostgresPool
    private let openTestAccount: TestAccountOpening?
    private let cache: AuthenticationCache<[UInt8], AuthenticatedKey>
    private let limits: AccountLimits
    private let clock: @Sendable () -> Int64

    /// Sees to it that a test account is there, in the transaction that makes a key of it.
    package typealias TestAccountOpening = @Sendable (AccountID, PostgresConnection) async throws -> Void

    /// - Parameters:
    ///   - pool: for what an account does with its keys.
    ///   - lookups: for bearer keys, whose account is not known yet, so it must see the keys of all; `pool` if nil.
    ///   - cacheSeconds: 0 asks the database each time
    ///   - limits: what was set for accounts
    ///   - openTestAccount: nil where test accounts are there already
    ///   - clock: seconds of a clock that never goes back
    package init(
        pool: PostgresPool, lookups: PostgresPool? = nil, cacheSeconds: Int64 = IdentityLimits.cacheSeconds,
        limits: AccountLimits = AccountLimits(), openTestAccount: TestAccountOpening? = nil,
        clock: @escaping @Sendable () -> Int64 = monotonicSeconds
    ) {
        self.pool = pool
        self.lookups = lookups ?? pool
        self.limits = limits
        self.openTestAccount = openTestAccount
        self.clock = clock
        cache = AuthenticationCache(seconds: cacheSeconds, capacity: IdentityLimits.cachedKeys)
    }

    /// Makes a key. It cannot be read again. A key of a test account is a test key; the first one opens the account.
    ///
    /// - Parameters:
    ///   - account: where it is a test account, its live account's keys may ask for it too.
    ///   - name: for people, 1…100 characters
    ///   - requestsPerMinute: nil: as the operator has set for all keys
    ///   - creator: the key that asks for it, whose own terms must allow all of the new one's; nil for an operator
    /// - Throws: ``IdentityError``, `PostgresError`
    package func create(
        account: AccountID, name: String, terms: KeyTerms = KeyTerms(), requestsPerMinute: Int? = nil,
        creator: AuthenticatedKey? = nil,
        onCommit: (@Sendable (PostgresConnection, APIKeyRecord) async throws -> Void)? = nil
    ) async throws -> (key: APIKey, record: APIKeyRecord) {
        // Who asks for a test account that is not there yet, or for the other account's, needs to see both.
        try await (account.isTest ? lookups : pool).withTransaction { connection in
            if account.isTest { try await openTestAccount?(account, connection) }
            let made = try await self.create(
                account: account, name: name, terms: terms, requestsPerMinute, creator, on: connection)
            try await onCommit?(connection, made.record)
            return made
        }
    }

    private func create(
        account: AccountID, name: String, terms: KeyTerms, _ requestsPerMinute: Int?, _ creator: AuthenticatedKey?,
        on connection: PostgresConnection
    ) async throws -> (key: APIKey, record: APIKeyRecord) {
        let scalars = name.unicodeScalars
        guard (1...IdentityLimits.nameCharacters).contains(scalars.count),
            !scalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw IdentityError.invalidName }
        if let requestsPerMinute, !IdentityLimits.requestsPerMinute.contains(requestsPerMinute) {
            throw IdentityError.invalidRequestLimit
        }
        if let creator { try await Self.check(terms, allowedBy: creator, on: connection) }
        if let end = terms.expiresAt {
            let isOver = try await connection.query("SELECT \(end) <= now()").only.decode(Bool.self)
            guard !isOver else { throw IdentityError.invalidExpiry }
        }
        let living = try await connection.query(Self.living(of: account)).only.decode(Int.self)
        guard living < limits[.keys, account] ?? IdentityLimits.keys else { throw IdentityError.tooManyKeys }
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(isTest: account.isTest, using: &generator)
        let rows = try await connection.query(
            """
            WITH owner AS (
                SELECT account_id FROM accounts WHERE account_id = \(account.rawValue) FOR KEY SHARE
            ), hashed AS (
                INSERT INTO api_key_hashes (key_hash, account_id)
                SELECT \(key.hash), account_id FROM owner RETURNING account_id, key_id
            )
            INSERT INTO api_keys (account_id, key_id, name, mode, display_prefix, scopes, networks, expires_at,
                requests_per_minute)
            SELECT account_id, key_id, \(name), \(key.isTest ? "test" : "live"), \(key.displayPrefix), \(terms.scopes.names),
                \(terms.networks.map(\.description)), \(terms.expiresAt as PostgresTimestamp?),
                \(requestsPerMinute.map { Int32(clamping: $0) } as Int32?) FROM hashed
            RETURNING key_id, created_at
            """)
        guard let row = rows.first else { throw IdentityError.accountNotFound }
        let (id, createdAt) = try row.decode(Int64.self, PostgresTimestamp.self)
        let record = APIKeyRecord(
            id: APIKeyID(rawValue: id), name: name, isTest: key.isTest, displayPrefix: key.displayPrefix, terms: terms,
            requestsPerMinute: requestsPerMinute, createdAt: createdAt, lastUsedAt: nil, revokedAt: nil)
        return (key, record)
    }

    /// A creator that is revoked while it asks would otherwise leave a key behind.
    private static func check(
        _ terms: KeyTerms, allowedBy creator: AuthenticatedKey, on connection: PostgresConnection
    ) async throws {
        guard creator.terms.allow(terms) else { throw IdentityError.exceedsOwnTerms }
        let isValid = try await connection.query(
            """
            SELECT FROM api_keys WHERE account_id = \(creator.account.rawValue) AND key_id = \(creator.id.rawValue)
                AND revoked_at IS NULL FOR SHARE
            """)
        guard !isValid.isEmpty else { throw IdentityError.keyNotFound }
    }

    /// Whom a bearer key stands for; nil for one that is malformed, unknown, expired or revoked.
    ///
    /// - Throws: `PostgresError` where the database cannot tell
    package func authenticate(_ bearer: String) async throws -> AuthenticatedKey? {
        // A test key never stands for a live account, whatever a row says.
        guard let key = APIKey(bearer), let found = try await find(key.hash), found.account.isTest == key.isTest
        else { return nil }
        return found
    }

    /// Whether a key that was good is so still: for what lasts longer than a request.
    package func isStillValid(_ key: AuthenticatedKey) async throws -> Bool { try await find(key.hash) != nil }

    private func find(_ hash: [UInt8]) async throws -> AuthenticatedKey? {
        let now = clock()
        if let known = cache.find(hash, now: now) { return known }
        let rows = try await lookups.query(
            """
            WITH found AS (
                SELECT k.account_id, k.key_id, k.last_used_at, k.scopes, k.networks, k.expires_at,
                    k.requests_per_minute
                FROM api_key_hashes h JOIN api_keys k ON k.account_id = h.account_id AND k.key_id = h.key_id
                WHERE h.key_hash = \(hash) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            ), touched AS (
                UPDATE api_keys k SET last_used_at = now() FROM found
                WHERE k.account_id = found.account_id AND k.key_id = found.key_id
                    AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
                    AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
            )
            SELECT account_id, key_id, scopes, networks, expires_at, requests_per_minute FROM found
            """)
        guard let row = rows.first else { return nil }
        let (account, id, scopes, networks, expiresAt, requestsPerMinute) = try row.decode(
            Int64.self, Int64.self, [String]?.self, [String].self, PostgresTimestamp?.self, Int?.self)
        let authenticated = AuthenticatedKey(
            account: AccountID(rawValue: account), id: APIKeyID(rawValue: id),
            terms: try KeyTerms(stored: scopes, networks, expiresAt), requestsPerMinute: requestsPerMinute, hash: hash)
        cache.keep(authenticated, for: hash, readAt: now)
        return authenticated
    }

    /// Ends a key for good.
    ///
    /// - Returns: false where the account has no such key or it was revoked before
    package func revoke(_ id: APIKeyID, account: AccountID) async throws -> Bool {
        let rows = try await pool.query(
            """
            UPDATE api_keys SET revoked_at = now()
            WHERE account_id = \(account.rawValue) AND key_id = \(id.rawValue) AND revoked_at IS NULL
            RETURNING key_id
            """)
        cache.remove { $0.id == id }
        return !rows.isEmpty
    }

    /// Sets how many requests a key has in a minute.
    ///
    /// - Parameter requests: nil: as the operator has set for all keys
    /// - Returns: false where the account has no such key or it is revoked
    /// - Throws: ``IdentityError/invalidRequestLimit``, `PostgresError`
    package func limit(_ id: APIKeyID, account: AccountID, requestsPerMinute requests: Int?) async throws -> Bool {
        if let requests, !IdentityLimits.requestsPerMinute.contains(requests) {
            throw IdentityError.invalidRequestLimit
        }
        let rows = try await pool.query(
            """
            UPDATE api_keys SET requests_per_minute = \(requests.map { Int32(clamping: $0) } as Int32?)
            WHERE account_id = \(account.rawValue) AND key_id = \(id.rawValue) AND revoked_at IS NULL
            RETURNING key_id
            """)
        cache.remove { $0.id == id }
        return !rows.isEmpty
    }

    /// How many keys of the account are neither revoked nor expired.
    package func count(of account: AccountID) async throws -> Int {
        try await pool.query(Self.living(of: account)).only.decode(Int.self)
    }

    private static func living(of account: AccountID) -> SQL {
        """
        SELECT count(*) FROM api_keys WHERE account_id = \(account.rawValue) AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > now())
        """
    }

    /// The account's keys, newest first, those that are over among them.
    ///
    /// - Parameters:
    ///   - before: only those that are older
    ///   - limit: at most so many
    package func list(
        account: AccountID, before: APIKeyID? = nil, limit: Int = IdentityLimits.listedKeys
    ) async throws -> [APIKeyRecord] {
        try await pool.query(
            """
            SELECT key_id, name, mode, display_prefix, scopes, networks, expires_at, requests_per_minute, created_at,
                last_used_at, revoked_at
            FROM api_keys
            WHERE account_id = \(account.rawValue) AND key_id < \(before?.rawValue ?? .max)
            ORDER BY key_id DESC LIMIT \(limit)
            """
        ).map(APIKeyRecord.init(row:))
    }

    /// One of the account's keys, also one that is over.
    ///
    /// - Throws: ``IdentityError/keyNotFound``, `PostgresError`
    package func get(_ id: APIKeyID, account: AccountID) async throws -> APIKeyRecord {
        let rows = try await pool.read(
            """
            SELECT key_id, name, mode, display_prefix, scopes, networks, expires_at, requests_per_minute, created_at,
                last_used_at, revoked_at
            FROM api_keys WHERE account_id = \(account.rawValue) AND key_id = \(id.rawValue)
            """)
        guard let row = rows.first else { throw IdentityError.keyNotFound }
        return try APIKeyRecord(row: row)
    }
}

extension APIKeyRecord {
    fileprivate init(row: PostgresRow) throws {
        let (id, name, mode, prefix, scopes, networks, expiresAt, requests, createdAt, lastUsedAt, revokedAt) =
            try row.decode(
                Int64.self, String.self, String.self, String.self, [String]?.self, [String].self,
                PostgresTimestamp?.self, Int?.self,
                PostgresTimestamp.self, PostgresTimestamp?.self, PostgresTimestamp?.self)
        self.init(
            id: APIKeyID(rawValue: id), name: name, isTest: mode == "test", displayPrefix: prefix,
            terms: try KeyTerms(stored: scopes, networks, expiresAt), requestsPerMinute: requests, createdAt: createdAt,
            lastUsedAt: lastUsedAt, revokedAt: revokedAt)
    }
}

extension KeyTerms {
    /// - Throws: `PostgresError` where somebody has damaged the row: a network that is not understood must not turn into
    ///   none, which is everywhere.
    fileprivate init(stored scopes: [String]?, _ networks: [String], _ expiresAt: PostgresTimestamp?) throws {
        guard let networks = try? Self.networks(networks) else {
            throw PostgresError(.decoding, "a network of an API key cannot be read")
        }
        self.init(scopes: KeyScopes(stored: scopes), networks: networks, expiresAt: expiresAt)
    }
}

/// Whole seconds of the continuous clock since this function was first called.
@Sendable
package func monotonicSeconds() -> Int64 {
    (ContinuousClock.now - processStart).components.seconds
}

private let processStart = ContinuousClock.now
