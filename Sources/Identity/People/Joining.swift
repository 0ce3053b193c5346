import MailTypes
package import Passwords
package import Postgres

/// Makes users of those who show the secret of their invitation, and signs them in.
///
/// It looks for secrets before any account is known, so it must see the invitations of all.
package struct Joining: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher

    package init(pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
    }

    /// Accepts an invitation, once: of two who show its secret at the same time one joins.
    ///
    /// An invitation is worth as much as its inviter's word: where they are gone, or have a lower role than the one they gave,
    /// it is over.
    ///
    /// - Parameters:
    ///   - secret: as it stands in the link
    ///   - name: what they are called, 1…100 characters; nil where they do not say
    ///   - password: see `PasswordRules`
    ///   - origin: is kept with the session
    /// - Throws: ``InvitationError/over``, ``UserError``, `PasswordError`, ``SignInError/busy``; `PostgresError`
    package func join(
        secret text: String, name: String?, password: String, from origin: SessionOrigin = .unknown
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        guard let secret = InvitationSecret(text), let found = try await find(secret) else {
            throw InvitationError.over
        }
        try Users.check(name: name)
        let checked = try PasswordRules.check(password, address: found.address.text)
        do {
            let hash = try await hasher.withPlace { try await $0.hash(checked) }
            let begun = try await pool.withTransaction { connection in
                try await Self.accept(found, secret, on: connection)
                let user = try await Users.insert(
                    .member(found.account, found.role), found.address, name: name, hash, on: connection)
                return try await sessions.begin(user, passwordHash: hash.text, from: origin, on: connection)
            }
            guard let begun else { throw InvitationError.over }
            return (begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh))
        } catch PasswordError.busy {
            throw SignInError.busy
        } catch let error as PostgresError {
            throw Users.refusal(error) ?? error
        }
    }

    private struct Found {
        let account: AccountID
        let id: InvitationID
        let address: EmailAddress
        let role: Role
        let inviter: UserID?
    }

    private func find(_ secret: InvitationSecret) async throws -> Found? {
        let rows = try await pool.query(
            """
            SELECT account_id, invitation_id, address, role, inviter_id FROM invitations
            WHERE secret_hash = \(secret.hash) AND \(unescaped: Invitations.isOpen)
            """)
        guard let row = rows.first else { return nil }
        let (account, id, address, role, inviter) = try row.decode(
            Int64.self, Int64.self, String.self, String.self, Int64?.self)
        guard let role = Role(rawValue: role) else { return nil }
        return Found(
            account: AccountID(rawValue: account), id: InvitationID(rawValue: id),
            address: try User.address(stored: address), role: role, inviter: inviter.map { UserID(rawValue: $0) })
    }

    /// The inviter's row goes first, in the order in which a removal locks both.
    private static func accept(
        _ found: Found, _ secret: InvitationSecret, on connection: PostgresConnection
    ) async throws {
        if let inviter = found.inviter {
            let row = try await connection.query(
                """
                SELECT role FROM users WHERE account_id = \(found.account.rawValue) AND user_id = \(inviter.rawValue)
                FOR SHARE
                """
            ).first
            guard let row, let role = Role(rawValue: try row.decode(String.self)), role >= found.role,
                role >= PeopleLimits.invitingRole
            else { throw InvitationError.over }
        }
        let accepted = try await connection.query(
            """
            UPDATE invitations SET accepted_at = now()
            WHERE account_id = \(found.account.rawValue) AND invitation_id = \(found.id.rawValue)
                AND secret_hash = \(secret.hash) AND \(unescaped: Invitations.isOpen)
            RETURNING invitation_id
            """)
        guard !accepted.isEmpty else { throw InvitationError.over }
    }
}
