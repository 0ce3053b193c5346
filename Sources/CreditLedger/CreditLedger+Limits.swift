package import MailTypes
package import Postgres

extension CreditLedger {
    /// Sets how far an account may go below zero, and notes it for good. Setting what holds already confirms it: a change that
    /// somebody made in the table is no finding any more.
    ///
    /// - Parameters:
    ///   - limit: ≥ 0
    ///   - memo: at most 1,000 octets, for people
    /// - Throws: ``LedgerError/invalidAmount``, `.memoTooLong`, `.accountNotFound`;
    ///   ``LedgerError/insufficientCredits(missing:available:)`` where more is held and spent than the limit would allow;
    ///   `PostgresError`
    @discardableResult
    package func setLimit(
        _ limit: Int64, of account: AccountID, memo: String = "", on connection: PostgresConnection
    ) async throws -> LimitChange {
        guard (0...LedgerLimits.maximumCredits).contains(limit) else { throw LedgerError.invalidAmount }
        guard memo.utf8.count <= LedgerLimits.memoOctets else { throw LedgerError.memoTooLong }
        guard !account.isTest else { throw LedgerError.accountNotFound }
        let locked = try await locked(account, on: connection).account
        let after = CreditBalance(posted: locked.posted, held: locked.held, limit: limit)
        guard after.available >= 0 else {
            throw LedgerError.insufficientCredits(missing: -after.available, available: locked.balance.available)
        }
        let last = try await limitChanges(of: account, newestFirst: true, limit: 1, on: connection).first
        let change = LimitChange(
            account: account, number: (last?.number ?? 0) + 1, limit: limit, memo: memo, createdAt: locked.readAt,
            chain: nil
        ).chained(by: chain, after: last?.link ?? [])
        let written = try await connection.query(
            """
            WITH noted AS (
                INSERT INTO limit_changes (account_id, change_no, credit_limit, memo, chain, created_at)
                VALUES (\(account.rawValue), \(change.number), \(limit), \(memo), \(change.chain as [UInt8]?), \(change.createdAt)))
            UPDATE accounts SET credit_limit = \(limit) WHERE account_id = \(account.rawValue)
            """
        ).affected
        guard written == 1 else { throw LedgerError.inconsistent }
        return change
    }

    /// The changes that follow `number`, oldest first; or from the newest on.
    func limitChanges(
        of account: AccountID, after number: Int64 = 0, newestFirst: Bool = false, limit: Int = LedgerLimits.pageRows,
        on connection: PostgresConnection
    ) async throws -> [LimitChange] {
        try await connection.query(
            """
            SELECT change_no, credit_limit, memo, created_at, chain FROM limit_changes
            WHERE account_id = \(account.rawValue) AND change_no > \(number)
            ORDER BY change_no \(unescaped: newestFirst ? "DESC" : "ASC") LIMIT \(limit)
            """
        ).map { row in
            let (number, limit, memo, createdAt, chain) = try row.decode(
                Int64.self, Int64.self, String.self, PostgresTimestamp.self, [UInt8]?.self)
            return LimitChange(
                account: account, number: number, limit: limit, memo: memo, createdAt: createdAt, chain: chain)
        }
    }
}
