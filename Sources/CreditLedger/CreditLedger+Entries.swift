package import MailTypes
package import Postgres

extension CreditLedger {
    /// An account's entries, newest first.
    ///
    /// - Parameters:
    ///   - before: the number of the last entry of the page before; nil for the newest
    ///   - limit: 1…1,000
    package func entries(
        _ account: AccountID, before: Int64? = nil, limit: Int = 100, on connection: PostgresConnection
    ) async throws -> [LedgerEntry] {
        try await connection.query(
            """
            SELECT \(unescaped: Self.entryColumns) FROM ledger_entries
            WHERE account_id = \(account.rawValue) AND entry_no < \(before ?? Int64.max)
            ORDER BY entry_no DESC LIMIT \(min(max(limit, 1), LedgerLimits.pageRows))
            """
        ).map { try Self.entry($0, of: account) }
    }

    /// What a campaign has in holds, was charged and got back.
    package func campaignCredits(
        account: AccountID, campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> CampaignCredits {
        let rows = try await connection.query(
            """
            SELECT coalesce(sum(amount) FILTER (WHERE state = 'open'), 0)::bigint,
                coalesce(sum(charged), 0)::bigint, coalesce(sum(released), 0)::bigint, (
                    SELECT coalesce(sum(amount), 0)::bigint FROM ledger_entries
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND kind = 'refund')
            FROM holds WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        guard let row = rows.first else { throw LedgerError.inconsistent }
        let (held, charged, released, refunded) = try row.decode(Int64.self, Int64.self, Int64.self, Int64.self)
        return CampaignCredits(held: held, charged: charged, released: released, refunded: refunded)
    }

    func entry(
        _ number: Int64, of account: AccountID, on connection: PostgresConnection
    ) async throws -> LedgerEntry {
        let rows = try await connection.query(
            """
            SELECT \(unescaped: Self.entryColumns) FROM ledger_entries
            WHERE account_id = \(account.rawValue) AND entry_no = \(number)
            """)
        guard let row = rows.first else { throw LedgerError.inconsistent }
        return try Self.entry(row, of: account)
    }

    /// The entries that follow `number`, oldest first.
    func entries(
        _ account: AccountID, after number: Int64, limit: Int, on connection: PostgresConnection
    ) async throws -> [LedgerEntry] {
        try await connection.query(
            """
            SELECT \(unescaped: Self.entryColumns) FROM ledger_entries
            WHERE account_id = \(account.rawValue) AND entry_no > \(number) ORDER BY entry_no LIMIT \(limit)
            """
        ).map { try Self.entry($0, of: account) }
    }

    private static let entryColumns = """
        entry_no, kind, campaign_id, batch_no, amount, posted_before, posted_after, held_before, held_after, \
        idempotency_key, request_hash, digest, memo, created_at, chain, recipient
        """

    private static func entry(_ row: PostgresRow, of account: AccountID) throws -> LedgerEntry {
        let (
            number, kindName, campaign, batch, amount, postedBefore, postedAfter, heldBefore, heldAfter, key, hash,
            digest, memo, createdAt, chain, recipient
        ) = try row.decode(
            Int64.self, String.self, Int64?.self, Int32?.self, Int64.self, Int64.self, Int64.self, Int64.self,
            Int64.self, String?.self, [UInt8]?.self, [UInt8]?.self, String.self, PostgresTimestamp.self, [UInt8].self,
            [UInt8]?.self)
        guard let kind = LedgerEntry.Kind(rawValue: kindName) else { throw LedgerError.inconsistent }
        return LedgerEntry(
            account: account, number: number, kind: kind, campaign: campaign.map(CampaignID.init(rawValue:)),
            batch: batch, amount: amount, postedBefore: postedBefore, postedAfter: postedAfter,
            heldBefore: heldBefore, heldAfter: heldAfter, idempotencyKey: key, requestHash: hash, digest: digest,
            recipient: recipient, memo: memo, createdAt: createdAt, chain: chain)
    }
}
