package import MailTypes
package import Postgres
package import Vault

/// The addresses that an account must not mail.
///
/// Kept as keyed fingerprints, so that they outlive the purge of the campaigns that found them and cannot be read back.
/// Operations on addresses open a connection of their own; operations on fingerprints take the caller's, so that a
/// batch's suppressions commit with its settlement.
package struct SuppressionList: Sendable {
    private let records: PostgresPool
    private let vault: Vault
    private let quota: AccountQuota

    /// - Parameter rows: how many addresses an account may list.
    package init(records: PostgresPool, vault: Vault, rows: Int = SuppressionLimits.rows) {
        quota = AccountQuota(rows)
        self.records = records
        self.vault = vault
    }

    // MARK: By address

    /// Suppresses addresses; repeated ones count once. All or nothing, for any number.
    ///
    /// - Parameters:
    ///   - note: for people, at most 500 octets, no control characters; must hold no address
    ///   - onCommit: runs last in the transaction, with the number that is returned; an error undoes the call
    /// - Returns: how many were not suppressed before
    /// - Throws: ``SuppressionError``, `VaultError`, `PostgresError`
    @discardableResult
    package func add(
        _ addresses: [EmailAddress], account: AccountID, reason: SuppressionReason, origin: SuppressionOrigin,
        note: String? = nil, onCommit: (@Sendable (PostgresConnection, Int) async throws -> Void)? = nil
    ) async throws -> Int {
        guard let fingerprinter = try await vault.existingAccountKeys(account)?.fingerprinter else {
            throw SuppressionError.accountNotFound
        }
        let new = addresses.map { NewSuppression(fingerprinter.fingerprint($0), reason) }
        return try await records.withTransaction { connection in
            guard try await !self.isFull(account, on: connection) else { throw SuppressionError.tooMany }
            let added = try await self.add(new, account: account, origin: origin, note: note, on: connection)
            try await onCommit?(connection, added)
            return added
        }
    }

    private func isFull(_ account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        try await quota.isFull(account) { most in
            try await connection.query(
                """
                SELECT count(*) FROM (
                    SELECT FROM suppressions WHERE account_id = \(account.rawValue) LIMIT \(Int64(most))) s
                """
            ).only.decode(Int.self)
        }
    }

    /// - Returns: nil where the address may be mailed
    package func find(_ address: EmailAddress, account: AccountID) async throws -> Suppression? {
        let fingerprint = try await vault.accountKeys(account).fingerprinter.fingerprint(address)
        let rows = try await records.query(
            """
            SELECT fingerprint, reason, origin, note, created_at FROM suppressions
            WHERE account_id = \(account.rawValue) AND fingerprint = \(fingerprint.bytes)
            """)
        return try rows.first.map(Self.suppression)
    }

    package func contains(_ address: EmailAddress, account: AccountID) async throws -> Bool {
        try await find(address, account: account) != nil
    }

    /// Lets the address be mailed again.
    ///
    /// - Returns: false where it was not suppressed
    @discardableResult
    package func remove(_ address: EmailAddress, account: AccountID) async throws -> Bool {
        let fingerprint = try await vault.accountKeys(account).fingerprinter.fingerprint(address)
        return try await records.withConnection { connection in
            try await self.remove([fingerprint], account: account, on: connection) > 0
        }
    }

    // MARK: By fingerprint

    /// Suppresses in the caller's transaction. An address that is suppressed already keeps its row; a stronger reason
    /// replaces reason, origin and note.
    ///
    /// Rows are written in order of fingerprint, so that two transactions with the same addresses cannot deadlock.
    ///
    /// - Returns: how many were not suppressed before
    /// - Throws: ``SuppressionError``, `PostgresError`
    @discardableResult
    package func add(
        _ new: [NewSuppression], account: AccountID, origin: SuppressionOrigin, note: String? = nil,
        on connection: PostgresConnection
    ) async throws -> Int {
        if let note {
            guard note.utf8.count <= SuppressionLimits.noteOctets,
                !note.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw SuppressionError.invalidNote }
        }
        var strongest: [Fingerprint: Int16] = [:]
        strongest.reserveCapacity(new.count)
        for suppression in new {
            strongest[suppression.fingerprint] = max(
                strongest[suppression.fingerprint] ?? 0, suppression.reason.rank)
        }
        let sorted = strongest.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }
        var added = 0
        for start in stride(from: 0, to: sorted.count, by: SuppressionLimits.statementRows) {
            let part = sorted[start..<min(start + SuppressionLimits.statementRows, sorted.count)]
            added += try await write(Array(part), account, origin, note, on: connection)
        }
        return added
    }

    private func write(
        _ rows: [(key: Fingerprint, value: Int16)], _ account: AccountID, _ origin: SuppressionOrigin, _ note: String?,
        on connection: PostgresConnection
    ) async throws -> Int {
        let fingerprints = rows.map(\.key.bytes)
        let ranks = rows.map(\.value)
        do {
            // A row that this statement inserted has no deleting transaction (xmax = 0), an updated one has.
            let counted = try await connection.query(
                """
                WITH written AS (
                    INSERT INTO suppressions AS s (account_id, fingerprint, reason, origin, note)
                    SELECT \(account.rawValue), n.fingerprint, n.reason, \(origin.rawValue), \(note as String?)
                    FROM unnest(\(fingerprints)::bytea[], \(ranks)::smallint[]) AS n (fingerprint, reason)
                    ORDER BY n.fingerprint
                    ON CONFLICT (account_id, fingerprint) DO UPDATE
                        SET reason = excluded.reason, origin = excluded.origin, note = excluded.note
                        WHERE s.reason < excluded.reason
                    RETURNING xmax = 0 AS inserted
                )
                SELECT count(*) FILTER (WHERE inserted) FROM written
                """)
            return try counted.first?.decode(Int.self) ?? 0
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw SuppressionError.accountNotFound
        }
    }

    /// Suppresses what servers have said does not exist, of any number of accounts. An address that is suppressed for a
    /// stronger reason keeps its row.
    package func addHardBounces(
        _ found: [(account: AccountID, fingerprint: Fingerprint)], on connection: PostgresConnection
    ) async throws {
        guard !found.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO suppressions AS s (account_id, fingerprint, reason, origin)
            SELECT DISTINCT n.account_id, n.fingerprint, \(SuppressionReason.hardBounce.rank), \(SuppressionOrigin.reply.rawValue)
            FROM unnest(
                \(found.map(\.account.rawValue))::bigint[], \(found.map(\.fingerprint.bytes))::bytea[])
                AS n (account_id, fingerprint)
            ORDER BY n.account_id, n.fingerprint
            ON CONFLICT (account_id, fingerprint) DO UPDATE
                SET reason = excluded.reason, origin = excluded.origin, note = excluded.note
                WHERE s.reason < excluded.reason
            """)
    }

    /// Those of the fingerprints that must not be mailed, of any number of accounts.
    package func which(
        of fingerprints: [AccountID: [Fingerprint]], on connection: PostgresConnection
    ) async throws -> [AccountID: Set<Fingerprint>] {
        let asked = fingerprints.flatMap { account, those in those.map { (account: account, fingerprint: $0) } }
        var found: [AccountID: Set<Fingerprint>] = [:]
        for start in stride(from: 0, to: asked.count, by: SuppressionLimits.statementRows) {
            let part = asked[start..<min(start + SuppressionLimits.statementRows, asked.count)]
            // Looked up one by one, so that no plan reads the whole table.
            let rows = try await connection.query(
                """
                SELECT k.account_id, s.fingerprint
                FROM unnest(\(part.map(\.account.rawValue))::bigint[], \(part.map(\.fingerprint.bytes))::bytea[])
                    AS k (account_id, fingerprint)
                CROSS JOIN LATERAL (
                    SELECT t.fingerprint FROM suppressions t
                    WHERE t.account_id = k.account_id AND t.fingerprint = k.fingerprint LIMIT 1) s
                """)
            for row in rows {
                let (account, bytes) = try row.decode(Int64.self, [UInt8].self)
                if let fingerprint = Fingerprint(bytes: bytes) {
                    found[AccountID(rawValue: account), default: []].insert(fingerprint)
                }
            }
        }
        return found
    }

    /// Those of the fingerprints that must not be mailed. Any number of them.
    package func which(
        of fingerprints: [Fingerprint], account: AccountID, on connection: PostgresConnection
    ) async throws -> Set<Fingerprint> {
        var found: Set<Fingerprint> = []
        for start in stride(from: 0, to: fingerprints.count, by: SuppressionLimits.statementRows) {
            let part = fingerprints[start..<min(start + SuppressionLimits.statementRows, fingerprints.count)]
            let rows = try await connection.query(
                """
                SELECT fingerprint FROM suppressions
                WHERE account_id = \(account.rawValue) AND fingerprint = ANY (\(part.map(\.bytes)))
                """)
            for row in rows {
                if let fingerprint = Fingerprint(bytes: try row.decode([UInt8].self)) { found.insert(fingerprint) }
            }
        }
        return found
    }

    /// - Returns: how many were suppressed
    @discardableResult
    package func remove(
        _ fingerprints: [Fingerprint], account: AccountID, on connection: PostgresConnection
    ) async throws -> Int {
        var removed = 0
        for start in stride(from: 0, to: fingerprints.count, by: SuppressionLimits.statementRows) {
            let part = fingerprints[start..<min(start + SuppressionLimits.statementRows, fingerprints.count)]
            removed += try await connection.query(
                """
                DELETE FROM suppressions
                WHERE account_id = \(account.rawValue) AND fingerprint = ANY (\(part.map(\.bytes)))
                RETURNING reason
                """
            ).count
        }
        return removed
    }

    // MARK: All of an account

    /// The account's suppressions, newest first.
    ///
    /// - Parameters:
    ///   - after: the cursor of the last one of the page before
    ///   - limit: 1…1,000
    package func list(
        _ account: AccountID, after cursor: SuppressionCursor? = nil, limit: Int = 100
    ) async throws -> [Suppression] {
        let limit = min(max(limit, 1), SuppressionLimits.pageRows)
        guard let cursor else {
            return try await records.query(
                """
                SELECT fingerprint, reason, origin, note, created_at FROM suppressions
                WHERE account_id = \(account.rawValue)
                ORDER BY created_at DESC, fingerprint DESC LIMIT \(limit)
                """
            ).map(Self.suppression)
        }
        return try await records.query(
            """
            SELECT fingerprint, reason, origin, note, created_at FROM suppressions
            WHERE account_id = \(account.rawValue)
                AND (created_at, fingerprint) < (\(cursor.createdAt), \(cursor.fingerprint.bytes))
            ORDER BY created_at DESC, fingerprint DESC LIMIT \(limit)
            """
        ).map(Self.suppression)
    }

    package func count(_ account: AccountID) async throws -> Int {
        try await records.query("SELECT count(*) FROM suppressions WHERE account_id = \(account.rawValue)")
            .first?.decode(Int.self) ?? 0
    }

    private static func suppression(_ row: PostgresRow) throws -> Suppression {
        let (bytes, rank, originName, note, createdAt) = try row.decode(
            [UInt8].self, Int16.self, String.self, String?.self, PostgresTimestamp.self)
        // The tables check all three.
        guard let fingerprint = Fingerprint(bytes: bytes), let reason = SuppressionReason(rank: rank),
            let origin = SuppressionOrigin(rawValue: originName)
        else { preconditionFailure("a suppression that its table cannot hold") }
        return Suppression(
            fingerprint: fingerprint, reason: reason, origin: origin, note: note, createdAt: createdAt)
    }
}
