import Campaigns
import Foundation
import HTTPAPI
import MailTypes

/// What operators have ordered for accounts and campaigns, as the commands show it that list them.
struct OrderListing: Sendable {
    struct Order: Sendable, Hashable, Encodable {
        /// `campaign`, or `account` where all mail of the account is meant.
        let kind: String
        /// `suspend` or `drain`
        let action: String
        let reason: String
        /// RFC 3339; nil where it stands until it is lifted.
        let endsAt: String?

        /// For a table: `suspended until 2026-11-21T12:00:00Z`.
        var text: String {
            (action == OperatorOrder.Action.suspend.rawValue ? "suspended" : "draining")
                + (endsAt.map { " until " + $0 } ?? "")
        }

        /// `null` where there is no order.
        static func json(_ order: Order?) -> String {
            guard let order else { return "null" }
            var json = JSONText()
            json.beginObject()
            json.member("kind", order.kind)
            json.member("action", order.action)
            json.member("reason", order.reason)
            json.member("ends_at", order.endsAt)
            json.endObject()
            return json.text
        }
    }

    private let orders: [OperatorOrder.Target: Order]

    /// - Parameter now: when the orders were read.
    init(_ orders: [OperatorOrder], now: Date = Date()) {
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

    func order(for account: AccountID) -> Order? { orders[.account(account)] }

    /// The stricter of the campaign's own and its account's; nil for a campaign that has ended.
    func order(for campaign: Campaign, of account: AccountID) -> Order? {
        guard !campaign.state.isFinal else { return nil }
        let own = orders[.campaign(account, campaign.id)]
        guard let whole = order(for: account) else { return own }
        guard let own else { return whole }
        return own.action == OperatorOrder.Action.drain.rawValue && whole.action != own.action ? whole : own
    }
}
