package import MailTypes
package import Postgres

/// The people of an account, as those of them who may see and change one another.
///
/// Nobody gives a role above their own, and nobody touches somebody who is above them. Which role may change others at all is said
/// where the API says what each operation needs.
package struct Members: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions

    package init(pool: PostgresPool, sessions: Sessions) {
        self.pool = pool
        self.sessions = sessions
    }

    /// In the order in which they came.
    package func list(of account: AccountID) async throws -> [User] {
        try await Users.list(of: account, on: pool)
    }

    // MARK: A second factor of everybody

    package func demandsSecondFactor(_ account: AccountID) async throws -> Bool {
        try await pool.query(
            "SELECT demands_second_factor FROM account_people WHERE account_id = \(account.rawValue)"
        ).first?.decode(Bool.self) ?? false
    }

    /// Demands a second factor of all users of the account, or no longer. Sessions of those who have none may do nothing but add
    /// one, on every node within a second.
    ///
    /// - Throws: ``SecondFactorError/missing`` where whoever demands it has none; ``SessionError/isOver``, `PostgresError`
    package func demandSecondFactor(_ isDemanded: Bool, by actor: AuthenticatedUser) async throws {
        let account = try Self.account(of: actor)
        defer { sessions.forget(account) }
        try await pool.withTransaction { connection in
            // Whoever disables a factor locks the same row first.
            _ = try await Self.requireAbove(actor.user, actor, account, on: connection)
            let rows = try await connection.query(
                """
                UPDATE account_people SET demands_second_factor = \(isDemanded) WHERE account_id = \(account.rawValue)
                    AND (NOT \(isDemanded) OR EXISTS (SELECT FROM second_factors WHERE account_id = \(account.rawValue)
                        AND user_id = \(actor.user.rawValue) AND confirmed_at IS NOT NULL))
                RETURNING account_id
                """)
            guard !rows.isEmpty else { throw SecondFactorError.missing }
        }
    }

    // MARK: Roles and removal

    /// Gives a user another role. Their sessions have it within a second, and at once on this node.
    ///
    /// - Returns: the user with the new role
    /// - Throws: ``UserError/userNotFound``, `.aboveOwnRole`, `.lastOwner`; `PostgresError`
    package func setRole(_ role: Role, of user: UserID, by actor: AuthenticatedUser) async throws -> User {
        let account = try Self.account(of: actor)
        defer { sessions.forget(user) }
        return try await Self.refusing {
            try await pool.withTransaction { connection in
                let own = try await Self.requireAbove(user, actor, account, on: connection)
                guard role <= own else { throw UserError.aboveOwnRole }
                return try User(
                    row: try await connection.query(
                        """
                        UPDATE users SET role = \(role.rawValue)
                        WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
                        RETURNING \(unescaped: User.columns)
                        """
                    ).only)
            }
        }
    }

    /// Removes a user with their sessions and open invitations. API keys that they made stay: they are the account's.
    ///
    /// - Throws: ``UserError/userNotFound``, `.aboveOwnRole`, `.lastOwner`; `PostgresError`
    package func remove(_ user: UserID, by actor: AuthenticatedUser) async throws {
        let account = try Self.account(of: actor)
        defer { sessions.forget(user) }
        try await Self.refusing {
            try await pool.withTransaction { connection in
                _ = try await Self.requireAbove(user, actor, account, on: connection)
                try await connection.query(Users.removal(of: user, from: account))
            }
        }
    }

    /// Removes whoever asks.
    ///
    /// - Throws: ``UserError/userNotFound``, `.lastOwner`; `PostgresError`
    package func leave(_ actor: AuthenticatedUser) async throws { try await remove(actor.user, by: actor) }

    static func account(of actor: AuthenticatedUser) throws(UserError) -> AccountID {
        guard let account = actor.account else { throw .userNotFound }
        return account
    }

    /// Both rows stay as they are to the end of the transaction: who is being lowered cannot change somebody meanwhile.
    ///
    /// - Returns: the role of who asks
    /// - Throws: ``UserError/userNotFound``, `.aboveOwnRole`; ``SessionError/isOver`` where the actor has another role by now
    static func requireAbove(
        _ user: UserID, _ actor: AuthenticatedUser, _ account: AccountID, on connection: PostgresConnection
    ) async throws -> Role {
        let rows = try await connection.query(
            """
            SELECT user_id, role FROM users
            WHERE account_id = \(account.rawValue) AND user_id IN (\(actor.user.rawValue), \(user.rawValue))
            ORDER BY user_id FOR UPDATE
            """)
        var roles: [UserID: Role] = [:]
        for row in rows {
            let (id, role) = try row.decode(Int64.self, String.self)
            roles[UserID(rawValue: id)] = Role(rawValue: role)
        }
        // The role that the request was let in with may be gone by now.
        guard let own = roles[actor.user], own == actor.kind.role else { throw SessionError.isOver }
        guard let role = roles[user] else { throw UserError.userNotFound }
        guard role <= own else { throw UserError.aboveOwnRole }
        return own
    }

    private static func refusing<Value>(_ change: () async throws -> Value) async throws -> Value {
        do {
            return try await change()
        } catch let error as PostgresError {
            throw Users.refusal(error) ?? error
        }
    }
}
