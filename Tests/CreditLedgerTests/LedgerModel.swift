import CreditLedger
import MailTypes

/// What the ledger should do, written as simply as possible and without looking at how it does it.
struct LedgerModel {
    struct Hold: Hashable {
        var amount: Int64
        var charged: Int64 = 0
        var released: Int64 = 0
        var isOpen = true
    }

    struct HoldName: Hashable {
        let campaign: Int64
        let batch: Int32
    }

    enum Operation: Hashable {
        case grant(Int64, key: String)
        case reserve(campaign: Int64, [HoldAmount], key: String?)
        case settle(campaign: Int64, batch: Int32, charged: Int64, carried: [HoldAmount], key: String?)
        case release(campaign: Int64, [Int32], key: String?)

        var key: String? {
            switch self {
            case .grant(_, let key): key
            case .reserve(_, _, let key), .settle(_, _, _, _, let key), .release(_, _, let key): key
            }
        }
    }

    struct HoldAmount: Hashable {
        let batch: Int32
        let amount: Int64
    }

    var posted: Int64 = 0
    let limit: Int64
    var holds: [HoldName: Hold] = [:]
    var answered: [String: Operation] = [:]

    var held: Int64 { holds.values.filter(\.isOpen).map(\.amount).reduce(0, +) }
    var available: Int64 { posted - held + limit }

    /// Carries out the operation.
    ///
    /// - Returns: false for a repetition of an answered request, which does nothing
    mutating func apply(_ operation: Operation) throws(LedgerError) -> Bool {
        if let key = operation.key, let earlier = answered[key] {
            guard earlier == operation else { throw .idempotencyConflict }
            return false
        }
        switch operation {
        case .grant(let amount, _):
            guard amount > 0 else { throw .invalidAmount }
            posted += amount
        case .reserve(let campaign, let amounts, _):
            for hold in amounts.sorted(by: { $0.batch < $1.batch })
            where holds[HoldName(campaign: campaign, batch: hold.batch)] != nil {
                throw .holdExists(batch: hold.batch)
            }
            let total = amounts.map(\.amount).reduce(0, +)
            guard total <= available else {
                throw .insufficientCredits(missing: total - available, available: available)
            }
            open(amounts, campaign)
        case .settle(let campaign, let batch, let charged, let carried, _):
            let name = HoldName(campaign: campaign, batch: batch)
            guard let hold = holds[name] else { throw .holdNotFound(batch: batch) }
            guard hold.isOpen else { throw .holdAlreadyResolved(batch: batch) }
            let rest = hold.amount - charged - carried.map(\.amount).reduce(0, +)
            guard rest >= 0 else { throw .invalidAmount }
            for new in carried where holds[HoldName(campaign: campaign, batch: new.batch)] != nil {
                throw .holdExists(batch: new.batch)
            }
            holds[name] = Hold(amount: hold.amount, charged: charged, released: rest, isOpen: false)
            posted -= charged
            open(carried, campaign)
        case .release(let campaign, let batches, _):
            for batch in batches {
                guard let hold = holds[HoldName(campaign: campaign, batch: batch)] else {
                    throw .holdNotFound(batch: batch)
                }
                guard hold.isOpen else { throw .holdAlreadyResolved(batch: batch) }
            }
            for batch in batches {
                let name = HoldName(campaign: campaign, batch: batch)
                let amount = holds[name]?.amount ?? 0
                holds[name] = Hold(amount: amount, released: amount, isOpen: false)
            }
        }
        if let key = operation.key { answered[key] = operation }
        return true
    }

    func credits(_ campaign: Int64) -> CampaignCredits {
        let own = holds.filter { $0.key.campaign == campaign }.values
        return CampaignCredits(
            held: own.filter(\.isOpen).map(\.amount).reduce(0, +), charged: own.map(\.charged).reduce(0, +),
            released: own.map(\.released).reduce(0, +))
    }

    private mutating func open(_ amounts: [HoldAmount], _ campaign: Int64) {
        for hold in amounts { holds[HoldName(campaign: campaign, batch: hold.batch)] = Hold(amount: hold.amount) }
    }
}
