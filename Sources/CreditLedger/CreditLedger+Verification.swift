import Crypto
import MailTypes
package import Postgres

extension CreditLedger {
    /// Recomputes every balance from the entries and compares entries, holds and accounts with each other.
    ///
    /// Checked for each account: entry numbers without gaps; each entry's values before equal the values after its
    /// predecessor; the amount explains the change; the chain; posted = grants + refunds − charges; held = Σ open holds;
    /// every hold resolved to its full amount; each settlement agrees with its hold; for each campaign, what was reserved
    /// and carried equals its holds, nobody was refunded twice, and no more was refunded than charged; the account's row
    /// equals its last entry; its limit is what the last change of it says, and nobody has changed it past the ledger; each
    /// name has its account. What campaigns say of themselves is compared with the books by
    /// their owner.
    ///
    /// Reads one snapshot, page by page, with memory independent of the number of entries.
    ///
    /// - Parameters:
    ///   - earlier: entries that were there before, and must be there as they were.
    ///   - connection: on the primary server, and outside any transaction: the verification begins and ends a
    ///   REPEATABLE READ, READ ONLY one itself. It may take long; no query of others waits for it.
    package func verify(
        against earlier: LedgerAnchors = LedgerAnchors(), on connection: PostgresConnection
    ) async throws -> LedgerVerification {
        try await connection.execute(script: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        do {
            let result = try await verifySnapshot(against: earlier, on: connection)
            try await connection.execute(script: "COMMIT")
            return result
        } catch {
            // The first error is the one to report; a connection that cannot roll back is closed by its pool.
            try? await connection.execute(script: "ROLLBACK")
            throw error
        }
    }

    private func verifySnapshot(
        against earlier: LedgerAnchors, on connection: PostgresConnection
    ) async throws -> LedgerVerification {
        var result = LedgerVerification()
        var anchor = SHA256()
        var last: AccountID?
        while true {
            let page = try await accounts(after: last, on: connection)
            for account in page {
                let audit = try await verify(account, earlier.heads[account.id], on: connection, into: &result)
                let limit = try await verifyLimit(of: account, earlier.heads[account.id], on: connection, into: &result)
                result.anchors.note(account.id, audit.entryCount, audit.chainHead, limit)
                var fields = FieldEncoder()
                fields.append(account.id.rawValue)
                fields.append(audit.entryCount)
                fields.append(audit.chainHead)
                anchor.update(data: fields.bytes)
                result.accounts += 1
            }
            guard let next = page.last?.id, page.count == LedgerLimits.pageRows else { break }
            last = next
        }
        for lost in earlier.heads.keys.filter({ result.anchors.heads[$0] == nil }).sorted(by: {
            $0.rawValue < $1.rawValue
        }) {
            result.report("account \(lost): its books are gone, which an anchor names")
        }
        try await verifyNames(on: connection, into: &result)
        result.anchor = Array(anchor.finalize())
        return result
    }

    /// Account and name are made in one transaction, and neither is ever deleted.
    private func verifyNames(on connection: PostgresConnection, into result: inout LedgerVerification) async throws {
        let orphans = try await connection.query(
            """
            SELECT n.account_id FROM account_names n LEFT JOIN accounts a ON a.account_id = n.account_id
            WHERE a.account_id IS NULL ORDER BY n.account_id LIMIT \(LedgerLimits.pageRows)
            """)
        for row in orphans {
            result.report("account \(try row.decode(Int64.self)): it has a name, and its books are gone")
        }
    }

    private func verify(
        _ account: LedgerAccount, _ head: LedgerAnchors.Head?, on connection: PostgresConnection,
        into result: inout LedgerVerification
    ) async throws -> BookAudit {
        var audit = BookAudit(account: account.id, chain: chain)
        while true {
            let page = try await entries(
                account.id, after: audit.entryCount, limit: LedgerLimits.pageRows, on: connection)
            for entry in page {
                audit.read(entry, into: &result)
                if let head, head.entry == entry.number, head.chain != entry.chain {
                    result.report("account \(account.id), entry \(entry.number): it is not the one of the anchor")
                }
            }
            result.entries += page.count
            guard page.count == LedgerLimits.pageRows else { break }
        }
        if let head, head.entry > audit.entryCount {
            result.report(
                "account \(account.id): the books end with entry \(audit.entryCount), an anchor names \(head.entry)")
        }
        let rows = try await connection.query(
            """
            SELECT chain_head,
                (SELECT coalesce(sum(amount), 0)::bigint FROM holds h
                    WHERE h.account_id = a.account_id AND h.state = 'open')
            FROM accounts a WHERE account_id = \(account.id.rawValue)
            """)
        guard let row = rows.first else { throw LedgerError.inconsistent }
        let (chainHead, openHolds) = try row.decode([UInt8].self, Int64.self)
        audit.close(against: account, chainHead: chainHead, openHolds: openHolds, into: &result)
        try await verifyHolds(of: account.id, on: connection, into: &result)
        try await verifyRefunds(of: account.id, on: connection, into: &result)
        return audit
    }

    private func verifyLimit(
        of account: LedgerAccount, _ head: LedgerAnchors.Head?, on connection: PostgresConnection,
        into result: inout LedgerVerification
    ) async throws -> LedgerAnchors.Limit {
        var audit = LimitAudit(account: account.id, chain: chain)
        let noted = head?.limit
        while true {
            let page = try await limitChanges(of: account.id, after: audit.count, on: connection)
            for change in page {
                audit.read(change, into: &result)
                if let noted, noted.change == change.number, noted.link != change.link {
                    result.report(
                        "account \(account.id), change \(change.number) of its limit: it is not the one of the anchor")
                }
            }
            guard page.count == LedgerLimits.pageRows else { break }
        }
        if let noted, noted.change > audit.count {
            result.report(
                "account \(account.id): its limit was changed \(audit.count) times, an anchor names \(noted.change)")
        }
        audit.close(against: account.balance.limit, into: &result)
        return LedgerAnchors.Limit(change: audit.count, link: audit.link)
    }

    private func verifyHolds(
        of account: AccountID, on connection: PostgresConnection, into result: inout LedgerVerification
    ) async throws {
        let broken = try await connection.query(
            """
            SELECT h.campaign_id, h.batch_no FROM holds h
            LEFT JOIN ledger_entries e ON e.account_id = h.account_id AND e.campaign_id = h.campaign_id
                AND e.batch_no = h.batch_no AND e.kind = 'settle'
            WHERE h.account_id = \(account.rawValue) AND NOT CASE h.state
                WHEN 'open' THEN e.entry_no IS NULL AND h.charged = 0 AND h.released = 0 AND h.carried = 0
                WHEN 'resolved' THEN h.charged + h.released + h.carried = h.amount AND CASE
                    WHEN e.entry_no IS NULL THEN h.charged = 0 AND h.carried = 0
                    ELSE e.amount = h.charged AND e.held_before - e.held_after - e.amount = h.released END
                ELSE false END
            ORDER BY h.campaign_id, h.batch_no LIMIT \(LedgerLimits.pageRows)
            """)
        for row in broken {
            let (campaign, batch) = try row.decode(Int64.self, Int32.self)
            result.report(
                "account \(account), campaign \(CampaignID(rawValue: campaign)), batch \(batch): "
                    + "the hold does not agree with its settlement")
        }
        let campaigns = try await connection.query(
            """
            WITH booked AS (
                SELECT campaign_id, coalesce(sum(amount) FILTER (WHERE kind = 'reserve'), 0) AS reserved,
                    coalesce(sum(amount) FILTER (WHERE kind = 'settle'), 0) AS charged,
                    coalesce(sum(held_before - held_after - amount) FILTER (WHERE kind = 'settle'), 0)
                        + coalesce(sum(amount) FILTER (WHERE kind = 'release'), 0) AS released
                FROM ledger_entries WHERE account_id = \(account.rawValue) AND kind IN ('reserve', 'settle', 'release')
                GROUP BY campaign_id
            ), kept AS (
                SELECT campaign_id, sum(amount) - sum(carried) AS reserved, sum(charged) AS charged,
                    sum(released) AS released
                FROM holds WHERE account_id = \(account.rawValue) GROUP BY campaign_id
            )
            SELECT campaign_id FROM booked FULL JOIN kept USING (campaign_id)
            WHERE (booked.reserved, booked.charged, booked.released)
                IS DISTINCT FROM (kept.reserved, kept.charged, kept.released)
            ORDER BY campaign_id LIMIT \(LedgerLimits.pageRows)
            """)
        for row in campaigns {
            result.report(
                "account \(account), campaign \(CampaignID(rawValue: try row.decode(Int64.self))): "
                    + "entries and holds do not add up")
        }
    }

    private func verifyRefunds(
        of account: AccountID, on connection: PostgresConnection, into result: inout LedgerVerification
    ) async throws {
        // Indices are not trusted here: that of refunds may be damaged, or gone.
        let broken = try await connection.query(
            """
            SELECT campaign_id, count(*) <> count(DISTINCT recipient) FROM ledger_entries e
            WHERE account_id = \(account.rawValue) AND kind = 'refund'
            GROUP BY campaign_id
            HAVING count(*) <> count(DISTINCT recipient) OR sum(amount) > (
                SELECT coalesce(sum(s.amount), 0) FROM ledger_entries s
                WHERE s.account_id = \(account.rawValue) AND s.campaign_id = e.campaign_id AND s.kind = 'settle')
            ORDER BY campaign_id LIMIT \(LedgerLimits.pageRows)
            """)
        for row in broken {
            let (campaign, isDouble) = try row.decode(Int64.self, Bool.self)
            result.report(
                "account \(account), campaign \(CampaignID(rawValue: campaign)): "
                    + (isDouble ? "a recipient was refunded twice" : "more was refunded than charged"))
        }
    }
}
