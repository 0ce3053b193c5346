import Campaigns
import MailTypes
import TrafficShaping

/// The operator's orders as a node last read them.
struct ActiveOrders: Sendable {
    let all: [OperatorOrder]
    private let accounts: Set<AccountID>
    private let campaigns: [AccountID: Set<CampaignID>]

    /// Accounts of which nothing, or nothing more, is claimed.
    let stoppedAccounts: Set<AccountID>

    init(_ orders: [OperatorOrder] = []) {
        all = orders
        var stopped: Set<AccountID> = []
        var accounts: Set<AccountID> = []
        var campaigns: [AccountID: Set<CampaignID>] = [:]
        for order in orders {
            switch order.target {
            case .lanes: break
            case .account(let account):
                stopped.insert(account)
                if order.action == .suspend { accounts.insert(account) }
            case .campaign(let account, let campaign):
                if order.action == .suspend { campaigns[account, default: []].insert(campaign) }
            }
        }
        stoppedAccounts = stopped
        self.accounts = accounts
        self.campaigns = campaigns
    }

    /// Whether mail of the batch may start no more. Of an expired campaign there is only the end to record.
    func suspend(_ batch: ClaimedBatch, at now: Int64) -> Bool {
        guard batch.work != .cancelling, !batch.isExpired, now < batch.campaignExpiresAt else { return false }
        return names(batch.id)
    }

    /// Whether an order stops the batch's account or campaign.
    func names(_ id: BatchID) -> Bool {
        accounts.contains(id.account) || campaigns[id.account]?.contains(id.campaign) == true
    }

    /// Those that a node which knew `before` has not obeyed yet.
    func new(since before: ActiveOrders) -> [OperatorOrder] {
        // The seconds left differ with each reading.
        func key(_ order: OperatorOrder) -> OperatorOrder {
            OperatorOrder(target: order.target, action: order.action, reason: order.reason, givenAt: order.givenAt)
        }
        let known = Set(before.all.map(key))
        return all.filter { !known.contains(key($0)) }
    }

    /// What a lane has to do: the strictest of the orders that name it, nil where it goes by itself.
    func order(for lane: LaneID, at now: SteadySeconds) -> LaneOrder? {
        all.compactMap { order -> LaneOrder? in
            guard case .lanes(let pattern) = order.target, lane.matches(pattern),
                let action = LaneOrder.Action(order.action)
            else { return nil }
            return LaneOrder(
                action: action, reason: order.reason, givenAt: order.givenAt, until: order.secondsLeft.map { now + $0 })
        }.max { $0.action < $1.action }
    }
}

extension LaneOrder.Action {
    /// Nil for what is no lasting order.
    init?(_ action: OperatorOrder.Action) {
        switch action {
        case .drain: self = .drain
        case .suspend: self = .suspend
        case .fail: self = .fail
        case .resume: return nil
        }
    }

    /// How a lane under this order is listed.
    var state: String {
        switch self {
        case .drain: "draining"
        case .suspend: "suspended"
        case .fail: "failing"
        }
    }
}
