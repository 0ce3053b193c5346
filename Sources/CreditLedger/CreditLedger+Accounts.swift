package import MailTypes
package import Postgres

extension CreditLedger {
    /// Opens an account with no credits.
    ///
    /// - Parameters:
    ///   - name: 1…200 characters without control characters, unique
    ///   - limit: how far the account may go below zero, ≥ 0
    /// - Throws: ``LedgerError/invalidName``, `.accountNameTaken`, `.invalidAmount`; `PostgresError`
    package func createAccount(
        name: String, limit: Int64 = 0, on connection: PostgresConnection
    ) async throws -> AccountID {
        guard (0...LedgerLimits.maximumCredits).contains(limit) else { throw LedgerError.invalidAmount }
        let scalars = name.unicodeScalars
        guard (1...LedgerLimits.nameCharacters).contains(scalars.count), scalars.contains(where: { $0 != " " }),
            !scalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw LedgerError.invalidName }
        let rows = try await connection.query(
            """
            INSERT INTO account_names (name) VALUES (\(name)) ON CONFLICT (name) DO NOTHING
            RETURNING account_id, clock_timestamp()
            """)
        guard let row = rows.first else { throw LedgerError.accountNameTaken }
        let (number, now) = try row.decode(Int64.self, PostgresTimestamp.self)
        let account = AccountID(rawValue: number)
        let opening = LimitChange(account: account, number: 1, limit: limit, memo: "", createdAt: now, chain: nil)
            .chained(by: chain, after: [])
        // The change first: the database notes what it does not find noted.
        try await connection.query(
            """
            WITH noted AS (
                INSERT INTO limit_changes (account_id, change_no, credit_limit, chain, created_at)
                VALUES (\(number), \(opening.number), \(limit), \(opening.chain as [UInt8]?), \(now)))
            INSERT INTO accounts (account_id, name, credit_limit) VALUES (\(number), \(name), \(limit))
            """)
        return account
    }

    /// Opens the test account of an account, which has no books: whatever is done in its name is free. Doing so again changes
    /// nothing.
    ///
    /// - Returns: whether it is new
    /// - Throws: ``LedgerError/accountNotFound`` where there is no such live account; `PostgresError`
    @discardableResult
    package func openTestAccount(_ account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        let found = try await connection.query(
            """
            WITH live AS (SELECT name FROM accounts WHERE account_id = \(account.live.rawValue)),
            opened AS (
                INSERT INTO accounts (account_id, name) SELECT \(account.test.rawValue), name FROM live
                ON CONFLICT DO NOTHING RETURNING account_id)
            SELECT EXISTS (SELECT FROM opened) FROM live
            """
        ).first
        guard let found else { throw LedgerError.accountNotFound }
        return try found.decode(Bool.self)
    }

    /// - Throws: ``LedgerError/accountNotFound``, `PostgresError`
    package func balance(_ account: AccountID, on connection: PostgresConnection) async throws -> CreditBalance {
        try Self.balance(try await connection.query(Self.balance(of: account)))
    }

    /// Together with what else is read for the account at the moment (`PostgresPool.read`).
    ///
    /// - Throws: ``LedgerError/accountNotFound``, `PostgresError`
    package func balance(_ account: AccountID, over pool: PostgresPool) async throws -> CreditBalance {
        try Self.balance(try await pool.read(Self.balance(of: account)))
    }

    private static func balance(of account: AccountID) -> SQL {
        "SELECT posted, held, credit_limit FROM accounts WHERE account_id = \(account.rawValue)"
    }

    private static func balance(_ rows: PostgresRows) throws -> CreditBalance {
        guard let row = rows.first else { throw LedgerError.accountNotFound }
        let (posted, held, limit) = try row.decode(Int64.self, Int64.self, Int64.self)
        return CreditBalance(posted: posted, held: held, limit: limit)
    }

    /// - Returns: nil where there is no such account
    package func account(_ account: AccountID, on connection: PostgresConnection) async throws -> LedgerAccount? {
        try await connection.query(
            """
            SELECT account_id, name, posted, held, credit_limit, entry_count, created_at FROM accounts
            WHERE account_id = \(account.rawValue)
            """
        ).first.map(Self.account)
    }

    /// - Returns: nil where no account has the name
    package func account(named name: String, on connection: PostgresConnection) async throws -> LedgerAccount? {
        try await connection.query(
            """
            SELECT a.account_id, a.name, posted, held, credit_limit, entry_count, created_at
            FROM account_names n JOIN accounts a ON a.account_id = n.account_id
            WHERE n.name = \(name)
            """
        ).first.map(Self.account)
    }

    /// Accounts by number, a page at a time, without test accounts.
    ///
    /// - Parameters:
    ///   - after: the last account of the page before
    ///   - limit: 1…1,000
    package func accounts(
        after: AccountID? = nil, limit: Int = LedgerLimits.pageRows, on connection: PostgresConnection
    ) async throws -> [LedgerAccount] {
        try await connection.query(
            """
            SELECT account_id, name, posted, held, credit_limit, entry_count, created_at FROM accounts
            WHERE account_id > \(after?.rawValue ?? 0) AND account_id <= \(AccountID.mostLive) ORDER BY account_id
            LIMIT \(min(max(limit, 1), LedgerLimits.pageRows))
            """
        ).map(Self.account)
    }

    private static func account(_ row: PostgresRow) throws -> LedgerAccount {
        let (id, name, posted, held, limit, entryCount, createdAt) = try row.decode(
            Int64.self, String.self, Int64.self, Int64.self, Int64.self, Int64.self, PostgresTimestamp.self)
        return LedgerAccount(
            id: AccountID(rawValue: id), name: name,
            balance: CreditBalance(posted: posted, held: held, limit: limit), entryCount: entryCount,
            createdAt: createdAt)
    }
}
