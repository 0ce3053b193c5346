import Crypto
import FoundationEssentials
package import MailTypes
package import Postgres
package import Vault

/// Sessions of people who have signed in: a signed token that is good for an hour, and a secret that brings the next one. Both
/// are worth nothing once the row of the session is over, which each node asks for again after
/// ``PeopleLimits/cacheSeconds``.
package final class Sessions: Sendable {
    private struct Place: Hashable {
        let account: AccountID
        let session: SessionID
    }

    private let pool: PostgresPool
    private let tokens: SessionTokens
    private let proofKey: SymmetricKey
    private let cache: AuthenticationCache<Place, AuthenticatedUser>
    private let clock: @Sendable () -> Int64

    /// - Parameters:
    ///   - cacheSeconds: 0 asks the database each time
    ///   - clock: seconds of a clock that never goes back
    ///   - now: seconds since 1970
    package init(
        pool: PostgresPool, vault: Vault, cacheSeconds: Int64 = PeopleLimits.cacheSeconds,
        clock: @escaping @Sendable () -> Int64 = monotonicSeconds,
        now: @escaping @Sendable () -> Int64 = secondsSince1970
    ) {
        self.pool = pool
        self.clock = clock
        tokens = SessionTokens(keys: SessionKeys(pool: pool, sealingKey: vault.sessionKey, clock: clock), now: now)
        proofKey = SymmetricKey(data: vault.peopleKey)
        cache = AuthenticationCache(seconds: cacheSeconds, capacity: PeopleLimits.cachedSessions)
    }

    // MARK: Beginning

    /// Begins a session, always a new one, in the transaction of the sign-in.
    ///
    /// - Parameters:
    ///   - hash: the password's that was shown: where it has changed since, nobody has signed in
    ///   - origin: is shown with the session
    /// - Returns: nil where the user is gone, or has another password by now
    func begin(
        _ user: User, passwordHash hash: String, from origin: SessionOrigin, on connection: PostgresConnection
    ) async throws -> (user: AuthenticatedUser, refresh: Redacted<String>)? {
        let account = user.kind.account
        let secret = RefreshSecret.random()
        let rows = try await connection.query(
            """
            WITH signed_in AS (
                UPDATE users SET last_sign_in_at = now() WHERE account_id = \(account.rawValue)
                    AND user_id = \(user.id.rawValue) AND password_hash = \(hash)
                RETURNING account_id, user_id, generation
            ), begun AS (
                INSERT INTO sessions (
                    account_id, user_id, refresh_hash, user_generation, account_generation, client, network, expires_at)
                SELECT account_id, user_id, \(RefreshSecret.hash(of: secret)), generation, p.session_generation,
                    \(origin.client as String?), \(origin.network?.description as String?),
                    now() + \(PeopleLimits.sessionSeconds) * interval '1 second'
                FROM signed_in JOIN account_people p USING (account_id)
                RETURNING account_id, user_id, session_id, user_generation, account_generation
            )
            SELECT s.session_id, s.user_generation, s.account_generation, \(unescaped: Self.lacksFactor)
            FROM begun s JOIN account_people p USING (account_id)
            """)
        guard let row = rows.first else { return nil }
        let (number, ofUser, ofAccount, lacksFactor) = try row.decode(Int64.self, Int64.self, Int64.self, Bool.self)
        // The user's row is locked, so nobody else adds one meanwhile.
        try await connection.query(
            """
            DELETE FROM sessions s USING (
                SELECT account_id, session_id FROM sessions
                WHERE account_id = \(account.rawValue) AND user_id = \(user.id.rawValue)
                ORDER BY last_seen_at DESC, session_id DESC OFFSET \(PeopleLimits.sessionsOfUser)
            ) old WHERE s.account_id = old.account_id AND s.session_id = old.session_id
            """)
        let begun = AuthenticatedUser(
            session: SessionID(rawValue: number), user: user.id, kind: user.kind, address: user.address,
            lacksDemandedFactor: lacksFactor, generation: SessionGeneration(user: ofUser, account: ofAccount))
        return (begun, Redacted("\(account).\(number).\(secret)"))
    }

    func token(_ user: AuthenticatedUser) async throws -> Redacted<String> { try await tokens.sign(user) }

    // MARK: Going on

    /// Whom a session stands for, by its token; or by its refresh secret, and then with a new token.
    ///
    /// - Returns: nil where neither is one of a session that goes on
    /// - Throws: `PostgresError` where the database cannot tell
    package func authenticate(
        token: String?, refresh: String?
    ) async throws -> (user: AuthenticatedUser, fresh: SessionSecrets?)? {
        if let token, let claims = try await tokens.read(token) {
            let place = Place(account: AccountID(rawValue: claims.acc), session: SessionID(rawValue: claims.sid))
            guard let user = try await find(place, touches: true), user.generation == claims.gen,
                user.user.description == claims.sub
            else { return nil }
            return (user, nil)
        }
        guard let secret = refresh.flatMap({ RefreshSecret($0) }) else { return nil }
        let place = Place(account: secret.account, session: secret.session)
        guard let user = try await read(place, refresh: secret.hash, touches: true) else { return nil }
        return (user, SessionSecrets(token: try await tokens.sign(user), refresh: nil))
    }

    /// Whether a session that was good is so still, with the same rights: for what lasts longer than a request. It does not
    /// count as a sign of life.
    package func isStillValid(_ user: AuthenticatedUser) async throws -> Bool {
        try await find(Place(account: user.kind.account, session: user.session), touches: false) == user
    }

    private func find(_ place: Place, touches: Bool) async throws -> AuthenticatedUser? {
        let asked = clock()
        if let known = cache.find(place, now: asked) { return known }
        guard let user = try await read(place, refresh: nil, touches: touches) else { return nil }
        cache.keep(user, for: place, readAt: asked)
        return user
    }

    /// - Parameters:
    ///   - refresh: what SHA-256 of the secret must be; nil where a token was shown
    ///   - touches: the session is seen by this, which is written at most once a minute
    private func read(_ place: Place, refresh: [UInt8]?, touches: Bool) async throws -> AuthenticatedUser? {
        let rows = try await pool.query(
            """
            WITH found AS (
                SELECT s.account_id, s.session_id, s.user_id, u.role, u.address, s.user_generation, s.account_generation,
                    \(unescaped: Self.lacksFactor) AS lacks_factor
                FROM sessions s JOIN users u USING (account_id, user_id) JOIN account_people p USING (account_id)
                WHERE s.account_id = \(place.account.rawValue) AND s.session_id = \(place.session.rawValue)
                    AND \(unescaped: Self.goesOn)
                    AND (\(refresh as [UInt8]?)::bytea IS NULL OR s.refresh_hash = \(refresh as [UInt8]?))
            ), touched AS (
                UPDATE sessions s SET last_seen_at = now() FROM found
                WHERE \(touches) AND s.account_id = found.account_id AND s.session_id = found.session_id
                    AND s.last_seen_at < now() - interval '1 minute'
            )
            SELECT account_id, user_id, role, address, user_generation, account_generation, lacks_factor FROM found
            """)
        guard let row = rows.first else { return nil }
        let (account, user, role, address, ofUser, ofAccount, lacksFactor) = try row.decode(
            Int64.self, Int64.self, String.self, String.self, Int64.self, Int64.self, Bool.self)
        return AuthenticatedUser(
            session: place.session, user: UserID(rawValue: user), kind: try UserKind(account: account, stored: role),
            address: try User.address(stored: address), lacksDemandedFactor: lacksFactor,
            generation: SessionGeneration(user: ofUser, account: ofAccount))
    }

    /// Of a session `s` and its account's people `p`. Where none is demanded, second factors are not looked at.
    private static let lacksFactor = """
        (p.demands_second_factor AND NOT EXISTS (
            SELECT FROM second_factors f
            WHERE f.account_id = s.account_id AND f.user_id = s.user_id AND f.confirmed_at IS NOT NULL))
        """

    /// Of a session `s`, its user `u` and its account's people `p`.
    static let goesOn = """
        s.revoked_at IS NULL AND s.expires_at > now()
        AND s.last_seen_at > now() - interval '\(PeopleLimits.idleSeconds) seconds'
        AND s.user_generation = u.generation AND s.account_generation = p.session_generation
        """

    /// Makes sure, to the end of the transaction, that the session goes on and its user may do so much: for what would outlive
    /// a session that is being ended.
    ///
    /// - Throws: ``SessionError/isOver``, `PostgresError`
    package func hold(_ user: AuthenticatedUser, on connection: PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT u.role FROM sessions s JOIN users u USING (account_id, user_id) JOIN account_people p USING (account_id)
            WHERE s.account_id = \(user.kind.account.rawValue) AND s.session_id = \(user.session.rawValue)
                AND \(unescaped: Self.goesOn)
            FOR SHARE
            """)
        guard let row = rows.first, try row.decode(String.self) == user.kind.name else { throw SessionError.isOver }
    }

    // MARK: Proof of our own page

    /// What a page of ours sends with each request that changes something, and no page of anybody else can know.
    package func proof(of user: AuthenticatedUser) -> String {
        HMAC<SHA256>.authenticationCode(for: Self.proved(user), using: proofKey).hexadecimal
    }

    /// Compares without telling by its time where the difference is.
    package func isProof(_ text: String, of user: AuthenticatedUser) -> Bool {
        proof(of: user).utf8.equalsInConstantTime(text.utf8)
    }

    private static func proved(_ user: AuthenticatedUser) -> [UInt8] {
        Array("csrf \(user.kind.account) \(user.session)".utf8)
    }

    // MARK: Ending

    /// Ends a session for good.
    ///
    /// - Parameter user: whose it must be; nil: of anybody in the account
    /// - Returns: false where there is no such session, or it was ended before
    package func end(_ session: SessionID, of account: AccountID, user: UserID? = nil) async throws -> Bool {
        defer { forget(session) }
        let rows = try await pool.query(
            """
            UPDATE sessions SET revoked_at = now()
            WHERE account_id = \(account.rawValue) AND session_id = \(session.rawValue) AND revoked_at IS NULL
                AND (\(user?.rawValue as Int64?)::bigint IS NULL OR user_id = \(user?.rawValue as Int64?))
            RETURNING session_id
            """)
        return !rows.isEmpty
    }

    /// Ends all sessions of a user but this one, in the transaction that it is given. ``forget(_:)`` comes after it.
    func endOthers(than user: AuthenticatedUser, on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            UPDATE sessions SET revoked_at = now()
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.user.rawValue)
                AND session_id <> \(user.session.rawValue) AND revoked_at IS NULL
            """)
    }

    /// Ends all sessions of a user.
    ///
    /// - Returns: false where there is no such user
    package func endAll(of user: UserID, in account: AccountID) async throws -> Bool {
        defer { cache.remove { $0.user == user } }
        let rows = try await pool.query(
            """
            UPDATE users SET generation = generation + 1
            WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue) RETURNING user_id
            """)
        return !rows.isEmpty
    }

    /// Ends all sessions of an account's users, or of all operators (`Vault.installation`).
    package func endAll(of account: AccountID) async throws {
        defer { forget(account) }
        try await pool.query(
            "UPDATE account_people SET session_generation = session_generation + 1 WHERE account_id = \(account.rawValue)"
        )
    }

    /// Asks the database again for a user's sessions, whose rights have changed or are gone. Other nodes do so within
    /// ``PeopleLimits/cacheSeconds``.
    func forget(_ user: UserID) { cache.remove { $0.user == user } }

    func forget(_ session: SessionID) { cache.remove { $0.session == session } }

    /// Of all the account's people.
    func forget(_ account: AccountID) { cache.remove { $0.kind.account == account } }

    /// Sessions of an account's users that go on, the one that was seen last first.
    package func list(of account: AccountID) async throws -> [SessionRecord] {
        try await pool.query(
            """
            SELECT \(unescaped: SessionRecord.columns)
            WHERE s.account_id = \(account.rawValue) AND \(unescaped: Self.goesOn)
            ORDER BY s.last_seen_at DESC, s.session_id DESC LIMIT \(PeopleLimits.listedSessions)
            """
        ).map(SessionRecord.init(row:))
    }

    /// Those of a user that go on, the one that was seen last first. There are at most ``PeopleLimits/sessionsOfUser``.
    package func list(of user: AuthenticatedUser) async throws -> [SessionRecord] {
        try await pool.query(
            """
            SELECT \(unescaped: SessionRecord.columns)
            WHERE s.account_id = \(user.kind.account.rawValue) AND s.user_id = \(user.user.rawValue)
                AND \(unescaped: Self.goesOn)
            ORDER BY s.last_seen_at DESC, s.session_id DESC
            """
        ).map(SessionRecord.init(row:))
    }

    /// Deletes sessions that are over.
    ///
    /// - Returns: how many
    package func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM sessions WHERE (account_id, session_id) IN (
                SELECT account_id, session_id FROM sessions
                WHERE last_seen_at < now() - \(PeopleLimits.idleSeconds) * interval '1 second' OR expires_at < now()
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
    }
}

/// By the wall clock.
@Sendable
package func secondsSince1970() -> Int64 { Int64(Date().timeIntervalSince1970) }
