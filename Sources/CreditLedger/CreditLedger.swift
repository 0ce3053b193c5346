package import MailTypes
package import Postgres

/// The only writer of credits.
///
/// Every operation takes the caller's connection and runs in the caller's transaction, so that credits move together
/// with what they pay for or not at all. Each locks the account's row first and decides on what it reads after; two
/// operations on one account never overlap. A refusal (``LedgerError``) changes nothing and leaves the transaction
/// usable.
///
/// Credits are whole numbers; one pays one delivered mail. A campaign *reserves* one hold a batch, each batch *settles*
/// its hold exactly once: what was delivered is charged, what a later attempt needs is carried to that batch's new
/// hold, and the rest is released.
///
/// Test accounts have no books: for them nothing is reserved, settled, released, refunded or noted, and nothing is granted.
///
/// Operations that take a `key` are idempotent under it: the same key with the same request returns the entry it made
/// the first time, with another request it is refused as ``LedgerError/idempotencyConflict``.
package struct CreditLedger: Sendable {
    let chain: EntryChain

    /// - Parameter chainKey: secret bytes that live outside the records database; see `Vault.ledgerChainKey`
    package init(chainKey: [UInt8]) { chain = EntryChain(key: chainKey) }

    /// Locks the account until the transaction ends and reads its balance.
    ///
    /// For callers that lock rows of their own too: the account's comes first, everywhere, or two transactions could
    /// wait for each other.
    ///
    /// - Throws: ``LedgerError/accountNotFound``, `PostgresError`
    @discardableResult
    package func lock(_ account: AccountID, on connection: PostgresConnection) async throws -> CreditBalance {
        try await locked(account, on: connection).account.balance
    }

    /// Locks the account's row, then reads what the operation decides on. One round trip, two for a repeated request.
    ///
    /// - Returns: the account, and the entry that the request made earlier, if it did.
    func locked(
        _ account: AccountID, campaign: CampaignID? = nil, batches: [Int32] = [], request: LedgerRequest? = nil,
        on connection: PostgresConnection
    ) async throws -> (account: LockedAccount, prior: LedgerEntry?) {
        let rows = try await connection.query(
            """
            SELECT posted, held, credit_limit, entry_count, chain_head, read_at, prior_entry,
                hold_batches, hold_amounts, hold_open
            FROM ledger_lock(
                \(account.rawValue), \(campaign?.rawValue as Int64?), \(batches), \(request?.key as String?))
            """)
        guard let row = rows.first else { throw LedgerError.accountNotFound }
        let (posted, held, limit, entryCount, chainHead, readAt, prior, batchNumbers, amounts, open) = try row.decode(
            Int64.self, Int64.self, Int64.self, Int64.self, [UInt8].self, PostgresTimestamp.self, Int64?.self,
            [Int32]?.self, [Int64]?.self, [Bool]?.self)
        var holds: [Int32: LockedAccount.Hold] = [:]
        for ((batch, amount), isOpen) in zip(zip(batchNumbers ?? [], amounts ?? []), open ?? []) {
            holds[batch] = LockedAccount.Hold(amount: amount, isOpen: isOpen)
        }
        let locked = LockedAccount(
            id: account, posted: posted, held: held, limit: limit, entryCount: entryCount, chainHead: chainHead,
            readAt: readAt, holds: holds)
        guard let prior, let request else { return (locked, nil) }
        let entry = try await entry(prior, of: account, on: connection)
        guard entry.requestHash == request.hash else { throw LedgerError.idempotencyConflict }
        return (locked, entry)
    }

    /// Writes new entries, the holds they open and resolve, and the account's counters: one statement.
    ///
    /// - Parameters:
    ///   - resolved: existing holds to resolve
    ///   - opened: holds to insert
    func write(
        _ account: LockedAccount, campaign: CampaignID?, resolved: [ResolvedHold] = [],
        opened: [(batch: Int32, amount: Int64)] = [], on connection: PostgresConnection
    ) async throws {
        guard let first = account.newEntries.first else { return }
        let entries = account.newEntries
        let rows = try await connection.query(
            """
            WITH resolved AS (
                UPDATE holds h SET state = 'resolved', charged = r.charged, released = r.released,
                    carried = r.carried, resolved_at = \(account.readAt)
                FROM unnest(
                    \(resolved.map(\.batch))::integer[], \(resolved.map(\.charged))::bigint[],
                    \(resolved.map(\.released))::bigint[], \(resolved.map(\.carried))::bigint[]
                ) AS r (batch_no, charged, released, carried)
                WHERE h.account_id = \(account.id.rawValue) AND h.campaign_id = \(campaign?.rawValue as Int64?)
                    AND h.batch_no = r.batch_no AND h.state = 'open'
                RETURNING 1
            ), opened AS (
                INSERT INTO holds (account_id, campaign_id, batch_no, amount)
                SELECT \(account.id.rawValue), \(campaign?.rawValue as Int64?), o.batch_no, o.amount
                FROM unnest(\(opened.map(\.batch))::integer[], \(opened.map(\.amount))::bigint[])
                    AS o (batch_no, amount)
                RETURNING 1
            ), written AS (
                INSERT INTO ledger_entries (
                    account_id, entry_no, kind, campaign_id, batch_no, amount, posted_before, posted_after,
                    held_before, held_after, idempotency_key, request_hash, digest, memo, chain, created_at)
                SELECT \(account.id.rawValue), e.entry_no, \(first.kind.rawValue),
                    \(campaign?.rawValue as Int64?), e.batch_no, e.amount, e.posted_before, e.posted_after,
                    e.held_before, e.held_after, \(first.idempotencyKey as String?),
                    \(first.requestHash as [UInt8]?), \(first.digest as [UInt8]?), \(first.memo), e.chain,
                    \(account.readAt)
                FROM unnest(
                    \(entries.map(\.number))::bigint[], \(entries.map(\.batch))::integer[],
                    \(entries.map(\.amount))::bigint[], \(entries.map(\.postedBefore))::bigint[],
                    \(entries.map(\.postedAfter))::bigint[], \(entries.map(\.heldBefore))::bigint[],
                    \(entries.map(\.heldAfter))::bigint[], \(entries.map(\.chain))::bytea[]
                ) AS e (entry_no, batch_no, amount, posted_before, posted_after, held_before, held_after, chain)
                RETURNING 1
            ), moved AS (
                UPDATE accounts SET posted = \(account.posted), held = \(account.held),
                    entry_count = \(account.entryCount), chain_head = \(account.chainHead)
                WHERE account_id = \(account.id.rawValue) AND entry_count = \(account.entryCountBefore)
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM resolved), (SELECT count(*) FROM opened),
                (SELECT count(*) FROM written), (SELECT count(*) FROM moved)
            """)
        guard let row = rows.first else { throw LedgerError.inconsistent }
        let counts = try row.decode(Int64.self, Int64.self, Int64.self, Int64.self)
        guard counts == (Int64(resolved.count), Int64(opened.count), Int64(entries.count), 1) else {
            throw LedgerError.inconsistent
        }
    }
}

/// What a hold's row becomes.
struct ResolvedHold: Sendable, Hashable {
    let batch: Int32
    let charged: Int64
    let released: Int64
    let carried: Int64
}
