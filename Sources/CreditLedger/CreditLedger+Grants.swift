package import MailTypes
package import Postgres

extension CreditLedger {
    /// Adds credits that were bought or given.
    ///
    /// - Parameters:
    ///   - amount: at least 1
    ///   - key: 1…255 visible ASCII characters, unique in the account, such as a payment's number
    ///   - memo: at most 1,000 octets, for people
    /// - Throws: ``LedgerError/invalidAmount``, `.overflow`, `.invalidKey`, `.memoTooLong`, `.idempotencyConflict`,
    ///   `.accountNotFound`; `PostgresError`
    @discardableResult
    package func grant(
        _ amount: Int64, to account: AccountID, key: String, memo: String = "", on connection: PostgresConnection
    ) async throws -> LedgerEntry {
        guard amount > 0 else { throw LedgerError.invalidAmount }
        return try await change(.grant, by: amount, of: account, key: key, memo: memo, on: connection)
    }

    /// Corrects the posted credits by an amount of either sign: a refund, a mistaken grant.
    ///
    /// - Throws: as ``grant(_:to:key:memo:on:)``; ``LedgerError/insufficientCredits(missing:available:)`` where the
    ///   credits to take back are held or spent.
    @discardableResult
    package func adjust(
        by amount: Int64, account: AccountID, key: String, memo: String, on connection: PostgresConnection
    ) async throws -> LedgerEntry {
        guard amount != 0 else { throw LedgerError.invalidAmount }
        return try await change(.adjust, by: amount, of: account, key: key, memo: memo, on: connection)
    }

    private func change(
        _ kind: LedgerEntry.Kind, by amount: Int64, of account: AccountID, key: String, memo: String,
        on connection: PostgresConnection
    ) async throws -> LedgerEntry {
        guard memo.utf8.count <= LedgerLimits.memoOctets else { throw LedgerError.memoTooLong }
        guard !account.isTest else { throw LedgerError.accountNotFound }
        let request = try LedgerRequest(key: key, kind: kind) { fields in
            fields.append(amount)
            fields.append(memo)
        }
        var (locked, prior) = try await locked(account, request: request, on: connection)
        if let prior { return prior }
        let entry = try locked.add(
            kind, amount: amount, postedBy: amount, request: request, memo: memo, chain: chain)
        try await write(locked, campaign: nil, on: connection)
        return entry
    }

    /// Notes that a campaign's data was destroyed. Repeating it with the same digest returns the first entry.
    ///
    /// - Parameter digest: SHA-256 of the purge certificate, 32 octets
    /// - Returns: nil for a test account, which has no books
    /// - Throws: ``LedgerError/invalidDigest``, `.idempotencyConflict` for another
    ///   digest of the same campaign, `.accountNotFound`; `PostgresError`
    @discardableResult
    package func recordPurge(
        account: AccountID, campaign: CampaignID, digest: [UInt8], on connection: PostgresConnection
    ) async throws -> LedgerEntry? {
        guard !account.isTest else { return nil }
        guard digest.count == 32 else { throw LedgerError.invalidDigest }
        let request = try LedgerRequest(key: Self.purgeKey(campaign), kind: .purge) { $0.append(digest) }
        var (locked, prior) = try await locked(account, request: request, on: connection)
        if let prior { return prior }
        let entry = try locked.add(
            .purge, amount: 0, campaign: campaign, request: request, digest: digest, chain: chain)
        try await write(locked, campaign: campaign, on: connection)
        return entry
    }
}
