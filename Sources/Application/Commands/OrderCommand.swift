import Campaigns
import OperatorAPI

/// A command that orders how the mail of an account or a campaign is treated, on all nodes.
protocol OrderCommand: RecordsCommand {
    associatedtype Target: OrderTarget
    static var action: OperatorOrder.Action { get }
    var target: Target { get }
    var order: OrderOptions { get }
}

/// Whose mail is meant.
protocol OrderTarget {
    var ordered: OperatorOrder.Target { get }
}

extension OrderCommand {
    func run(_ records: Records) async throws {
        try await records.steering.order(Self.action, target.ordered, seconds: order.seconds, reason: order.reason)
        StandardOutput.print(Self.action.state)
    }
}

extension Records {
    var steering: Steering { Steering(campaigns: campaigns, delivery: delivery) }
}
