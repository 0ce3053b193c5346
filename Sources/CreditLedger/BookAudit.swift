import MailTypes

/// Recomputes one account's balance from its entries, fed in order of their numbers. Holds no entry longer than it
/// needs to.
struct BookAudit: Sendable {
    private let account: AccountID
    private let chain: EntryChain
    private(set) var entryCount: Int64 = 0
    private(set) var chainHead: [UInt8] = []
    private var postedAfter: Int64 = 0
    private var heldAfter: Int64 = 0
    /// Built from amounts alone, independently of the before and after values.
    private var granted: Int64 = 0
    private var charged: Int64 = 0
    private var refunded: Int64 = 0
    private var reserved: Int64 = 0
    private var freed: Int64 = 0

    init(account: AccountID, chain: EntryChain) {
        self.account = account
        self.chain = chain
    }

    mutating func read(_ entry: LedgerEntry, into result: inout LedgerVerification) {
        func report(_ problem: String) { result.report("account \(account), entry \(entry.number): \(problem)") }
        if entry.number != entryCount &+ 1 { report("entries \(entryCount &+ 1) to \(entry.number &- 1) are missing") }
        if (entry.postedBefore, entry.heldBefore) != (postedAfter, heldAfter) {
            report("the values before differ from the values after the entry before")
        }
        if !Self.adds(entry) { report("the amount does not explain the change of the counters") }
        if chain.value(of: entry, after: chainHead) != entry.chain { report("the chain value is wrong") }
        switch entry.kind {
        case .grant, .adjust: granted &+= entry.amount
        case .reserve: reserved &+= entry.amount
        case .settle:
            charged &+= entry.amount
            freed &+= entry.heldBefore &- entry.heldAfter
        case .release: freed &+= entry.amount
        case .purge: break
        case .refund: refunded &+= entry.amount
        }
        entryCount = entry.number
        chainHead = entry.chain
        postedAfter = entry.postedAfter
        heldAfter = entry.heldAfter
    }

    /// Compares the sums with the account's row.
    ///
    /// - Parameter openHolds: the sum of the account's open holds
    func close(
        against row: LedgerAccount, chainHead head: [UInt8], openHolds: Int64, into result: inout LedgerVerification
    ) {
        func report(_ problem: String) { result.report("account \(account): \(problem)") }
        if row.entryCount != entryCount {
            report("the account counts \(row.entryCount) entries, there are \(entryCount)")
        }
        if head != chainHead { report("the chain head is not the last entry's chain value") }
        let posted = granted &- charged &+ refunded
        if row.balance.posted != posted {
            report("posted is \(row.balance.posted), grants and refunds less charges are \(posted)")
        }
        if row.balance.held != reserved &- freed {
            report("held is \(row.balance.held), reservations less resolutions are \(reserved &- freed)")
        }
        if row.balance.held != openHolds {
            report("held is \(row.balance.held), the open holds sum to \(openHolds)")
        }
        if row.balance.available < 0 { report("more is held and spent than the limit allows") }
    }

    private static let recipientOctets = 16

    private static func adds(_ entry: LedgerEntry) -> Bool {
        let posted = entry.postedAfter &- entry.postedBefore
        let held = entry.heldAfter &- entry.heldBefore
        return switch entry.kind {
        case .grant: entry.amount > 0 && posted == entry.amount && held == 0
        case .adjust: entry.amount != 0 && posted == entry.amount && held == 0
        case .reserve: entry.amount >= 0 && posted == 0 && held == entry.amount
        case .settle: entry.amount >= 0 && posted == 0 &- entry.amount && held <= 0 &- entry.amount
        case .release: entry.amount >= 0 && posted == 0 && held == 0 &- entry.amount
        case .purge: entry.amount == 0 && posted == 0 && held == 0
        case .refund: entry.amount == 1 && posted == 1 && held == 0 && entry.recipient?.count == recipientOctets
        }
    }
}
