package import MailTypes
package import Postgres
package import Vault
import Webhooks

/// The addresses that an account must not mail, and those that nobody on this installation mails.
///
/// Kept as keyed fingerprints, so that they outlive the purge of the campaigns that found them and cannot be read back. An
/// address that the account itself has named is kept beside its fingerprint, sealed under the account's key, so that the
/// account can list and export it.
///
/// ``Vault/Vault/installation`` in place of an account stands for the operator's own list, which holds for all accounts.
///
/// Operations on addresses open a connection of their own; operations on fingerprints take the caller's, so that a
/// batch's suppressions commit with its settlement.
package struct SuppressionList: Sendable {
    let records: PostgresPool
    let vault: Vault
    private let quota: AccountQuota
    private let limits: AccountLimits

    /// - Parameters:
    ///   - rows: how many addresses an account may list.
    ///   - limits: what was set for accounts in place of that.
    package init(
        records: PostgresPool, vault: Vault, rows: Int = SuppressionLimits.rows, limits: AccountLimits = AccountLimits()
    ) {
        quota = AccountQuota(rows)
        self.limits = limits
        self.records = records
        self.vault = vault
    }

    /// Where the list of the account lies, or the operator's.
    static func table(_ account: AccountID) -> String {
        account == Vault.installation ? "installation_suppressions" : "suppressions"
    }

    /// - Throws: ``SuppressionError/accountNotFound``; `VaultError`
    private func keys(_ account: AccountID, on connection: PostgresConnection) async throws -> AccountKeys {
        if account == Vault.installation { return try await vault.installationKeys(on: connection) }
        do {
            return try await vault.accountKeys(account, on: connection)
        } catch let error as VaultError where error.code == .noKey {
            throw SuppressionError.accountNotFound
        }
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
        try await add(
            addresses.map { ListedAddress(.address($0), reason, note: note) }, account: account, origin: origin,
            onCommit: onCommit)
    }

    /// As ``add(_:account:reason:origin:note:onCommit:)``, each with a reason of its own, from a list that was kept
    /// elsewhere. What is listed already keeps its row, or gets a stronger reason: nothing is taken off or weakened.
    @discardableResult
    package func add(
        _ listed: [ListedAddress], account: AccountID, origin: SuppressionOrigin,
        onCommit: (@Sendable (PostgresConnection, Int) async throws -> Void)? = nil
    ) async throws -> Int {
        try await records.withTransaction { connection in
            let keys = try await self.keys(account, on: connection)
            guard try await !self.isFull(account, on: connection) else { throw SuppressionError.tooMany }
            let new = listed.map { $0.new(by: keys.fingerprinter) }
            let added = try await self.add(new, keys, account: account, origin: origin, on: connection)
            try await onCommit?(connection, added)
            return added
        }
    }

    private func isFull(_ account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        try await quota.isFull(account, own: limits[.suppressions, account]) { most in
            try await connection.query(
                """
                SELECT count(*) FROM (
                    SELECT FROM \(identifier: Self.table(account))
                    WHERE account_id = \(account.rawValue) LIMIT \(Int64(most))) s
                """
            ).only.decode(Int.self)
        }
    }

    /// - Returns: nil where the address may be mailed, as far as this list says
    package func find(_ address: EmailAddress, account: AccountID) async throws -> Suppression? {
        try await records.withConnection { connection in
            let fingerprint = try await self.keys(account, on: connection).fingerprinter.fingerprint(address)
            let rows = try await connection.query(
                """
                SELECT fingerprint, reason, origin, note, created_at, sealed FROM \(identifier: Self.table(account))
                WHERE account_id = \(account.rawValue) AND fingerprint = \(fingerprint.bytes)
                """)
            return try await self.suppressions(rows.map(\.self), account, on: connection).first
        }
    }

    /// What the installation's own list says of the address.
    package func findForAll(_ address: EmailAddress) async throws -> Suppression? {
        let isEmpty = try await records.query("SELECT NOT EXISTS (SELECT FROM installation_suppressions)").only
            .decode(column: 0, as: Bool.self)
        return isEmpty ? nil : try await find(address, account: Vault.installation)
    }

    package func contains(_ address: EmailAddress, account: AccountID) async throws -> Bool {
        try await find(address, account: account) != nil
    }

    /// Lets the address be mailed again.
    ///
    /// - Parameter isOperator: who also takes off what recipients have asked for.
    /// - Returns: false where it was not suppressed
    /// - Throws: ``SuppressionError/protected`` where a recipient has asked for it, by unsubscribing or complaining
    @discardableResult
    package func remove(
        _ address: EmailAddress, account: AccountID, isOperator: Bool = false
    ) async throws -> Bool {
        try await records.withTransaction { connection in
            let fingerprint = try await self.keys(account, on: connection).fingerprinter.fingerprint(address)
            // The row is read as it was when it was deleted or left.
            let (isListed, removed) = try await connection.query(
                """
                WITH listed AS (
                    SELECT reason FROM \(identifier: Self.table(account))
                    WHERE account_id = \(account.rawValue) AND fingerprint = \(fingerprint.bytes)),
                removed AS (
                    DELETE FROM \(identifier: Self.table(account))
                    WHERE account_id = \(account.rawValue) AND fingerprint = \(fingerprint.bytes)
                        AND (\(isOperator) OR reason < \(SuppressionReason.unsubscribe.rank))
                    RETURNING reason)
                SELECT EXISTS (SELECT FROM listed), (SELECT reason FROM removed)
                """
            ).only.decode(Bool.self, Int16?.self)
            guard removed != nil || !isListed else { throw SuppressionError.protected }
            guard let removed else { return false }
            if account != Vault.installation {
                let event = WebhookEvent.suppression(
                    .suppressionRemoved, fingerprint: fingerprint, reason: SuppressionReason(rank: removed)?.rawValue,
                    origin: isOperator ? "operator" : "customer")
                try await WebhookOutbox.append([event], account: account, on: connection)
            }
            return true
        }
    }

    // MARK: By fingerprint

    /// Suppresses in the caller's transaction. An address that is suppressed already keeps its row; a stronger reason
    /// replaces reason, origin and note.
    ///
    /// Rows are written in order of fingerprint, so that two transactions with the same addresses cannot deadlock.
    ///
    /// - Returns: how many were not suppressed before
    /// - Throws: ``SuppressionError``, `PostgresError`; `VaultError` where addresses are to be sealed
    @discardableResult
    package func add(
        _ new: [NewSuppression], account: AccountID, origin: SuppressionOrigin, note: String? = nil,
        on connection: PostgresConnection
    ) async throws -> Int {
        let hasAddresses = new.contains { $0.address != nil }
        return try await add(
            new, hasAddresses ? keys(account, on: connection) : nil, account: account, origin: origin, note: note,
            on: connection)
    }

    private func add(
        _ new: [NewSuppression], _ keys: AccountKeys?, account: AccountID, origin: SuppressionOrigin,
        note: String? = nil, on connection: PostgresConnection
    ) async throws -> Int {
        let notes = Set(new.map(\.note)).union([note]).compactMap(\.self)
        guard notes.allSatisfy(SuppressionLimits.isNote) else { throw SuppressionError.invalidNote }
        let rows = try new.map { suppression in
            let sealed = try suppression.address.flatMap { address in
                try keys?.sealing.seal(address, suppression.fingerprint, account)
            }
            return SuppressionRow(suppression, account, origin, note: note, sealed: sealed)
        }
        return try await write(rows, to: Self.table(account), on: connection)
    }

    /// Suppresses addresses of any number of accounts, in the caller's transaction, as a list of one account's does.
    package func add(
        _ new: [(account: AccountID, origin: SuppressionOrigin, suppression: NewSuppression)],
        on connection: PostgresConnection
    ) async throws {
        _ = try await write(
            new.map { SuppressionRow($0.suppression, $0.account, $0.origin) }, to: "suppressions", on: connection)
    }

    private func write(
        _ rows: [SuppressionRow], to table: String, on connection: PostgresConnection
    ) async throws -> Int {
        let rows = SuppressionRow.merged(rows)
        var added = 0
        for start in stride(from: 0, to: rows.count, by: SuppressionLimits.statementRows) {
            let part = rows[start..<min(start + SuppressionLimits.statementRows, rows.count)]
            added += try await write(part: part, to: table, on: connection)
        }
        return added
    }

    private func write(
        part rows: ArraySlice<SuppressionRow>, to table: String, on connection: PostgresConnection
    ) async throws -> Int {
        do {
            // A row that this statement inserted has no deleting transaction (xmax = 0), an updated one has.
            let inserted = try await connection.query(
                """
                WITH written AS (
                    INSERT INTO \(identifier: table) AS s
                        (account_id, fingerprint, reason, origin, note, sealed, created_at)
                    SELECT n.account_id, n.fingerprint, n.reason, n.origin, n.note, n.sealed,
                        least(coalesce(n.created_at, now()), now())
                    FROM unnest(
                        \(rows.map(\.account.rawValue))::bigint[], \(rows.map(\.fingerprint.bytes))::bytea[],
                        \(rows.map(\.rank))::smallint[], \(rows.map(\.origin))::text[], \(rows.map(\.note))::text[],
                        \(rows.map(\.sealed))::bytea[], \(rows.map(\.createdAt))::timestamptz[])
                        AS n (account_id, fingerprint, reason, origin, note, sealed, created_at)
                    ORDER BY n.account_id, n.fingerprint
                    ON CONFLICT (account_id, fingerprint) DO UPDATE
                        SET reason = greatest(s.reason, excluded.reason),
                            origin = CASE WHEN s.reason < excluded.reason THEN excluded.origin ELSE s.origin END,
                            note = CASE WHEN s.reason < excluded.reason THEN excluded.note ELSE s.note END,
                            sealed = coalesce(s.sealed, excluded.sealed)
                        WHERE s.reason < excluded.reason OR (s.sealed IS NULL AND excluded.sealed IS NOT NULL)
                    RETURNING account_id, fingerprint, reason, origin, xmax = 0 AS inserted
                )
                SELECT account_id, fingerprint, reason, origin FROM written WHERE inserted
                """)
            if table == "suppressions" { try await tell(inserted, on: connection) }
            return inserted.count
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw SuppressionError.accountNotFound
        }
    }

    /// Webhooks are told who has come onto the lists of accounts; of addresses only the fingerprints.
    private func tell(_ rows: PostgresRows, on connection: PostgresConnection) async throws {
        var events: [Int64: [WebhookEvent]] = [:]
        for row in rows {
            let (account, bytes, rank, origin) = try row.decode(Int64.self, [UInt8].self, Int16.self, String?.self)
            guard let fingerprint = Fingerprint(bytes: bytes) else { continue }
            events[account, default: []].append(
                .suppression(
                    .suppressionAdded, fingerprint: fingerprint, reason: SuppressionReason(rank: rank)?.rawValue,
                    origin: origin))
        }
        guard !events.isEmpty else { return }
        try await WebhookOutbox.append(
            events.sorted { $0.key < $1.key }.map {
                WebhookOutbox.Group($0.value, account: AccountID(rawValue: $0.key))
            },
            on: connection)
    }

    /// Suppresses what servers have said does not exist, of any number of accounts. An address that is suppressed for a
    /// stronger reason keeps its row.
    package func addHardBounces(
        _ found: [(account: AccountID, fingerprint: Fingerprint)], on connection: PostgresConnection
    ) async throws {
        guard !found.isEmpty else { return }
        try await add(found.map { ($0.account, .reply, NewSuppression($0.fingerprint, .hardBounce)) }, on: connection)
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
                DELETE FROM \(identifier: Self.table(account))
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
    ///   - reason: those only that are listed for it.
    ///   - after: the cursor of the last one of the page before
    ///   - limit: 1…1,000
    package func list(
        _ account: AccountID, reason: SuppressionReason? = nil, after cursor: SuppressionCursor? = nil,
        limit: Int = 100
    ) async throws -> [Suppression] {
        let cursor = cursor ?? .beforeAll
        let limit = min(max(limit, 1), SuppressionLimits.pageRows)
        return try await records.withConnection { connection in
            let rows =
                if let reason {
                    try await connection.query(
                        """
                        SELECT fingerprint, reason, origin, note, created_at, sealed
                        FROM \(identifier: Self.table(account))
                        WHERE account_id = \(account.rawValue) AND reason = \(reason.rank)
                            AND (created_at, fingerprint) < (\(cursor.createdAt), \(cursor.fingerprint.bytes))
                        ORDER BY created_at DESC, fingerprint DESC LIMIT \(limit)
                        """)
                } else {
                    try await connection.query(
                        """
                        SELECT fingerprint, reason, origin, note, created_at, sealed
                        FROM \(identifier: Self.table(account))
                        WHERE account_id = \(account.rawValue)
                            AND (created_at, fingerprint) < (\(cursor.createdAt), \(cursor.fingerprint.bytes))
                        ORDER BY created_at DESC, fingerprint DESC LIMIT \(limit)
                        """)
                }
            return try await self.suppressions(rows.map(\.self), account, on: connection)
        }
    }

    package func count(_ account: AccountID) async throws -> Int {
        try await records.query(
            "SELECT count(*) FROM \(identifier: Self.table(account)) WHERE account_id = \(account.rawValue)"
        ).first?.decode(Int.self) ?? 0
    }

    /// An address that does not open is left out; its fingerprint suppresses all the same.
    private func suppressions(
        _ rows: [PostgresRow], _ account: AccountID, on connection: PostgresConnection
    ) async throws -> [Suppression] {
        var keys: AccountKeys?
        var found: [Suppression] = []
        for row in rows {
            let (bytes, rank, originName, note, createdAt, sealed) = try row.decode(
                [UInt8].self, Int16.self, String.self, String?.self, PostgresTimestamp.self, [UInt8]?.self)
            // The tables check all three.
            guard let fingerprint = Fingerprint(bytes: bytes), let reason = SuppressionReason(rank: rank),
                let origin = SuppressionOrigin(rawValue: originName)
            else { preconditionFailure("a suppression that its table cannot hold") }
            if sealed != nil, keys == nil { keys = try await self.keys(account, on: connection) }
            let address = sealed.flatMap { try? keys?.sealing.openAddress($0, fingerprint, account) }
            found.append(
                Suppression(
                    fingerprint: fingerprint, address: address, reason: reason, origin: origin, note: note,
                    createdAt: createdAt))
        }
        return found
    }
}
