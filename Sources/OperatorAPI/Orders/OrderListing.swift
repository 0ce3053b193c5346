package import Campaigns
package import Foundation
package import MailTypes

/// What operators have ordered for accounts and campaigns, as the commands show it that list them.
package struct OrderListing: Sendable {
    package struct Order: Sendable, Hashable, Encodable {
        /// `campaign`, or `account` where all mail of the account is meant.
        package let kind: String
        /// `suspend` or `drain`
        package let action: String
        package let reason: String
        /// RFC 3339; nil where it stands until it is lifted.
        package let endsAt: String?

        /// For a table: `suspended until 2026-11-21T12:00:00Z`.
        package var text: String {
            (OperatorOrder.Action(rawValue: action)?.state ?? action) + (endsAt.map { " until " + $0 } ?? "")
        }
    }

    private let orders: [OperatorOrder.Target: Order]

    /// - Parameter now: when the orders were read.
    package init(_ orders: [OperatorOrder], now: Date = Date()) {
        let found = orders.compactMap { order -> (OperatorOrder.Target, Order)? in
            let kind: String
            switch order.target {
            case .lanes: return nil
            case .account: kind = "account"
            case .campaign: kind = "campaign"
            }
            return (
                order.target,
                Order(
                    kind: kind, action: order.action.rawValue, reason: order.reason,
                    endsAt: order.secondsLeft.map { now.addingTimeInterval($0).formatted(.iso8601) })
            )
        }
        self.orders = Dictionary(found) { $1 }
    }

    package func order(for account: AccountID) -> Order? { orders[.account(account)] }

    /// The stricter of the campaign's own and its account's; nil for a campaign that has ended.
    package func order(for campaign: Campaign, of account: AccountID) -> Order? {
        guard !campaign.state.isFinal else { return nil }
        let own = orders[.campaign(account, campaign.id)]
        guard let whole = order(for: account) else { return own }
        guard let own else { return whole }
        return own.action == OperatorOrder.Action.drain.rawValue && whole.action != own.action ? whole : own
    }
}
