import Crypto
package import MailTypes
package import Passwords
package import Postgres
package import Vault

/// Accounts for strangers who show that a mailbox is theirs, by a code that they are mailed.
///
/// Until the code is right there is a row that lasts as long as the code, and no account. Whether somebody signs in with the address
/// already makes no difference but for the mail, and that is made later, by a node.
package struct SignUp: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher
    private let attempts: SignUpAttempts
    private let codes: MailCodes
    private let openAccount: AccountOpening

    /// Opens an account of this name without credits, with its key and the limits of strangers, in the transaction given.
    package typealias AccountOpening = @Sendable (String, PostgresConnection) async throws -> AccountID

    /// - Parameter perDay: requests that are taken within a day, all nodes together
    package init(
        pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher, vault: Vault, perDay: Int,
        openAccount: @escaping AccountOpening
    ) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
        self.openAccount = openAccount
        attempts = SignUpAttempts(perDay: perDay, pool: pool, key: SymmetricKey(data: vault.peopleKey))
        codes = MailCodes(vault: vault)
    }

    /// Has a code mailed; or word that the address signs in here already.
    ///
    /// - Parameters:
    ///   - password: see `PasswordRules`
    ///   - accountName: what the account is to be called, see ``UnlinkedText``
    ///   - network: of the client, in octets: four, or the first eight of IPv6, of which six count
    /// - Returns: the browser's secret
    /// - Throws: ``SignUpError``, ``UserError/invalidAddress``, `PasswordError`, ``SignInError/busy``; `PostgresError`
    package func request(
        address text: String, password: String, accountName: String, network: [UInt8]
    ) async throws -> Redacted<String> {
        let address = try Users.address(text)
        // Both stand in mails that the account has others invited by.
        guard UnlinkedText.isAddress(address) else { throw UserError.invalidAddress }
        guard UnlinkedText.isAccountName(accountName) else { throw SignUpError.invalidAccountName }
        let checked = try PasswordRules.check(password, address: address.text)
        do {
            return try await hasher.withPlace(isStrangers: true) { place in
                try await attempts.take(address: address, network: network)
                return try await insert(address, accountName, try await place.hash(checked))
            }
        } catch PasswordError.busy {
            throw SignInError.busy
        }
    }

    private func insert(
        _ address: EmailAddress, _ accountName: String, _ hash: PasswordHash
    ) async throws -> Redacted<String> {
        let browser = RefreshSecret.random()
        try await pool.query(
            """
            INSERT INTO sign_ups (browser_hash, address, account_name, password_hash, expires_at, mail_due_at)
            VALUES (\(RefreshSecret.hash(of: browser)), \(address.text), \(accountName), \(hash.text),
                now() + \(PeopleLimits.codeSeconds) * interval '1 second', now())
            """)
        return Redacted(browser)
    }

    /// Makes the account and its owner, and signs them in. The browser is known from then on: it has shown a code.
    ///
    /// - Parameters:
    ///   - browser: the secret that ``request(address:password:accountName:network:)`` gave
    ///   - origin: is kept with the session
    /// - Throws: ``MailCodeError``; ``UserError/addressTaken`` where somebody has taken the address meanwhile; `PostgresError`, and
    ///   what the opening of accounts throws
    package func finish(
        code text: String, browser: String?, from origin: SessionOrigin = .unknown
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets, device: Redacted<String>) {
        guard let browser, RefreshSecret.isSecret(browser) else { throw MailCodeError.over }
        let place = RefreshSecret.hash(of: browser)
        try await judge(text, of: place)
        let (begun, device) = try await pool.withTransaction { connection in
            let asked = try await use(place, on: connection)
            let account = try await openAccount(asked.accountName, connection)
            let user = try await Users.insert(
                .member(account, .owner), asked.address, name: nil, asked.hash, on: connection)
            guard
                let begun = try await sessions.begin(
                    user, passwordHash: asked.hash.text, from: origin, on: connection)
            else { throw MailCodeError.over }
            return (begun, try await Devices.add(to: user, on: connection))
        }
        return (
            begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh), device
        )
    }

    /// Counts a guess in the statement that locks the row, before it is judged.
    private func judge(_ text: String, of place: [UInt8]) async throws {
        let row = try await pool.query(
            """
            UPDATE sign_ups SET attempts = attempts + 1
            WHERE browser_hash = \(place) AND attempts < \(PeopleLimits.codeAttempts) AND \(unescaped: Self.isOpen)
            RETURNING code_hash
            """
        ).first
        guard let row else { throw MailCodeError.over }
        guard let expected = try row.decode([UInt8]?.self), let code = MailCode(text),
            codes.hash(of: code, browser: place).equalsInConstantTime(expected)
        else { throw MailCodeError.refused }
    }

    private struct Asked {
        let address: EmailAddress
        let accountName: String
        let hash: PasswordHash
    }

    /// Takes the row away, so that its code is good once.
    private func use(_ place: [UInt8], on connection: PostgresConnection) async throws -> Asked {
        let row = try await connection.query(
            """
            DELETE FROM sign_ups WHERE browser_hash = \(place) AND \(unescaped: Self.isOpen)
            RETURNING address, account_name, password_hash
            """
        ).first
        guard let (address, name, text) = try row?.decode(String.self, String.self, String.self),
            let hash = PasswordHash(text)
        else { throw MailCodeError.over }
        // Before a key is made for nobody: the vault is another database.
        let isTaken = try await !connection.query("SELECT FROM user_addresses WHERE address = \(address)").isEmpty
        guard !isTaken else { throw UserError.addressTaken }
        return Asked(address: try User.address(stored: address), accountName: Self.marked(name), hash: hash)
    }

    static let isOpen = "expires_at > now()"

    // MARK: Names

    /// Names of accounts are unique, and nobody is to learn by trying which there are. The mark also tells operators apart what
    /// strangers have called themselves.
    private static func marked(_ name: String) -> String { "\(name) (\(RefreshSecret.random().prefix(6)))" }

    // MARK: Sweep

    /// Forgets who has not shown their code in time, passwords with it, and days that are over.
    ///
    /// - Returns: how many
    package static func sweep(on pool: PostgresPool) async throws -> Int {
        let over = try await pool.sweep(
            """
            DELETE FROM sign_ups WHERE browser_hash IN (
                SELECT browser_hash FROM sign_ups WHERE NOT (\(unescaped: Self.isOpen))
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
        return over + (try await SignUpAttempts.sweep(on: pool))
    }
}
