import Crypto
package import MailTypes
package import Postgres
package import Vault

/// The second factors of users: codes that an app makes of the time (RFC 6238), and ten recovery codes.
///
/// A code is taken once, over all nodes: the step of the last one that was taken is stored, and only moves on, by a statement
/// that compares it (RFC 6238 §5.2). Codes that were tried are counted before they are judged.
package struct SecondFactors: Sendable {
    private let pool: PostgresPool
    private let sealingKey: SealingKey
    private let now: @Sendable () -> Int64

    /// - Parameter now: seconds since 1970, of which codes are made
    package init(
        pool: PostgresPool, vault: Vault, now: @escaping @Sendable () -> Int64 = secondsSince1970
    ) {
        self.pool = pool
        self.now = now
        sealingKey = vault.secondFactorKey
    }

    // MARK: What there is

    package func state(of user: UserID, in account: AccountID) async throws -> SecondFactorState {
        let row = try await pool.query(
            """
            SELECT f.confirmed_at, (SELECT count(*) FROM recovery_codes c
                WHERE c.account_id = f.account_id AND c.user_id = f.user_id AND c.used_at IS NULL), p.demands_second_factor
            FROM account_people p LEFT JOIN second_factors f
                ON f.account_id = p.account_id AND f.user_id = \(user.rawValue) AND f.confirmed_at IS NOT NULL
            WHERE p.account_id = \(account.rawValue)
            """
        ).first
        guard let row else { return SecondFactorState(enabledAt: nil, recoveryCodes: 0, isDemanded: false) }
        let (enabledAt, codes, isDemanded) = try row.decode(PostgresTimestamp?.self, Int.self, Bool.self)
        return SecondFactorState(enabledAt: enabledAt, recoveryCodes: codes, isDemanded: isDemanded)
    }

    /// The latest ones, newest first.
    package func changes(of user: UserID, in account: AccountID) async throws -> [SecondFactorChange] {
        try await pool.query(
            """
            SELECT change, reason, changed_at FROM second_factor_changes
            WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
            ORDER BY change_id DESC LIMIT \(PeopleLimits.listedChanges)
            """
        ).map { row in
            let (name, reason, at) = try row.decode(String.self, String?.self, PostgresTimestamp.self)
            return SecondFactorChange(name: name, reason: reason, at: at)
        }
    }

    /// Whether the user needs one to sign in. The user's row is locked by whoever asks, or the answer is over at once.
    func isEnabled(_ user: User, on connection: PostgresConnection) async throws -> Bool {
        try await connection.query(
            """
            SELECT EXISTS (SELECT FROM second_factors WHERE account_id = \(user.kind.account.rawValue)
                AND user_id = \(user.id.rawValue) AND confirmed_at IS NOT NULL)
            """
        ).only.decode(Bool.self)
    }

    // MARK: Beginning

    /// Makes a secret, in place of one that was never confirmed. It counts once a code has shown that the app has it.
    ///
    /// - Throws: ``SecondFactorError/exists``, `PostgresError`
    func begin(_ user: User, on connection: PostgresConnection) async throws -> SecondFactorSecret {
        let totp = TOTP.random()
        let sealed = try sealingKey.seal(totp.secret, as: Self.context(user))
        let rows = try await connection.query(
            """
            INSERT INTO second_factors AS f (account_id, user_id, sealed)
            VALUES (\(user.kind.account.rawValue), \(user.id.rawValue), \(sealed))
            ON CONFLICT (account_id, user_id) DO UPDATE SET sealed = excluded.sealed, begun_at = now()
            WHERE f.confirmed_at IS NULL
            RETURNING f.user_id
            """)
        guard !rows.isEmpty else { throw SecondFactorError.exists }
        return SecondFactorSecret(
            secret: Redacted(Base32.text(totp.secret)), uri: Redacted(totp.uri(account: user.address.text)))
    }

    /// From here on the factor counts.
    ///
    /// - Parameter code: of the secret that was made last
    /// - Returns: the recovery codes, which are shown once
    /// - Throws: ``SecondFactorError``, `PostgresError`
    func confirm(
        _ code: String, of user: User, on connection: PostgresConnection
    ) async throws -> [Redacted<String>] {
        let row = try await connection.query(
            """
            SELECT sealed, confirmed_at IS NOT NULL FROM second_factors
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
                AND (confirmed_at IS NOT NULL OR begun_at > now() - \(PeopleLimits.enrolmentSeconds) * interval '1 second')
            FOR UPDATE
            """
        ).first
        guard let row else { throw SecondFactorError.missing }
        let (sealed, isConfirmed) = try row.decode([UInt8].self, Bool.self)
        guard !isConfirmed else { throw SecondFactorError.exists }
        guard let step = try open(sealed, of: user).step(of: code, at: now(), after: 0) else {
            throw SecondFactorError.proofRefused
        }
        try await connection.query(
            """
            UPDATE second_factors SET confirmed_at = now(), last_step = \(step)
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
            """)
        try await note("enabled", of: user.id, in: user.kind.account, on: connection)
        return try await insertCodes(user, on: connection)
    }

    /// Ten new recovery codes in place of those that there were.
    ///
    /// - Throws: ``SecondFactorError/missing``, `PostgresError`
    func replaceCodes(of user: User, on connection: PostgresConnection) async throws -> [Redacted<String>] {
        // Two that come at the same time would leave twenty codes behind.
        let found = try await connection.query(
            """
            SELECT FROM second_factors WHERE account_id = \(user.kind.account.rawValue)
                AND user_id = \(user.id.rawValue) AND confirmed_at IS NOT NULL
            FOR UPDATE
            """)
        guard !found.isEmpty else { throw SecondFactorError.missing }
        try await connection.query(
            """
            DELETE FROM recovery_codes
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
            """)
        try await note("recovery_codes_replaced", of: user.id, in: user.kind.account, on: connection)
        return try await insertCodes(user, on: connection)
    }

    private func insertCodes(_ user: User, on connection: PostgresConnection) async throws -> [Redacted<String>] {
        let codes = (0..<PeopleLimits.recoveryCodes).map { _ in RecoveryCode.random() }
        for code in codes {
            try await connection.query(
                """
                INSERT INTO recovery_codes (account_id, user_id, code_hash)
                VALUES (\(user.kind.account.rawValue), \(user.id.rawValue), \(code.hash))
                """)
        }
        return codes.map(\.shown)
    }

    // MARK: Ending

    /// The session is held, so nobody begins to demand one meanwhile.
    ///
    /// - Throws: ``SecondFactorError/missing``, ``SecondFactorError/demanded``, `PostgresError`
    func disable(_ user: User, on connection: PostgresConnection) async throws {
        let isDemanded = try await connection.query(
            "SELECT demands_second_factor FROM account_people WHERE account_id = \(user.kind.account.rawValue)"
        ).only.decode(Bool.self)
        guard !isDemanded else { throw SecondFactorError.demanded }
        let gone = try await connection.query(
            """
            DELETE FROM second_factors WHERE account_id = \(user.kind.account.rawValue)
                AND user_id = \(user.id.rawValue) AND confirmed_at IS NOT NULL
            """)
        guard gone.affected == 1 else { throw SecondFactorError.missing }
        try await note("disabled", of: user.id, in: user.kind.account, on: connection)
    }

    /// Takes a user's second factor away in an operator's name, and ends their sessions: whoever has lost the app may have
    /// lost more.
    ///
    /// - Parameter reason: is kept with the change
    /// - Throws: ``SecondFactorError/missing``, ``UserError/invalidReason``, `PostgresError`
    package func remove(_ user: UserID, from account: AccountID, reason: String) async throws {
        guard (1...PeopleLimits.reasonCharacters).contains(reason.count), reason.utf8.count <= 4 * reason.count,
            !reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw UserError.invalidReason }
        try await pool.withTransaction { connection in
            try await connection.query(
                """
                UPDATE users SET generation = generation + 1
                WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
                """)
            let gone = try await connection.query(
                """
                DELETE FROM second_factors WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
                    AND confirmed_at IS NOT NULL
                """)
            guard gone.affected == 1 else { throw SecondFactorError.missing }
            try await note("removed_by_operator", of: user, in: account, reason: reason, on: connection)
        }
    }

    /// Forgets what became of second factors longer ago than ``IdentityLimits/factorChangeDays``.
    ///
    /// - Returns: how much
    static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM second_factor_changes WHERE (account_id, user_id, change_id) IN (
                SELECT account_id, user_id, change_id FROM second_factor_changes
                WHERE changed_at < now() - \(IdentityLimits.factorChangeDays) * interval '1 day'
                LIMIT \(IdentityLimits.sweepRows))
            """)
    }

    // MARK: Codes

    /// A code of the app that is right, and may have been taken meanwhile.
    struct JudgedCode: Sendable {
        fileprivate let sealed: [UInt8]
        fileprivate let step: Int64
    }

    /// Counts a code that is tried, and says whether it is one.
    ///
    /// - Returns: nil where it is none, or where the user has no second factor
    /// - Throws: ``SignInError/tooManyCodes(seconds:)``, `PostgresError`
    func judge(_ code: String, of user: User) async throws -> JudgedCode? {
        let row = try await pool.query(
            """
            UPDATE second_factors SET attempts = CASE WHEN \(unescaped: Self.isOpen) THEN attempts + 1 ELSE 1 END,
                attempts_since = CASE WHEN \(unescaped: Self.isOpen) THEN attempts_since ELSE now() END
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
                AND confirmed_at IS NOT NULL
                AND (attempts < \(PeopleLimits.attemptsOfCodes) OR NOT \(unescaped: Self.isOpen))
            RETURNING sealed, last_step
            """
        ).first
        guard let row else {
            if let seconds = try await secondsLeft(user) { throw SignInError.tooManyCodes(seconds: seconds) }
            return nil
        }
        let (sealed, last) = try row.decode([UInt8].self, Int64.self)
        guard let step = try open(sealed, of: user).step(of: code, at: now(), after: last) else { return nil }
        return JudgedCode(sealed: sealed, step: step)
    }

    /// Takes the code: compares and sets, so that of two who show it one is refused. What was counted for it is given back.
    ///
    /// - Returns: false where it was taken meanwhile, or the factor is another by now
    func take(_ code: JudgedCode, of user: User, on connection: PostgresConnection) async throws -> Bool {
        try await connection.query(
            """
            UPDATE second_factors SET last_step = \(code.step), attempts = greatest(0, attempts - 1)
            WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
                AND confirmed_at IS NOT NULL AND sealed = \(code.sealed) AND last_step < \(code.step)
            """
        ).affected == 1
    }

    /// Takes a recovery code. Codes of the app that failed do not stand in its way: it is what lets a user in whose codes
    /// somebody else is trying.
    ///
    /// - Returns: false where it is none of the user's, or was used before
    func take(_ code: RecoveryCode, of user: User, on connection: PostgresConnection) async throws -> Bool {
        let used = try await connection.query(
            """
            UPDATE recovery_codes SET used_at = now() WHERE account_id = \(user.kind.account.rawValue)
                AND user_id = \(user.id.rawValue) AND code_hash = \(code.hash) AND used_at IS NULL
            """)
        guard used.affected == 1 else { return false }
        try await note("recovery_code_used", of: user.id, in: user.kind.account, on: connection)
        return true
    }

    /// Nil where there is a further attempt, or no second factor.
    private func secondsLeft(_ user: User) async throws -> Int? {
        try await pool.query(
            """
            SELECT greatest(1, ceil(extract(epoch FROM attempts_since - now()) + \(PeopleLimits.attemptSecondsOfCodes)))::integer
            FROM second_factors WHERE account_id = \(user.kind.account.rawValue) AND user_id = \(user.id.rawValue)
                AND confirmed_at IS NOT NULL
            """
        ).first?.decode(Int.self)
    }

    /// A window that begins after now, because the clock was set back, is over too.
    private static let isOpen =
        "abs(extract(epoch FROM now() - attempts_since)) < \(PeopleLimits.attemptSecondsOfCodes)"

    private func note(
        _ change: String, of user: UserID, in account: AccountID, reason: String? = nil,
        on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO second_factor_changes (account_id, user_id, change, reason)
            VALUES (\(account.rawValue), \(user.rawValue), \(change), \(reason as String?))
            """)
    }

    private func open(_ sealed: [UInt8], of user: User) throws -> TOTP {
        TOTP(secret: try sealingKey.open(sealed, as: Self.context(user)))
    }

    private static func context(_ user: User) -> SealContext {
        SealContext(account: user.kind.account, purpose: .secondFactor, label: user.id.description)
    }
}
