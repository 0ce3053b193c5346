package import MailTypes
package import Postgres

/// Who is asked to join an account.
///
/// An open invitation is one that is neither accepted nor taken back, and not older than ``PeopleLimits/invitationSeconds``.
package struct Invitations: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Invites somebody. A node makes the mail within seconds.
    ///
    /// Whether the address signs in at another account makes no difference: nobody is told that but who reads its mail.
    ///
    /// - Parameters:
    ///   - role: none above the inviter's own
    ///   - inviter: whose role counts as it was when the request came; the caller makes sure of it with `Sessions.hold`
    ///   - onCommit: runs in the transaction, last
    /// - Throws: ``InvitationError``, ``UserError/invalidAddress``, `.aboveOwnRole`; `PostgresError`
    package func create(
        _ address: String, as role: Role, by inviter: AuthenticatedUser,
        onCommit: @Sendable (PostgresConnection, Invitation) async throws -> Void
    ) async throws -> Invitation {
        guard let account = inviter.account, let own = inviter.kind.role, role <= own else {
            throw UserError.aboveOwnRole
        }
        let address = try Users.address(address)
        return try await pool.withTransaction { connection in
            let invitation = try await Self.insert(
                address, role, into: account, inviter: inviter.user, secret: nil,
                perDay: try await Self.perDay(account, on: connection), on: connection)
            try await onCommit(connection, invitation)
            return invitation
        }
    }

    /// Invites somebody in an operator's name.
    ///
    /// - Parameter isMailed: a node makes the mail within seconds; else the secret is handed on by the operator.
    /// - Returns: the secret where no mail is made
    /// - Throws: ``InvitationError``, ``UserError/invalidAddress``, `.accountNotFound`, `.firstIsOwner`; `PostgresError`
    package func create(
        _ address: String, as role: Role, into account: AccountID, isMailed: Bool
    ) async throws -> (invitation: Invitation, secret: InvitationSecret?) {
        let address = try Users.address(address)
        let secret = isMailed ? nil : InvitationSecret()
        return try await pool.withTransaction { connection in
            try await Users.requireAccount(account, on: connection)
            let hasUsers = try await connection.query(
                "SELECT EXISTS (SELECT FROM users WHERE account_id = \(account.rawValue))"
            ).only.decode(Bool.self)
            guard hasUsers || role == .owner else { throw UserError.firstIsOwner }
            let invitation = try await Self.insert(
                address, role, into: account, inviter: nil, secret: secret, perDay: PeopleLimits.invitationsPerDay,
                on: connection)
            return (invitation, secret)
        }
    }

    /// As the database has it, not as of a second ago: a stranger could invite a hundred people in the first second of their
    /// account.
    private static func perDay(_ account: AccountID, on connection: PostgresConnection) async throws -> Int {
        let own = try await connection.query(
            "SELECT account_limit(\(account.rawValue), \(AccountLimit.invitations.rawValue))"
        ).only.decode(Int64?.self)
        return own.map { Int(clamping: $0) } ?? PeopleLimits.invitationsPerDay
    }

    private static func insert(
        _ address: EmailAddress, _ role: Role, into account: AccountID, inviter: UserID?, secret: InvitationSecret?,
        perDay: Int, on connection: PostgresConnection
    ) async throws -> Invitation {
        try await requireRoom(address, account, perDay: perDay, on: connection)
        // Only operators' own sessions may write a secret.
        let row =
            if let secret {
                try await connection.query(
                    """
                    INSERT INTO invitations (account_id, address, role, secret_hash, expires_at)
                    VALUES (\(account.rawValue), \(address.text), \(role.rawValue), \(secret.hash),
                        now() + \(PeopleLimits.invitationSeconds) * interval '1 second')
                    RETURNING \(unescaped: Invitation.columns)
                    """)
            } else {
                try await connection.query(
                    """
                    INSERT INTO invitations (account_id, address, role, inviter_id, expires_at, mail_due_at)
                    VALUES (\(account.rawValue), \(address.text), \(role.rawValue), \(inviter?.rawValue as Int64?),
                        now() + \(PeopleLimits.invitationSeconds) * interval '1 second', now())
                    RETURNING \(unescaped: Invitation.columns)
                    """)
            }
        return try Invitation(row: row.only)
    }

    /// The bounds hold for requests that come at the same time as well.
    private static func requireRoom(
        _ address: EmailAddress, _ account: AccountID, perDay: Int, on connection: PostgresConnection
    ) async throws {
        let name = "sluice invitations \(account)"
        try await connection.query("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
        let (isMember, isInvited, open, today) = try await connection.query(
            """
            SELECT EXISTS (SELECT FROM users WHERE account_id = \(account.rawValue) AND address = \(address.text)),
                coalesce(bool_or(address = \(address.text) AND \(unescaped: Self.isOpen)), false),
                count(*) FILTER (WHERE \(unescaped: Self.isOpen)),
                count(*) FILTER (WHERE created_at > now() - interval '1 day')
            FROM invitations WHERE account_id = \(account.rawValue)
            """
        ).only.decode(Bool.self, Bool.self, Int.self, Int.self)
        if isMember { throw InvitationError.alreadyMember }
        if isInvited { throw InvitationError.alreadyInvited }
        guard open < PeopleLimits.openInvitations else { throw InvitationError.tooManyOpen }
        guard today < perDay else { throw InvitationError.tooManyToday }
    }

    /// Those that are open, the newest first.
    package func list(of account: AccountID) async throws -> [Invitation] {
        try await pool.query(
            """
            SELECT \(unescaped: Invitation.columns) FROM invitations
            WHERE account_id = \(account.rawValue) AND \(unescaped: Self.isOpen)
            ORDER BY invitation_id DESC LIMIT \(PeopleLimits.openInvitations)
            """
        ).map(Invitation.init(row:))
    }

    /// Takes an invitation back. Nobody joins by it any more, also where its mail is still to come.
    ///
    /// - Throws: ``InvitationError/notFound``, `PostgresError`
    package func revoke(_ invitation: InvitationID, of account: AccountID) async throws {
        let rows = try await pool.query(
            """
            UPDATE invitations SET revoked_at = now(), mail_due_at = NULL
            WHERE account_id = \(account.rawValue) AND invitation_id = \(invitation.rawValue)
                AND \(unescaped: Self.isOpen)
            RETURNING invitation_id
            """)
        guard !rows.isEmpty else { throw InvitationError.notFound }
    }

    static let isOpen = "accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()"

    /// Forgets those that are over, once they no longer count for their day.
    ///
    /// - Returns: how many
    package func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM invitations WHERE (account_id, invitation_id) IN (
                SELECT account_id, invitation_id FROM invitations
                WHERE created_at < now() - interval '1 day' AND NOT (\(unescaped: Self.isOpen))
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
    }
}

extension Invitation {
    static let columns = "invitation_id, address, role, inviter_id, created_at, expires_at, mailed_at"

    fileprivate init(row: PostgresRow) throws {
        let (id, address, role, inviter, createdAt, expiresAt, mailedAt) = try row.decode(
            Int64.self, String.self, String.self, Int64?.self, PostgresTimestamp.self, PostgresTimestamp.self,
            PostgresTimestamp?.self)
        guard let role = Role(rawValue: role) else {
            throw PostgresError(.decoding, "the role of an invitation cannot be read")
        }
        self.init(
            id: InvitationID(rawValue: id), address: try User.address(stored: address), role: role,
            inviter: inviter.map { UserID(rawValue: $0) }, createdAt: createdAt, expiresAt: expiresAt,
            mailedAt: mailedAt)
    }
}
