package import MailTypes
package import Postgres

/// The sessions of an account's people, as those of them who may see and end one another's.
///
/// Nobody ends a session of somebody who is above them. All sessions of the account are ended together, whoever has them: that is
/// for when nobody knows any more who is in, and costs each a sign-in.
package struct MemberSessions: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions

    /// - Parameters:
    ///   - pool: whose sessions see one account's rows
    ///   - sessions: of all people: what is ended is forgotten there
    package init(pool: PostgresPool, sessions: Sessions) {
        self.pool = pool
        self.sessions = sessions
    }

    /// Sessions that go on, the one that began last first.
    ///
    /// - Parameters:
    ///   - user: whose; nil: everybody's
    ///   - before: those that began before this one; nil: from the last one on
    package func list(
        of account: AccountID, user: UserID? = nil, before: SessionID? = nil, limit: Int
    ) async throws -> [SessionRecord] {
        try await pool.query(
            """
            SELECT \(unescaped: SessionRecord.columns)
            WHERE s.account_id = \(account.rawValue) AND s.session_id < \(before?.rawValue ?? Int64.max)
                AND (\(user?.rawValue as Int64?)::bigint IS NULL OR s.user_id = \(user?.rawValue as Int64?))
                AND \(unescaped: Sessions.goesOn)
            ORDER BY s.session_id DESC LIMIT \(limit)
            """
        ).map(SessionRecord.init(row:))
    }

    /// Ends a session for good.
    ///
    /// - Throws: ``SessionError/notFound``, `.isOver`; ``UserError/aboveOwnRole``, `PostgresError`
    package func end(_ session: SessionID, by actor: AuthenticatedUser) async throws {
        let account = try Members.account(of: actor)
        defer { sessions.forget(session) }
        try await pool.withTransaction { connection in
            let user = try await connection.query(
                """
                SELECT user_id FROM sessions WHERE account_id = \(account.rawValue)
                    AND session_id = \(session.rawValue) AND revoked_at IS NULL
                """
            ).first?.decode(Int64.self)
            guard let user else { throw SessionError.notFound }
            do {
                _ = try await Members.requireAbove(UserID(rawValue: user), actor, account, on: connection)
            } catch UserError.userNotFound {
                throw SessionError.notFound
            }
            let ended = try await connection.query(
                """
                UPDATE sessions SET revoked_at = now() WHERE account_id = \(account.rawValue)
                    AND session_id = \(session.rawValue) AND revoked_at IS NULL
                """)
            guard ended.affected == 1 else { throw SessionError.notFound }
        }
    }

    /// Ends all sessions of a user, and makes their browsers new.
    ///
    /// - Throws: ``UserError/userNotFound``, `.aboveOwnRole`; ``SessionError/isOver``, `PostgresError`
    package func endAll(of user: UserID, by actor: AuthenticatedUser) async throws {
        let account = try Members.account(of: actor)
        defer { sessions.forget(user) }
        try await pool.withTransaction { connection in
            _ = try await Members.requireAbove(user, actor, account, on: connection)
            try await connection.query(
                """
                UPDATE users SET generation = generation + 1
                WHERE account_id = \(account.rawValue) AND user_id = \(user.rawValue)
                """)
        }
    }

    /// Ends all sessions of the account, this one too.
    ///
    /// - Throws: ``SessionError/isOver`` where the actor has another role by now; `PostgresError`
    package func endAll(by actor: AuthenticatedUser) async throws {
        let account = try Members.account(of: actor)
        defer { sessions.forget(account) }
        try await pool.withTransaction { connection in
            _ = try await Members.requireAbove(actor.user, actor, account, on: connection)
            try await connection.query(
                """
                UPDATE account_people SET session_generation = session_generation + 1
                WHERE account_id = \(account.rawValue)
                """)
        }
    }
}
