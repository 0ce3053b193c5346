package import MailTypes
package import Postgres

// Keys of accounts are made with their account and nowhere else: a new one would open nothing of what the account has, and
// match none of the addresses that it must not mail (P5).
extension Vault {
    /// Makes the key of a new account.
    ///
    /// The key is committed at once, its check value with the caller's transaction. Where that is undone, the key stays and
    /// is used should the number be given again, as happens to records that were restored from a backup.
    ///
    /// - Parameter connection: to the records, in the transaction that makes the account
    /// - Throws: ``VaultError/Code/accountKeyWrong`` where there is a key of that number that does not open
    package func createAccountKey(_ account: AccountID, on connection: PostgresConnection) async throws {
        let fresh = try wrappingKey.seal(SealingKey().bytes, as: Self.context(account))
        try await pool.query(
            """
            INSERT INTO account_keys (account_id, wrapped) VALUES (\(account.rawValue), \(fresh))
            ON CONFLICT DO NOTHING
            """)
        guard let wrapped = try await wrappedAccountKey(account) else { throw Self.missing(account) }
        try await keepCheckValue(of: try open(wrapped, account), account, on: connection)
    }

    /// The account's keys.
    ///
    /// - Parameter connection: to the records, where the caller has one: then no other is taken.
    /// - Throws: ``VaultError`` `.accountKeyMissing` or `.accountKeyWrong`, which name the account: it is stopped until its
    ///   key is restored. `.noKey` for an account that does not exist, and for one that an older version has made beside
    ///   this one, until ``completeAccounts()``.
    package func accountKeys(
        _ account: AccountID, on connection: PostgresConnection? = nil
    ) async throws -> AccountKeys {
        if let keys = accountKeyCache.value(for: account) { return keys }
        let generation = accountKeyCache.generation
        let (wrapped, expected) = (try await wrappedAccountKey(account), try await expectation(account, on: connection))
        guard let wrapped else { throw expected == nil ? Self.noKey(account) : Self.missing(account) }
        let keys = try open(wrapped, account)
        try await compare(keys, with: expected, account, on: connection)
        accountKeyCache.insert(keys, for: account, since: generation)
        return keys
    }

    /// As ``accountKeys(_:)``; nil where there is no such account, as whoever guesses account numbers will ask for.
    package func existingAccountKeys(_ account: AccountID) async throws -> AccountKeys? {
        do {
            return try await accountKeys(account)
        } catch let error as VaultError where error.code == .noKey {
            return nil
        }
    }

    /// Makes the keys of accounts that an older version has made, and not used: it made keys on first use.
    package func completeAccounts() async throws {
        let accounts = try await records.query(
            """
            SELECT a.account_id FROM accounts a LEFT JOIN account_key_checks c USING (account_id)
            WHERE c.account_id IS NULL ORDER BY a.account_id
            """
        ).map { AccountID(rawValue: try $0.decode(Int64.self)) }
        for account in accounts {
            try await records.withConnection { try await self.createAccountKey(account, on: $0) }
        }
    }

    /// What is wrong with the keys of accounts; empty where all are there. Changes nothing.
    package func accountKeyProblems() async throws -> [VaultError] {
        var problems: [VaultError] = []
        var last = Int64.min
        while true {
            let expected = try await records.query(
                """
                SELECT account_id, check_value FROM account_key_checks
                WHERE account_id > \(last) ORDER BY account_id LIMIT 1000
                """
            ).map { try $0.decode(Int64.self, [UInt8]?.self) }
            guard let end = expected.last?.0 else { return problems }
            let wrapped = try await wrappedAccountKeys(expected.map(\.0))
            for (number, check) in expected {
                let account = AccountID(rawValue: number)
                do throws(VaultError) {
                    guard let stored = wrapped[number] else { throw Self.missing(account) }
                    let keys = try open(stored, account)
                    guard check ?? keys.checkValue == keys.checkValue else { throw Self.another(account) }
                } catch {
                    problems.append(error)
                }
            }
            last = end
        }
    }

    // MARK: Check values

    /// What the records expect of the account's key. No row: nothing; a null: a key of before the check values.
    private func expectation(_ account: AccountID, on connection: PostgresConnection?) async throws -> [UInt8]?? {
        let sql: SQL = "SELECT check_value FROM account_key_checks WHERE account_id = \(account.rawValue)"
        let rows = if let connection { try await connection.query(sql) } else { try await records.query(sql) }
        return try rows.first.map { try $0.decode(column: 0, as: [UInt8]?.self) }
    }

    private func compare(
        _ keys: AccountKeys, with expected: [UInt8]??, _ account: AccountID, on connection: PostgresConnection?
    ) async throws {
        guard let known = expected.flatMap({ $0 }) else {
            if let connection { return try await keepCheckValue(of: keys, account, on: connection) }
            return try await records.withConnection { try await self.keepCheckValue(of: keys, account, on: $0) }
        }
        guard known == keys.checkValue else { throw Self.another(account) }
    }

    private func keepCheckValue(
        of keys: AccountKeys, _ account: AccountID, on connection: PostgresConnection
    ) async throws {
        // Never over another value.
        try await connection.query(
            """
            INSERT INTO account_key_checks AS k (account_id, check_value) VALUES (\(account.rawValue), \(keys.checkValue))
            ON CONFLICT (account_id) DO UPDATE SET check_value = excluded.check_value WHERE k.check_value IS NULL
            """)
    }

    // MARK: Wrapped keys

    private func open(_ wrapped: [UInt8], _ account: AccountID) throws(VaultError) -> AccountKeys {
        do throws(VaultError) {
            return AccountKeys(try SealingKey(bytes: wrappingKey.open(wrapped, as: Self.context(account))))
        } catch {
            throw VaultError(
                .accountKeyWrong, "account \(account) is stopped: its key in the vault was altered and does not open")
        }
    }

    private func wrappedAccountKey(_ account: AccountID) async throws -> [UInt8]? {
        try await wrappedAccountKeys([account.rawValue])[account.rawValue]
    }

    private func wrappedAccountKeys(_ accounts: [Int64]) async throws -> [Int64: [UInt8]] {
        let rows = try await pool.query(
            "SELECT account_id, wrapped FROM account_keys WHERE account_id = ANY (\(accounts))")
        return Dictionary(try rows.map { try $0.decode(Int64.self, [UInt8].self) }) { first, _ in first }
    }

    private static func context(_ account: AccountID) -> SealContext {
        SealContext(account: account, purpose: .accountKey)
    }

    private static func noKey(_ account: AccountID) -> VaultError {
        VaultError(.noKey, "there is no account \(account), or an older version has made it and not used it yet")
    }

    private static func missing(_ account: AccountID) -> VaultError {
        account == installation
            ? VaultError(
                .accountKeyMissing,
                "nothing is sent: the vault has no key of the installation, which its own suppression list needs")
            : VaultError(.accountKeyMissing, "account \(account) is stopped: the vault has no key of it")
    }

    private static func another(_ account: AccountID) -> VaultError {
        VaultError(.accountKeyWrong, "account \(account) is stopped: the vault has another key than the account's own")
    }
}
