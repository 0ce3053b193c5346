import Campaigns
import Foundation
import MailTypes
import OperatorAPI
import Testing

struct OrderListingTests {
    private static let account = AccountID(rawValue: 7)
    private static let now = Date(timeIntervalSince1970: 1_795_000_000)

    @Test func `an order is told with its end`() throws {
        let listing = OrderListing(
            [OperatorOrder(target: .account(Self.account), action: .suspend, reason: "unpaid", secondsLeft: 90)],
            now: Self.now)
        let order = try #require(listing.order(for: Self.account))
        #expect((order.kind, order.action, order.reason) == ("account", "suspend", "unpaid"))
        #expect(order.text == "suspended until 2026-11-18T11:08:10Z")
    }

    @Test func `an order without an end, and none`() {
        let orders = [
            OperatorOrder(target: .account(Self.account), action: .drain, reason: ""),
            OperatorOrder(target: .lanes("gmail"), action: .suspend, reason: ""),
        ]
        let listing = OrderListing(orders, now: Self.now)
        #expect(listing.order(for: Self.account)?.text == "draining")
        #expect(listing.order(for: AccountID(rawValue: 8)) == nil)
    }
}
