package import MailTypes
package import Postgres

/// The answer that a repeated request gets again.
package struct StoredAnswer: Sendable, Hashable {
    /// SHA-256 of everything that must be equal in a repetition.
    package let requestHash: [UInt8]
    /// HTTP status, 100…599.
    package let status: Int
    package let contentType: String?
    package let body: [UInt8]
}

/// Answers by idempotency key, written in the transaction of the effect: either both exist or neither.
///
/// Two ways to use it. *Claim first*: ``begin(account:key:scope:requestHash:on:)`` at the start of the effect's
/// transaction makes a simultaneous repetition wait for this transaction's end; then `store`. *Store last*:
/// ``find(account:key:scope:on:)`` before the transaction and `store` at its end, which refuses with
/// ``IdempotencyError/alreadyAnswered`` where a simultaneous repetition was faster; good for long uploads, which then
/// hold no claim while they run.
package struct IdempotencyStore: Sendable {
    private let quota: AccountQuota
    private let limits: AccountLimits

    /// - Parameters:
    ///   - answers: how many an account may have.
    ///   - limits: what was set for accounts in place of that.
    package init(answers: Int = IdentityLimits.answers, limits: AccountLimits = AccountLimits()) {
        self.limits = limits
        quota = AccountQuota(answers)
    }

    package enum Claim: Sendable, Hashable {
        /// This transaction is the first: carry out the request and store its answer.
        case fresh
        /// The request was carried out before.
        case answered(StoredAnswer)
    }

    /// Claims the request for this transaction, waiting for another transaction that has claimed it.
    ///
    /// - Parameters:
    ///   - key: what the client sent as `Idempotency-Key`, 1…255 visible ASCII characters
    ///   - scope: method and path, at most ``IdentityLimits/scopeOctets``: a key counts for one operation
    ///   - requestHash: SHA-256 of everything that must be equal in a repetition
    /// - Throws: ``IdempotencyError/invalidKey``, `.differentRequest`; `PostgresError`
    package func begin(
        account: AccountID, key: String, scope: String, requestHash: [UInt8], on connection: PostgresConnection
    ) async throws -> Claim {
        try check(key: key, scope: scope)
        // The claim of a transaction that rolled back may vanish between the two statements: then ask again.
        for _ in 0..<Self.claimAttempts {
            let claimed = try await connection.query(
                """
                INSERT INTO idempotency_keys (account_id, scope, key, request_hash)
                VALUES (\(account.rawValue), \(scope), \(key), \(requestHash))
                ON CONFLICT (account_id, scope, key) DO NOTHING RETURNING account_id
                """)
            if !claimed.isEmpty { return .fresh }
            if let row = try await row(account, key, scope, on: connection) {
                guard row.requestHash == requestHash else { throw IdempotencyError.differentRequest }
                // Claimed before in this very transaction, or committed without an answer: nobody else is at work.
                guard let answer = row.answer else { return .fresh }
                return .answered(answer)
            }
        }
        throw IdempotencyError.alreadyAnswered
    }

    /// The answer that was stored and committed under the key; nil where there is none.
    ///
    /// The caller compares ``StoredAnswer/requestHash`` with its own: another one is a conflict.
    package func find(
        account: AccountID, key: String, scope: String, on connection: PostgresConnection
    ) async throws -> StoredAnswer? {
        try await row(account, key, scope, on: connection)?.answer
    }

    /// Stores the answer. Call it in the transaction that carries out the request.
    ///
    /// - Parameters:
    ///   - key, scope, requestHash: as in ``begin(account:key:scope:requestHash:on:)``
    ///   - status: of HTTP, 100…599
    ///   - body: at most ``IdentityLimits/bodyOctets``
    /// - Throws: ``IdempotencyError/differentRequest`` or `.alreadyAnswered` where the key has an answer: roll back.
    ///   `.invalidKey`, `.answerTooLarge`, `.tooManyAnswers`; `PostgresError`
    package func store(
        account: AccountID, key: String, scope: String, requestHash: [UInt8], status: Int, contentType: String?,
        body: [UInt8], on connection: PostgresConnection
    ) async throws {
        try check(key: key, scope: scope)
        guard body.count <= IdentityLimits.bodyOctets, (100...599).contains(status),
            (contentType ?? "").utf8.count <= IdentityLimits.contentTypeOctets
        else { throw IdempotencyError.answerTooLarge }
        guard try await !isFull(account, on: connection) else { throw IdempotencyError.tooManyAnswers }
        let stored = try await connection.query(
            """
            INSERT INTO idempotency_keys AS k (
                account_id, scope, key, request_hash, status, content_type, body)
            VALUES (\(account.rawValue), \(scope), \(key), \(requestHash), \(Int16(status)), \(contentType as String?),
                \(body))
            ON CONFLICT (account_id, scope, key) DO UPDATE
                SET status = excluded.status, content_type = excluded.content_type, body = excluded.body
                WHERE k.status IS NULL AND k.request_hash = excluded.request_hash
            RETURNING account_id
            """)
        guard stored.isEmpty else { return }
        let earlier = try await row(account, key, scope, on: connection)
        if let earlier, earlier.requestHash != requestHash { throw IdempotencyError.differentRequest }
        throw IdempotencyError.alreadyAnswered
    }

    /// Deletes answers older than `hours`, a few thousand at a time.
    ///
    /// - Parameter pool: each portion is a transaction of its own
    /// - Returns: how many were deleted
    @discardableResult
    package func sweep(
        olderThanHours hours: Int = IdentityLimits.idempotencyHours, on pool: PostgresPool
    ) async throws -> Int {
        var total = 0
        while !Task.isCancelled {
            let rows = try await pool.query(
                """
                WITH old AS (
                    SELECT account_id, scope, key FROM idempotency_keys
                    WHERE created_at < now() - \(Int32(clamping: hours)) * interval '1 hour'
                    ORDER BY created_at LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED
                ), deleted AS (
                    DELETE FROM idempotency_keys k USING old
                    WHERE k.account_id = old.account_id AND k.scope = old.scope AND k.key = old.key RETURNING 1
                )
                SELECT count(*) FROM deleted
                """)
            guard let row = rows.first else { break }
            let count = try row.decode(Int64.self)
            total += Int(count)
            guard count == Int64(IdentityLimits.sweepRows) else { break }
        }
        return total
    }

    private func isFull(_ account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        try await quota.isFull(account, own: limits[.storedAnswers, account]) { most in
            try await connection.query(
                """
                SELECT count(*) FROM (
                    SELECT FROM idempotency_keys WHERE account_id = \(account.rawValue) LIMIT \(Int64(most))) k
                """
            ).only.decode(Int.self)
        }
    }

    private static let claimAttempts = 5

    private func check(key: String, scope: String) throws(IdempotencyError) {
        guard (1...IdentityLimits.idempotencyKeyOctets).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), scope.utf8.count <= IdentityLimits.scopeOctets
        else { throw .invalidKey }
    }

    private func row(
        _ account: AccountID, _ key: String, _ scope: String, on connection: PostgresConnection
    ) async throws -> (requestHash: [UInt8], answer: StoredAnswer?)? {
        let rows = try await connection.query(
            """
            SELECT request_hash, status, content_type, body FROM idempotency_keys
            WHERE account_id = \(account.rawValue) AND scope = \(scope) AND key = \(key)
            """)
        guard let row = rows.first else { return nil }
        let (hash, status, contentType, body) = try row.decode(
            [UInt8].self, Int16?.self, String?.self, [UInt8]?.self)
        guard let status, let body else { return (hash, nil) }
        let answer = StoredAnswer(
            requestHash: hash, status: Int(status), contentType: contentType, body: body)
        return (hash, answer)
    }
}
