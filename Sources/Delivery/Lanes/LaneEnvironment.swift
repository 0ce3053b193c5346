import Logging
import NIOCore
import TrafficShaping

/// What all lanes of a node share.
final class LaneEnvironment: Sendable {
    let policy: GovernorPolicy
    /// The connections that the lanes may open together.
    let budget: ConnectionBudget
    let ahead: MailsAhead
    let fleet: FleetState
    let sender: any MailSender
    let group: any EventLoopGroup
    let clock: DeliveryClock
    let logger: Logger
    let workers = LaneWorkers()

    init(
        policy: GovernorPolicy, budget: ConnectionBudget, ahead: MailsAhead = MailsAhead(), fleet: FleetState,
        sender: any MailSender, group: any EventLoopGroup, clock: DeliveryClock, logger: Logger
    ) {
        self.policy = policy
        self.budget = budget
        self.ahead = ahead
        self.fleet = fleet
        self.sender = sender
        self.group = group
        self.clock = clock
        self.logger = logger
    }
}
