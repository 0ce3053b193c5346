import MailTypes

/// Checks the changes of one account's limit, fed in order of their numbers.
struct LimitAudit: Sendable {
    private let account: AccountID
    private let chain: EntryChain
    private var last: LimitChange?
    /// Of the last change that the ledger was asked for, or that of the opening.
    private var ordered: Int64 = 0

    init(account: AccountID, chain: EntryChain) {
        self.account = account
        self.chain = chain
    }

    var count: Int64 { last?.number ?? 0 }
    var link: [UInt8] { last?.link ?? [] }

    mutating func read(_ change: LimitChange, into result: inout LedgerVerification) {
        func report(_ problem: String) {
            result.report("account \(account), change \(change.number) of its limit: \(problem)")
        }
        if change.number != count &+ 1 { report("changes \(count &+ 1) to \(change.number &- 1) are missing") }
        if let value = change.chain, value != chain.value(of: change, after: link) {
            report("the chain value is wrong")
        }
        if change.chain != nil || change.number == 1 { ordered = change.limit }
        last = change
    }

    /// - Parameter limit: of the account's row
    func close(against limit: Int64, into result: inout LedgerVerification) {
        func report(_ problem: String) { result.report("account \(account): \(problem)") }
        guard let last else { return report("nothing tells of its limit, which is \(limit)") }
        if limit != last.limit { report("the limit is \(limit), its last change says \(last.limit)") }
        if last.chain == nil, last.number > 1 {
            report("somebody has changed the limit from \(ordered) to \(last.limit) in the table")
        }
    }
}
