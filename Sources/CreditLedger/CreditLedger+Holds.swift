package import MailTypes
package import Postgres

extension CreditLedger {
    /// Sets credits aside for batches of a campaign: one hold a batch, one entry with the total. All or nothing.
    ///
    /// - Parameters:
    ///   - holds: at least one; amounts may be 0
    ///   - key: see ``CreditLedger``; without one, a repetition is refused as ``LedgerError/holdExists(batch:)``
    /// - Returns: nil for a test account, which has no books
    /// - Throws: ``LedgerError/insufficientCredits(missing:available:)``, `.holdExists`, `.invalidAmount`,
    ///   `.overflow`, `.invalidKey`, `.idempotencyConflict`, `.accountNotFound`; `PostgresError`
    @discardableResult
    package func reserve(
        _ holds: [(batch: Int32, amount: Int64)], account: AccountID, campaign: CampaignID, key: String? = nil,
        on connection: PostgresConnection
    ) async throws -> LedgerEntry? {
        guard !account.isTest else { return nil }
        guard !holds.isEmpty, holds.allSatisfy({ $0.amount >= 0 }) else { throw LedgerError.invalidAmount }
        guard let total = holds.map(\.amount).sumOfCredits else { throw LedgerError.overflow }
        let batches = try distinct(holds.map(\.batch))
        let request = try LedgerRequest(key: key, kind: .reserve) { fields in
            fields.append(campaign.rawValue)
            for hold in holds.sorted(by: { $0.batch < $1.batch }) {
                fields.append(Int64(hold.batch))
                fields.append(hold.amount)
            }
        }
        var (locked, prior) = try await locked(
            account, campaign: campaign, batches: batches, request: request, on: connection)
        if let prior { return prior }
        if let existing = locked.holds.keys.min() { throw LedgerError.holdExists(batch: existing) }
        let entry = try locked.add(
            .reserve, amount: total, heldBy: total, campaign: campaign, request: request, chain: chain)
        try await write(locked, campaign: campaign, opened: holds, on: connection)
        return entry
    }

    /// Resolves a batch's hold: charges, carries credits to new holds, releases the rest. Exactly once.
    ///
    /// - Parameters:
    ///   - charged: what was delivered
    ///   - carried: the holds of the batches that try the deferred recipients again; they must not exist yet
    ///   - key: see ``CreditLedger``; without one, a repetition is refused as
    ///     ``LedgerError/holdAlreadyResolved(batch:)``
    /// - Returns: nil for a test account, which has no books
    /// - Throws: ``LedgerError/invalidAmount`` where charged and carried exceed the hold, `.holdNotFound`,
    ///   `.holdAlreadyResolved`, `.holdExists` for a carried batch, `.invalidKey`, `.idempotencyConflict`,
    ///   `.accountNotFound`; `PostgresError`
    @discardableResult
    package func settle(
        _ batch: BatchID, charged: Int64, carried: [(batch: Int32, amount: Int64)] = [], key: String? = nil,
        on connection: PostgresConnection
    ) async throws -> LedgerEntry? {
        guard !batch.account.isTest else { return nil }
        let request = try LedgerRequest(key: key, kind: .settle) { fields in
            fields.append(batch.campaign.rawValue)
            fields.append(Int64(batch.number))
            fields.append(charged)
            for hold in carried.sorted(by: { $0.batch < $1.batch }) {
                fields.append(Int64(hold.batch))
                fields.append(hold.amount)
            }
        }
        let settlement = HoldSettlement(batch: batch.number, charged: charged, carried: carried)
        let entries = try await settle(
            [settlement], account: batch.account, campaign: batch.campaign, request: request, on: connection)
        guard let entry = entries.first else { throw LedgerError.inconsistent }
        return entry
    }

    /// Settles several batches of one campaign: as many entries, two round trips. All or nothing. Several may carry
    /// credits to the same new hold, which then holds their sum.
    ///
    /// - Returns: one entry a settlement, in the order given; none for a test account
    /// - Throws: as ``settle(_:charged:carried:key:on:)``
    @discardableResult
    package func settleMany(
        account: AccountID, campaign: CampaignID,
        _ settlements: [(batch: Int32, charged: Int64, carried: [(batch: Int32, amount: Int64)])],
        on connection: PostgresConnection
    ) async throws -> [LedgerEntry] {
        try await settle(
            settlements.map { HoldSettlement(batch: $0.batch, charged: $0.charged, carried: $0.carried) },
            account: account, campaign: campaign, request: nil, on: connection)
    }

    /// Gives back whole holds, uncharged: one entry with the total. All or nothing.
    ///
    /// - Returns: the credits released; 0 for no batches and for a test account, which writes no entry
    /// - Throws: ``LedgerError/holdNotFound(batch:)``, `.holdAlreadyResolved`, `.invalidKey`, `.idempotencyConflict`,
    ///   `.accountNotFound`; `PostgresError`
    @discardableResult
    package func release(
        account: AccountID, campaign: CampaignID, batches: [Int32], key: String? = nil,
        on connection: PostgresConnection
    ) async throws -> Int64 {
        guard !batches.isEmpty, !account.isTest else { return 0 }
        let batches = try distinct(batches)
        let request = try LedgerRequest(key: key, kind: .release) { fields in
            fields.append(campaign.rawValue)
            for batch in batches.sorted() { fields.append(Int64(batch)) }
        }
        var (locked, prior) = try await locked(
            account, campaign: campaign, batches: batches, request: request, on: connection)
        if let prior { return prior.amount }
        var resolved: [ResolvedHold] = []
        var total: Int64 = 0
        for batch in batches {
            let amount = try locked.openHold(batch).amount
            resolved.append(ResolvedHold(batch: batch, charged: 0, released: amount, carried: 0))
            total += amount
        }
        try locked.add(
            .release, amount: total, heldBy: -total, campaign: campaign, request: request, chain: chain)
        try await write(locked, campaign: campaign, resolved: resolved, on: connection)
        return total
    }

    private func settle(
        _ settlements: [HoldSettlement], account: AccountID, campaign: CampaignID, request: LedgerRequest?,
        on connection: PostgresConnection
    ) async throws -> [LedgerEntry] {
        guard !settlements.isEmpty, !account.isTest else { return [] }
        // Several settlements may carry credits to the same new hold.
        let opened = try merged(settlements.flatMap(\.carried))
        let batches = try distinct(settlements.map(\.batch) + opened.map(\.batch))
        var (locked, prior) = try await locked(
            account, campaign: campaign, batches: batches, request: request, on: connection)
        if let prior { return [prior] }
        var resolved: [ResolvedHold] = []
        for settlement in settlements {
            resolved.append(try resolve(settlement, campaign: campaign, request: request, of: &locked))
        }
        if let existing = opened.first(where: { locked.holds[$0.batch] != nil }) {
            throw LedgerError.holdExists(batch: existing.batch)
        }
        try await write(locked, campaign: campaign, resolved: resolved, opened: opened, on: connection)
        return locked.newEntries
    }

    private func resolve(
        _ settlement: HoldSettlement, campaign: CampaignID, request: LedgerRequest?, of locked: inout LockedAccount
    ) throws(LedgerError) -> ResolvedHold {
        let amount = try locked.openHold(settlement.batch).amount
        guard let carried = settlement.carriedTotal, (0...amount).contains(settlement.charged),
            carried <= amount - settlement.charged
        else { throw .invalidAmount }
        let hold = ResolvedHold(
            batch: settlement.batch, charged: settlement.charged, released: amount - settlement.charged - carried,
            carried: carried)
        try locked.add(
            .settle, amount: hold.charged, postedBy: -hold.charged, heldBy: -(hold.charged + hold.released),
            campaign: campaign, batch: settlement.batch, request: request, chain: chain)
        return hold
    }

    /// One hold a batch, in order of their first mention.
    private func merged(
        _ carried: [(batch: Int32, amount: Int64)]
    ) throws(LedgerError) -> [(batch: Int32, amount: Int64)] {
        var amounts: [Int32: [Int64]] = [:]
        var order: [Int32] = []
        for hold in carried {
            if amounts[hold.batch] == nil { order.append(hold.batch) }
            amounts[hold.batch, default: []].append(hold.amount)
        }
        var holds: [(batch: Int32, amount: Int64)] = []
        for batch in order {
            guard let amount = amounts[batch]?.sumOfCredits else { throw .invalidAmount }
            holds.append((batch, amount))
        }
        return holds
    }

    /// - Throws: ``LedgerError/holdExists(batch:)`` where one request names a batch twice.
    private func distinct(_ batches: [Int32]) throws(LedgerError) -> [Int32] {
        var seen: Set<Int32> = []
        for batch in batches where !seen.insert(batch).inserted { throw .holdExists(batch: batch) }
        return batches
    }
}
