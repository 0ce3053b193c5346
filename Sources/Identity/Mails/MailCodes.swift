import Crypto
import MailTypes
import Postgres
import Vault

/// Codes by mail. A code belongs to the browser that has asked for it, which shows a secret of its own beside the code: who reads
/// the mail alone, or has the browser alone, gets nowhere.
///
/// Each guess is counted in the statement that locks the row, before it is judged, so that of many at once no more than
/// ``PeopleLimits/codeAttempts`` are.
struct MailCodes: Sendable {
    /// Whose code it is.
    struct Owner: Sendable {
        let account: AccountID
        let user: UserID
        let browser: [UInt8]
        let purpose: MailCodePurpose
    }

    private let key: SymmetricKey

    init(vault: Vault) { key = SymmetricKey(data: vault.peopleKey) }

    /// Asks for a code. Whether anybody has the address makes no difference but for the mail: a row is written in any case, by the
    /// same statement.
    ///
    /// - Parameter address: nil where what was typed is none
    /// - Returns: what the browser shows with the code
    func request(
        _ purpose: MailCodePurpose, address: EmailAddress?, on pool: PostgresPool
    ) async throws -> Redacted<String> {
        let browser = RefreshSecret.random()
        // Operators choose theirs at the machine. Whose mailbox is flooded gets no more mails, and loses nothing: what was mailed
        // before is good for its ten minutes.
        try await pool.query(
            """
            INSERT INTO mail_codes (browser_hash, purpose, account_id, user_id, user_generation, expires_at, mail_due_at)
            SELECT \(RefreshSecret.hash(of: browser)), \(purpose.rawValue), u.account_id, u.user_id, u.generation,
                now() + \(PeopleLimits.codeSeconds) * interval '1 second',
                CASE WHEN u.user_id IS NOT NULL AND (
                    SELECT count(*) FROM mail_codes c
                    WHERE c.account_id = u.account_id AND c.user_id = u.user_id AND c.purpose = \(purpose.rawValue)
                        AND c.created_at > now() - interval '1 hour'
                ) < \(PeopleLimits.codesOfUser) THEN now() END
            FROM (SELECT \(address?.text as String?) AS address) asked
            LEFT JOIN user_addresses a ON a.address = asked.address
                AND (a.account_id <> \(Vault.installation.rawValue) OR \(purpose == .device))
            LEFT JOIN users u ON u.account_id = a.account_id AND u.user_id = a.user_id
            """)
        return Redacted(browser)
    }

    /// Judges a guess.
    ///
    /// - Parameter browser: the secret that ``request(_:address:on:)`` gave
    /// - Throws: ``MailCodeError``, `PostgresError`
    func check(
        _ text: String, browser: String?, for purpose: MailCodePurpose, on pool: PostgresPool
    ) async throws -> Owner {
        guard let browser, RefreshSecret.isSecret(browser) else { throw MailCodeError.over }
        let hash = RefreshSecret.hash(of: browser)
        let row = try await pool.query(
            """
            UPDATE mail_codes SET attempts = attempts + 1
            WHERE browser_hash = \(hash) AND purpose = \(purpose.rawValue) AND attempts < \(PeopleLimits.codeAttempts)
                AND \(unescaped: Self.isOpen)
            RETURNING account_id, user_id, code_hash
            """
        ).first
        guard let row else { throw MailCodeError.over }
        let (account, user, expected) = try row.decode(Int64?.self, Int64?.self, [UInt8]?.self)
        guard let account, let user, let expected, let code = MailCode(text),
            self.hash(of: code, browser: hash).equalsInConstantTime(expected)
        else { throw MailCodeError.refused }
        return Owner(
            account: AccountID(rawValue: account), user: UserID(rawValue: user), browser: hash, purpose: purpose)
    }

    /// Uses a code that was right, once, in the transaction of what it is for. The user's row stays locked.
    ///
    /// - Throws: ``MailCodeError/over`` where it is used by now, or its user has another password; `PostgresError`
    func use(_ owner: Owner, on connection: PostgresConnection) async throws {
        let generation = try await connection.query(
            """
            SELECT generation FROM users
            WHERE account_id = \(owner.account.rawValue) AND user_id = \(owner.user.rawValue) FOR UPDATE
            """
        ).first?.decode(Int64.self)
        guard let generation else { throw MailCodeError.over }
        let used = try await connection.query(
            """
            UPDATE mail_codes SET used_at = now()
            WHERE browser_hash = \(owner.browser) AND purpose = \(owner.purpose.rawValue)
                AND user_generation = \(generation) AND \(unescaped: Self.isOpen)
            RETURNING user_id
            """)
        guard !used.isEmpty else { throw MailCodeError.over }
    }

    static let isOpen = "used_at IS NULL AND expires_at > now()"

    func hash(of code: MailCode, browser: [UInt8]) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(
                for: Array("code ".utf8) + browser + Array(code.digits.exposed.utf8), using: key))
    }

    /// Forgets codes that are over.
    ///
    /// - Returns: how many
    func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM mail_codes WHERE browser_hash IN (
                SELECT browser_hash FROM mail_codes WHERE created_at < now() - interval '1 hour'
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
    }
}
