import Crypto
package import MailTypes
package import Passwords
package import Postgres
package import Vault

/// New passwords for people who have forgotten theirs, by a code that they are mailed.
package struct PasswordReset: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher
    private let attempts: SignInAttempts
    private let codes: MailCodes

    package init(pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher, vault: Vault) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
        attempts = SignInAttempts(.passwordCode, pool: pool, key: SymmetricKey(data: vault.peopleKey))
        codes = MailCodes(vault: vault)
    }

    /// Has a code mailed to the user of an address, where there is one. Nothing tells whether there is.
    ///
    /// - Parameter network: of the client, in octets; those of one network count together
    /// - Returns: the browser's secret
    /// - Throws: ``SignInError/tooMany(seconds:)``, `PostgresError`
    package func request(address text: String, network: [UInt8]) async throws -> Redacted<String> {
        let address = try? Users.address(text)
        _ = try await attempts.take(address: address?.text ?? text, network: network)
        return try await codes.request(.password, address: address, on: pool)
    }

    /// Sets a new password, and ends all sessions of the user.
    ///
    /// - Parameter browser: its secret
    /// - Throws: ``MailCodeError``, `PasswordError`, ``SignInError/busy``; `PostgresError`
    package func finish(code: String, browser: String?, password: String) async throws {
        let owner = try await codes.check(code, browser: browser, for: .password, on: pool)
        let address = try await pool.query(
            "SELECT address FROM users WHERE account_id = \(owner.account.rawValue) AND user_id = \(owner.user.rawValue)"
        ).first?.decode(String.self)
        guard let address else { throw MailCodeError.over }
        let checked = try PasswordRules.check(password, address: address)
        do {
            let hash = try await hasher.withPlace { try await $0.hash(checked) }
            try await pool.withTransaction { connection in
                try await codes.use(owner, on: connection)
                try await connection.query(
                    """
                    UPDATE users SET password_hash = \(hash.text), generation = generation + 1
                    WHERE account_id = \(owner.account.rawValue) AND user_id = \(owner.user.rawValue)
                    """)
            }
        } catch PasswordError.busy {
            throw SignInError.busy
        }
        sessions.forget(owner.user)
    }
}
