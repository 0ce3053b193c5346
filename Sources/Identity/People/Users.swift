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
                try await Self.insert(kind, address, hash, on: connection)
            }
        } catch let error as PostgresError {
            throw Self.refusal(error) ?? error
        }
    }

    private static func insert(
        _ kind: UserKind, _ address: EmailAddress, _ hash: PasswordHash, on connection: PostgresConnection
    ) async throws -> User {
        let account = kind.account.rawValue
        if account != Vault.installation.rawValue {
            let found = try await connection.query("SELECT FROM accounts WHERE account_id = \(account) FOR KEY SHARE")
            guard !found.isEmpty else { throw UserError.accountNotFound }
        }
        let count = try await connection.query("SELECT count(*) FROM users WHERE account_id = \(account)").only
            .decode(Int.self)
        guard count < PeopleLimits.users else { throw UserError.tooManyUsers }
        let row = try await connection.query(
            """
            WITH named AS (
                INSERT INTO user_addresses (address, account_id) VALUES (\(address.text), \(account))
                ON CONFLICT DO NOTHING RETURNING user_id
            )
            INSERT INTO users (account_id, user_id, address, role, password_hash)
            SELECT \(account), user_id, \(address.text), \(kind.name), \(hash.text) FROM named
            RETURNING user_id, created_at
            """
        ).first
        guard let row else { throw UserError.addressTaken }
        let (id, createdAt) = try row.decode(Int64.self, PostgresTimestamp.self)
        return User(
            id: UserID(rawValue: id), kind: kind, address: address, createdAt: createdAt, lastSignInAt: nil)
    }

    /// The users of an account, or the operators (`Vault.installation`), in the order in which they came.
    package func list(of account: AccountID) async throws -> [User] {
        try await pool.query(
            """
            SELECT account_id, user_id, role, address, created_at, last_sign_in_at FROM users
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

    /// Removes a user with their sessions. API keys that they made stay: they are the account's.
    ///
    /// - Throws: ``UserError/lastOwner``, `.userNotFound`; `PostgresError`
    package func remove(_ user: UserID, from account: AccountID) async throws {
        try await change(
            """
            WITH gone AS (
                DELETE FROM users WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
                RETURNING address
            )
            DELETE FROM user_addresses a USING gone WHERE a.address = gone.address RETURNING a.user_id
            """)
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

    /// What the database refuses by itself.
    private static func refusal(_ error: PostgresError) -> UserError? {
        switch error.constraint {
        case "users_keep_an_owner": .lastOwner
        case "users_begin_with_an_owner": .firstIsOwner
        default: nil
        }
    }
}

extension User {
    /// - Parameter row: account, number, role, address, when it was made and when it signed in last; further columns may follow
    init(row: PostgresRow) throws {
        self.init(
            id: UserID(rawValue: try row.decode(column: 1)),
            kind: try UserKind(account: row.decode(column: 0), stored: row.decode(column: 2)),
            address: try Self.address(stored: row.decode(column: 3)), createdAt: try row.decode(column: 4),
            lastSignInAt: try row.decode(column: 5))
    }

    static func address(stored text: String) throws -> EmailAddress {
        guard let address = try? EmailAddress(text) else {
            throw PostgresError(.decoding, "the address of a user cannot be read")
        }
        return address
    }
}
