import Crypto
package import MailTypes
package import Passwords
package import Postgres
package import Vault

/// Why nobody was signed in.
package enum SignInError: Error, Sendable, Hashable {
    /// No such user, or another password. Which of the two is not told.
    case refused
    /// Too many attempts without success. After so many seconds there is another.
    case tooMany(seconds: Int)
    /// As many passwords are being checked as may.
    case busy
    /// The password is right and the browser is new: a code is mailed, which ``SignIn/finish(code:browser:network:)`` takes
    /// together with this secret of the browser's.
    case codeMailed(browser: Redacted<String>)
}

/// Signs people in by address and password.
///
/// Attempts are counted before they are judged, over all nodes, so that many at once do not pass together; one that succeeds is
/// given back. No number of failures from elsewhere locks a user out: see ``PeopleLimits``. An address that nobody has takes as
/// long as one that somebody has.
///
/// Where the installation sends mail, a browser that is new to a user needs a code beside the password. Attempts that end there are
/// not given back, so that whoever has the password alone cannot flood the mailbox.
package struct SignIn: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher
    private let attempts: Attempts
    private let codes: MailCodes
    private let asksForCodes: Bool

    /// - Parameter asksForCodes: of browsers that are new to their user
    package init(
        pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher, vault: Vault, asksForCodes: Bool = false
    ) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
        self.asksForCodes = asksForCodes
        attempts = Attempts(key: SymmetricKey(data: vault.peopleKey))
        codes = MailCodes(vault: vault)
    }

    /// - Parameters:
    ///   - network: of the client, in octets; those of one network count together
    ///   - device: the secret of a browser that is known; nil where it shows none
    /// - Throws: ``SignInError``, `PostgresError`
    package func begin(
        address: String, password: String, network: [UInt8], device: String? = nil
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        do {
            return try await hasher.withPlace { place in
                try await signIn((try? Users.address(address))?.text ?? address, password, network, device, place)
            }
        } catch PasswordError.busy {
            throw SignInError.busy
        }
    }

    private func signIn(
        _ address: String, _ password: String, _ network: [UInt8], _ device: String?, _ place: PasswordHasher.Place
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        let subjects = attempts.subjects(.signIn, address: address, network: network)
        try await attempts.take(subjects, on: pool)
        let (user, hash) = try await find(address)
        guard await place.matches(PasswordRules.normalised(password), hash), let user, let hash else {
            throw SignInError.refused
        }
        if asksForCodes, try await !Devices.isKnown(device, of: user, on: pool) {
            throw SignInError.codeMailed(
                browser: try await codes.request(.device, address: address, on: pool))
        }
        let begun = try await pool.withTransaction { connection in
            let begun = try await sessions.begin(user, passwordHash: hash.text, on: connection)
            if begun != nil { try await Attempts.giveBack(subjects, on: connection) }
            return begun
        }
        guard let begun else { throw SignInError.refused }
        return (begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh))
    }

    /// Goes on where a code was mailed, and makes the browser known.
    ///
    /// - Parameters:
    ///   - browser: its secret, of ``SignInError/codeMailed(browser:)``
    ///   - network: as for the first step
    /// - Returns: besides, the secret of the known browser
    /// - Throws: ``MailCodeError``, `PostgresError`
    package func finish(
        code: String, browser: String?, network: [UInt8]
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets, device: Redacted<String>) {
        let owner = try await codes.check(code, browser: browser, for: .device, on: pool)
        let row = try await pool.query(
            """
            SELECT \(unescaped: User.columns), password_hash FROM users
            WHERE account_id = \(owner.account.rawValue) AND user_id = \(owner.user.rawValue)
            """
        ).first
        guard let row, let hash = try row.decode(column: 7, as: String?.self) else { throw MailCodeError.over }
        let user = try User(row: row)
        let subjects = attempts.subjects(.signIn, address: user.address.text, network: network)
        let (begun, device) = try await pool.withTransaction { connection in
            try await codes.use(owner, on: connection)
            guard let begun = try await sessions.begin(user, passwordHash: hash, on: connection) else {
                throw MailCodeError.over
            }
            let device = try await Devices.add(to: user, on: connection)
            try await Attempts.giveBack(subjects, on: connection)
            return (begun, device)
        }
        return (
            begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh), device
        )
    }

    private func find(_ address: String) async throws -> (user: User?, hash: PasswordHash?) {
        let rows = try await pool.query(
            """
            SELECT u.account_id, u.user_id, u.role, u.address, u.created_at, u.last_sign_in_at, u.name,
                u.password_hash
            FROM user_addresses a JOIN users u USING (account_id, user_id) WHERE a.address = \(address)
            """)
        guard let row = rows.first else { return (nil, nil) }
        return (try User(row: row), try row.decode(column: 7, as: String?.self).flatMap { PasswordHash($0) })
    }

    // MARK: Attempts

    /// Forgets attempts whose window is over, codes, and browsers that were known long ago.
    ///
    /// - Returns: how many
    package func sweep(on pool: PostgresPool) async throws -> Int {
        var count = try await codes.sweep(on: pool) + Devices.sweep(on: pool)
        while true {
            let gone = try await pool.query(
                """
                DELETE FROM sign_in_attempts WHERE subject IN (
                    SELECT subject FROM sign_in_attempts WHERE started_at < now() - interval '15 minutes'
                    LIMIT \(PeopleLimits.sweepRows) FOR UPDATE SKIP LOCKED)
                """
            ).affected
            count += gone
            if gone < PeopleLimits.sweepRows { return count }
        }
    }
}
