package import MailTypes
package import Postgres

extension CreditLedger {
    /// Gives back the credits of mails that were charged and came back later: one entry a recipient, once in the life of
    /// its campaign. Those who were refunded before are passed over, and no more is given than the campaign was charged;
    /// both are decided under the account's lock, and a unique index stands behind the first.
    ///
    /// Call it once nothing of the campaign is charged any more: what is charged later is not waited for.
    ///
    /// - Parameter recipients: their fingerprints, 16 octets each; repeated ones count once
    /// - Returns: the entries, in the order given; none for a test account
    /// - Throws: ``LedgerError/overflow``, `.accountNotFound`; `PostgresError`
    @discardableResult
    package func refund(
        _ recipients: [[UInt8]], account: AccountID, campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> [LedgerEntry] {
        guard !recipients.isEmpty, !account.isTest else { return [] }
        var (locked, _) = try await locked(account, campaign: campaign, on: connection)
        // After the lock, so that it sees what the one before has given.
        let row = try await connection.query(
            """
            SELECT (SELECT coalesce(sum(charged), 0)::bigint FROM holds
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)),
                (SELECT count(*) FROM ledger_entries
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND kind = 'refund'),
                (SELECT coalesce(array_agg(recipient), '{}') FROM ledger_entries
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND kind = 'refund'
                        AND recipient = ANY (\(recipients)))
            """
        ).only
        let (charged, refunded, known) = try row.decode(Int64.self, Int64.self, [[UInt8]].self)
        var done = Set(known)
        for recipient in recipients where locked.newEntries.count < charged - refunded {
            guard done.insert(recipient).inserted else { continue }
            try locked.add(
                .refund, amount: 1, postedBy: 1, campaign: campaign, recipient: recipient, chain: chain)
        }
        try await write(refundsOf: locked, campaign, on: connection)
        return locked.newEntries
    }

    /// As ``write(_:campaign:resolved:opened:on:)``, with the recipients: a statement of its own, for that one works on the
    /// schema of before refunds, too.
    private func write(
        refundsOf account: LockedAccount, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        let entries = account.newEntries
        guard !entries.isEmpty else { return }
        let counts = try await connection.query(
            """
            WITH written AS (
                INSERT INTO ledger_entries (
                    account_id, entry_no, kind, campaign_id, amount, posted_before, posted_after, held_before,
                    held_after, recipient, chain, created_at)
                SELECT \(account.id.rawValue), e.entry_no, \(LedgerEntry.Kind.refund.rawValue), \(campaign.rawValue),
                    e.amount, e.posted_before, e.posted_after, \(account.held), \(account.held), e.recipient, e.chain,
                    \(account.readAt)
                FROM unnest(
                    \(entries.map(\.number))::bigint[], \(entries.map(\.amount))::bigint[],
                    \(entries.map(\.postedBefore))::bigint[], \(entries.map(\.postedAfter))::bigint[],
                    \(entries.map(\.recipient))::bytea[], \(entries.map(\.chain))::bytea[]
                ) AS e (entry_no, amount, posted_before, posted_after, recipient, chain)
                RETURNING 1
            ), moved AS (
                UPDATE accounts SET posted = \(account.posted), entry_count = \(account.entryCount),
                    chain_head = \(account.chainHead)
                WHERE account_id = \(account.id.rawValue) AND entry_count = \(account.entryCountBefore)
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM moved)
            """
        ).only.decode(Int64.self, Int64.self)
        guard counts == (Int64(entries.count), 1) else { throw LedgerError.inconsistent }
    }
}
