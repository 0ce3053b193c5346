import MailTypes
import Postgres

/// An account whose row this transaction has locked, and the entries it is about to add: arithmetic and chain, no I/O.
struct LockedAccount: Sendable {
    struct Hold: Sendable, Hashable {
        let amount: Int64
        let isOpen: Bool
    }

    let id: AccountID
    let limit: Int64
    /// The database's time after the lock was granted.
    let readAt: PostgresTimestamp
    /// Entries that the books already have.
    let entryCountBefore: Int64
    /// The existing holds among the batches that were asked for.
    let holds: [Int32: Hold]
    private(set) var posted: Int64
    private(set) var held: Int64
    private(set) var chainHead: [UInt8]
    private(set) var newEntries: [LedgerEntry] = []

    init(
        id: AccountID, posted: Int64, held: Int64, limit: Int64, entryCount: Int64, chainHead: [UInt8],
        readAt: PostgresTimestamp, holds: [Int32: Hold] = [:]
    ) {
        self.id = id
        self.posted = posted
        self.held = held
        self.limit = limit
        entryCountBefore = entryCount
        self.chainHead = chainHead
        self.readAt = readAt
        self.holds = holds
    }

    var entryCount: Int64 { entryCountBefore + Int64(newEntries.count) }
    var balance: CreditBalance { CreditBalance(posted: posted, held: held, limit: limit) }

    /// The open hold of a batch.
    func openHold(_ batch: Int32) throws(LedgerError) -> Hold {
        guard let hold = holds[batch] else { throw .holdNotFound(batch: batch) }
        guard hold.isOpen else { throw .holdAlreadyResolved(batch: batch) }
        return hold
    }

    /// Adds an entry that moves the counters by the given credits.
    ///
    /// Nothing has changed when it throws.
    ///
    /// - Throws: ``LedgerError/overflow`` or, where less would be left than the limit allows,
    ///   ``LedgerError/insufficientCredits(missing:available:)``.
    @discardableResult
    mutating func add(
        _ kind: LedgerEntry.Kind, amount: Int64, postedBy postedChange: Int64 = 0, heldBy heldChange: Int64 = 0,
        campaign: CampaignID? = nil, batch: Int32? = nil, request: LedgerRequest? = nil, digest: [UInt8]? = nil,
        recipient: [UInt8]? = nil, memo: String = "", chain: EntryChain
    ) throws(LedgerError) -> LedgerEntry {
        let bounds = -LedgerLimits.maximumCredits...LedgerLimits.maximumCredits
        guard bounds.contains(postedChange), bounds.contains(heldChange), bounds.contains(posted + postedChange),
            (0...LedgerLimits.maximumCredits).contains(held + heldChange)
        else { throw .overflow }
        let after = CreditBalance(posted: posted + postedChange, held: held + heldChange, limit: limit)
        guard after.available >= 0 else {
            throw .insufficientCredits(missing: -after.available, available: balance.available)
        }
        let unchained = LedgerEntry(
            account: id, number: entryCount + 1, kind: kind, campaign: campaign, batch: batch, amount: amount,
            postedBefore: posted, postedAfter: after.posted, heldBefore: held, heldAfter: after.held,
            idempotencyKey: request?.key, requestHash: request?.hash, digest: digest, recipient: recipient, memo: memo,
            createdAt: readAt, chain: [])
        let entry = unchained.chained(chain.value(of: unchained, after: chainHead))
        posted = after.posted
        held = after.held
        chainHead = entry.chain
        newEntries.append(entry)
        return entry
    }
}

extension LedgerEntry {
    /// The entry with its chain value, which is no part of what the value is computed over.
    fileprivate func chained(_ chain: [UInt8]) -> LedgerEntry {
        LedgerEntry(
            account: account, number: number, kind: kind, campaign: campaign, batch: batch, amount: amount,
            postedBefore: postedBefore, postedAfter: postedAfter, heldBefore: heldBefore, heldAfter: heldAfter,
            idempotencyKey: idempotencyKey, requestHash: requestHash, digest: digest, recipient: recipient,
            memo: memo, createdAt: createdAt, chain: chain)
    }
}
