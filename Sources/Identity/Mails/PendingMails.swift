import MailTypes
package import Postgres
package import Vault

/// The mails that the installation owes people, of all accounts. Nodes share the work: what one has taken, others leave to it for
/// ``PeopleLimits/mailRetrySeconds``.
package struct PendingMails: Sendable {
    private let pool: PostgresPool
    private let codes: MailCodes

    package init(pool: PostgresPool, vault: Vault) {
        self.pool = pool
        codes = MailCodes(vault: vault)
    }

    /// Takes some codes that are due, for which somebody waits; those of strangers last.
    package func takeCodes() async throws -> [PendingMail] {
        let codes = try await takeUsersCodes()
        return codes.isEmpty ? try await takeSignUps() : codes
    }

    private func takeUsersCodes() async throws -> [PendingMail] {
        try await pool.query(
            """
            UPDATE mail_codes c SET mail_due_at = now() + \(PeopleLimits.mailRetrySeconds) * interval '1 second'
            FROM (
                SELECT browser_hash FROM mail_codes WHERE mail_due_at <= now() AND \(unescaped: MailCodes.isOpen)
                ORDER BY mail_due_at LIMIT \(PeopleLimits.mailsTaken) FOR UPDATE SKIP LOCKED
            ) due, users u
            WHERE c.browser_hash = due.browser_hash AND u.account_id = c.account_id AND u.user_id = c.user_id
            RETURNING c.browser_hash, c.purpose, u.address
            """
        ).map { row in
            let (browser, purpose, address) = try row.decode([UInt8].self, String.self, String.self)
            let code = MailCode()
            return PendingMail(
                purpose: purpose == MailCodePurpose.device.rawValue ? .deviceCode : .passwordCode,
                address: try User.address(stored: address), secret: code.digits, place: .code(code, browser: browser))
        }
    }

    /// Whose address signs in here already is told so, and gets no code.
    private func takeSignUps() async throws -> [PendingMail] {
        try await pool.query(
            """
            UPDATE sign_ups s SET mail_due_at = now() + \(PeopleLimits.mailRetrySeconds) * interval '1 second'
            FROM (
                SELECT browser_hash FROM sign_ups WHERE mail_due_at <= now() AND \(unescaped: SignUp.isOpen)
                ORDER BY mail_due_at LIMIT \(PeopleLimits.mailsTaken) FOR UPDATE SKIP LOCKED
            ) due
            WHERE s.browser_hash = due.browser_hash
            RETURNING s.browser_hash, s.address,
                EXISTS (SELECT FROM user_addresses u WHERE u.address = s.address)
            """
        ).map { row in
            let (browser, address, isInUse) = try row.decode([UInt8].self, String.self, Bool.self)
            let code = isInUse ? nil : MailCode()
            return PendingMail(
                purpose: isInUse ? .addressInUse : .signUpCode, address: try User.address(stored: address),
                secret: code?.digits, place: .signUp(code, browser: browser))
        }
    }

    /// Takes some invitations that are due. Those of an account that an operator has suspended wait.
    package func takeInvitations() async throws -> [PendingMail] {
        try await pool.query(
            """
            UPDATE invitations i SET mail_due_at = now() + \(PeopleLimits.mailRetrySeconds) * interval '1 second'
            FROM (
                SELECT account_id, invitation_id FROM invitations
                WHERE mail_due_at <= now() AND \(unescaped: Invitations.isOpen) AND NOT is_suspended(account_id)
                ORDER BY mail_due_at LIMIT \(PeopleLimits.mailsTaken) FOR UPDATE SKIP LOCKED
            ) due
            WHERE i.account_id = due.account_id AND i.invitation_id = due.invitation_id
            RETURNING i.account_id, i.invitation_id, i.address,
                (SELECT a.name FROM accounts a WHERE a.account_id = i.account_id),
                (SELECT u.address FROM users u WHERE u.account_id = i.account_id AND u.user_id = i.inviter_id)
            """
        ).map { row in
            let (account, id, address, name, inviter) = try row.decode(
                Int64.self, Int64.self, String.self, String.self, String?.self)
            let secret = InvitationSecret()
            let named = try inviter.map(User.address(stored:)).flatMap { UnlinkedText.isAddress($0) ? $0 : nil }
            return PendingMail(
                purpose: .invitation(account: name, inviter: named.map { Redacted($0.text) }),
                address: try User.address(stored: address), secret: Redacted(secret.exposed),
                place: .invitation(AccountID(rawValue: account), InvitationID(rawValue: id), secret))
        }
    }

    /// Notes that the mail is on its way, in the transaction that sends it. From then on its secret is good for something.
    ///
    /// - Throws: ``MailNotWanted``, `PostgresError`
    package func settle(_ mail: PendingMail, on connection: PostgresConnection) async throws {
        let rows: PostgresRows
        switch mail.place {
        case .invitation(let account, let id, let secret):
            rows = try await connection.query(
                """
                UPDATE invitations SET secret_hash = \(secret.hash),
                    mailed_at = now(), mail_due_at = NULL
                WHERE account_id = \(account.rawValue) AND invitation_id = \(id.rawValue)
                    AND mail_due_at IS NOT NULL AND secret_hash IS NULL AND \(unescaped: Invitations.isOpen)
                RETURNING invitation_id
                """)
        case .code(let code, let browser):
            rows = try await connection.query(
                """
                UPDATE mail_codes SET code_hash = \(codes.hash(of: code, browser: browser)), mail_due_at = NULL
                WHERE browser_hash = \(browser) AND mail_due_at IS NOT NULL AND code_hash IS NULL
                    AND \(unescaped: MailCodes.isOpen)
                RETURNING browser_hash
                """)
        case .signUp(let code, let browser):
            let hash = code.map { codes.hash(of: $0, browser: browser) }
            rows = try await connection.query(
                """
                UPDATE sign_ups SET code_hash = \(hash as [UInt8]?), mail_due_at = NULL
                WHERE browser_hash = \(browser) AND mail_due_at IS NOT NULL AND code_hash IS NULL
                    AND \(unescaped: SignUp.isOpen)
                RETURNING browser_hash
                """)
        }
        guard !rows.isEmpty else { throw MailNotWanted() }
    }
}
