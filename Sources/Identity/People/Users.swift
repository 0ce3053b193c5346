package import MailTypes
package import Passwords
package import Postgres
import Vault

/// The people of accounts, and the operators of the installation.
package struct Users: Sendable {
    private let pool: PostgresPool
    private let hasher: PasswordHasher

    package init(pool: PostgresPool, hasher: PasswordHasher) {
        self.pool = pool
        self.hasher = hasher
    }

    /// Makes a user.
    ///
    /// - Parameters:
    ///   - address: what they sign in with; case makes no difference
    ///   - password: see `PasswordRules`
    /// - Throws: ``UserError``, `PasswordError`, `PostgresError`
    package func create(_ kind: UserKind, address text: String, password: String) async throws -> User {
        let address = try Self.address(text)
        let hash = try await hash(password, of: address)
        do {
            return try await pool.withTransaction { connection in
                try await Self.insert(kind, address, name: nil, hash, on: connection)
            }
        } catch let error as PostgresError {
            throw Self.refusal(error) ?? error
        }
    }

    static func requireAccount(_ account: AccountID, on connection: PostgresConnection) async throws {
        let found = try await connection.query(
            "SELECT FROM accounts WHERE account_id = \(account.rawValue) FOR KEY SHARE")
        guard !found.isEmpty else { throw UserError.accountNotFound }
    }

    /// - Parameter name: checked by ``check(name:)``; nil where they have not said what they are called
    static func insert(
        _ kind: UserKind, _ address: EmailAddress, name: String?, _ hash: PasswordHash,
        on connection: PostgresConnection
    ) async throws -> User {
        if kind != .installationOperator { try await requireAccount(kind.account, on: connection) }
        let account = kind.account.rawValue
        let count = try await connection.query("SELECT count(*) FROM users WHERE account_id = \(account)").only
            .decode(Int.self)
        guard count < PeopleLimits.users else { throw UserError.tooManyUsers }
        let row = try await connection.query(
            """
            WITH named AS (
                INSERT INTO user_addresses (address, account_id) VALUES (\(address.text), \(account))
                ON CONFLICT DO NOTHING RETURNING user_id
            )
            INSERT INTO users (account_id, user_id, address, name, role, password_hash)
            SELECT \(account), user_id, \(address.text), \(name as String?), \(kind.name), \(hash.text) FROM named
            RETURNING \(unescaped: User.columns)
            """
        ).first
        guard let row else { throw UserError.addressTaken }
        return try User(row: row)
    }

    /// The users of an account, or the operators (`Vault.installation`), in the order in which they came.
    package func list(of account: AccountID) async throws -> [User] {
        try await Self.list(of: account, on: pool)
    }

    static func list(of account: AccountID, on pool: PostgresPool) async throws -> [User] {
        try await pool.query(
            """
            SELECT \(unescaped: User.columns) FROM users
            WHERE account_id = \(account.rawValue) ORDER BY user_id LIMIT \(PeopleLimits.users)
            """
        ).map(User.init(row:))
    }

    /// Gives a user of an account another role. Their sessions have it within a second.
    ///
    /// - Throws: ``UserError/lastOwner``, `.userNotFound`; `PostgresError`
    package func setRole(_ role: Role, of user: UserID, in account: AccountID) async throws {
        try await change(
            """
            UPDATE users SET role = \(role.rawValue)
            WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue) RETURNING user_id
            """)
    }

    /// Sets a user's password, and ends their sessions.
    ///
    /// - Throws: ``UserError/userNotFound``, `PasswordError`, `PostgresError`
    package func setPassword(_ password: String, of user: UserID, in account: AccountID) async throws {
        let found = try await pool.query(
            "SELECT address FROM users WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)"
        ).first
        guard let found else { throw UserError.userNotFound }
        let hash = try await hash(password, of: try Self.address(found.decode(String.self)))
        try await change(
            """
            UPDATE users SET password_hash = \(hash.text), generation = generation + 1
            WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue) RETURNING user_id
            """)
    }

    /// Demands a second factor of all users of an account, or of all operators (`Vault.installation`), or no longer. Sessions
    /// of those who have none may do nothing but add one, on every node within a second.
    ///
    /// - Throws: ``UserError/accountNotFound``, `PostgresError`
    package func demandSecondFactor(_ isDemanded: Bool, in account: AccountID) async throws {
        try await pool.withTransaction { connection in
            if account != Vault.installation { try await Self.requireAccount(account, on: connection) }
            try await connection.query(
                """
                INSERT INTO account_people AS p (account_id, demands_second_factor)
                VALUES (\(account.rawValue), \(isDemanded))
                ON CONFLICT (account_id) DO UPDATE SET demands_second_factor = excluded.demands_second_factor
                """)
        }
    }

    /// Removes a user with their sessions. API keys that they made stay: they are the account's.
    ///
    /// - Throws: ``UserError/lastOwner``, `.userNotFound`; `PostgresError`
    package func remove(_ user: UserID, from account: AccountID) async throws {
        try await change(Self.removal(of: user, from: account))
    }

    /// Returns a row where the user was there.
    static func removal(of user: UserID, from account: AccountID) -> SQL {
        """
        WITH gone AS (
            DELETE FROM users WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
            RETURNING address
        )
        DELETE FROM user_addresses a USING gone WHERE a.address = gone.address RETURNING a.user_id
        """
    }

    /// - Parameter statement: returns a row where the user was there
    private func change(_ statement: SQL) async throws {
        do {
            let rows = try await pool.query(statement)
            guard !rows.isEmpty else { throw UserError.userNotFound }
        } catch let error as PostgresError {
            throw Self.refusal(error) ?? error
        }
    }

    private func hash(_ password: String, of address: EmailAddress) async throws -> PasswordHash {
        let checked = try PasswordRules.check(password, address: address.text)
        return try await hasher.withPlace { try await $0.hash(checked) }
    }

    /// As it is stored and looked up.
    static func address(_ text: String) throws(UserError) -> EmailAddress {
        guard let address = try? EmailAddress(text), let normalised = try? EmailAddress(address.normalised) else {
            throw .invalidAddress
        }
        return normalised
    }

    /// - Throws: ``UserError/invalidName``
    static func check(name: String?) throws(UserError) {
        guard let name else { return }
        let scalars = name.unicodeScalars
        guard (1...PeopleLimits.nameCharacters).contains(scalars.count),
            !scalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw .invalidName }
    }

    /// What the database refuses by itself.
    static func refusal(_ error: PostgresError) -> UserError? {
        switch error.constraint {
        case "users_keep_an_owner": .lastOwner
        case "users_begin_with_an_owner": .firstIsOwner
        default: nil
        }
    }
}

extension User {
    /// What ``init(row:)`` reads.
    static let columns = columns(of: "users")

    /// - Parameter table: the table `users`, or its alias
    static func columns(of table: String) -> String {
        ["account_id", "user_id", "role", "address", "created_at", "last_sign_in_at", "name"].map { "\(table).\($0), " }
            .joined() + """
                EXISTS (SELECT FROM second_factors f WHERE f.account_id = \(table).account_id
                    AND f.user_id = \(table).user_id AND f.confirmed_at IS NOT NULL)
                """
    }

    /// - Parameter row: the ``columns``; further ones may follow
    init(row: PostgresRow) throws {
        self.init(
            id: UserID(rawValue: try row.decode(column: 1)),
            kind: try UserKind(account: row.decode(column: 0), stored: row.decode(column: 2)),
            address: try Self.address(stored: row.decode(column: 3)), createdAt: try row.decode(column: 4),
            lastSignInAt: try row.decode(column: 5), name: try row.decode(column: 6),
            hasSecondFactor: try row.decode(column: 7))
    }

    static func address(stored text: String) throws -> EmailAddress {
        guard let address = try? EmailAddress(text) else {
            throw PostgresError(.decoding, "the address of a user cannot be read")
        }
        return address
    }
}
