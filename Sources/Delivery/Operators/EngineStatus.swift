import Campaigns
package import MailSigning
import MailTypes
import TrafficShaping

/// A node at one moment, for operators.
package struct EngineStatus: Sendable, Codable {
    package let node: String
    package let uptimeSeconds: Double
    package let isDraining: Bool
    package let counts: DeliveryCounts
    package let signing: SigningStatus
    package let activeBatches: Int
    /// Mails of these batches that have not started.
    package let waitingMessages: Int
    package let connections: Int
    package let connectionLimit: Int
    package let lanes: [LaneReport]
    /// Those that have mail here, or are stopped by order.
    package let accounts: [AccountReport]
    /// What operators have ordered, anywhere.
    package let orders: [OrderReport]
    /// Campaigns whose mail this node saw refused for its sender in the last minutes, the latest first.
    package let blocks: [CampaignBlockReport]
}

/// A campaign whose mail was refused for its sender.
package struct CampaignBlockReport: Sendable, Codable, Hashable {
    package let account: Int64
    package let campaign: String
    /// The last one, without addresses.
    package let reply: String
    /// Attempts that this node saw refused.
    package let count: Int
    package let secondsAgo: Double

    package init(account: Int64, campaign: String, reply: String, count: Int, secondsAgo: Double) {
        self.account = account
        self.campaign = campaign
        self.reply = reply
        self.count = count
        self.secondsAgo = secondsAgo
    }
}

/// An operator's order that stands.
package struct OrderReport: Sendable, Codable, Hashable {
    /// `lane`, `account` or `campaign`
    package let kind: String
    /// What it names: the lane's name, the account's number, the campaign's id.
    package let name: String
    /// `suspend`, `drain` or `fail`
    package let action: String
    package let reason: String
    /// Nil until it is lifted.
    package let endsInSeconds: Double?

    package init(kind: String, name: String, action: String, reason: String, endsInSeconds: Double? = nil) {
        self.kind = kind
        self.name = name
        self.action = action
        self.reason = reason
        self.endsInSeconds = endsInSeconds
    }
}

/// A lane at one moment.
package struct LaneReport: Sendable, Codable, Hashable {
    package struct Refusal: Sendable, Codable, Hashable {
        package let code: Int
        package let enhanced: String?
        package let secondsAgo: Double

        package init(code: Int, enhanced: String?, secondsAgo: Double) {
            self.code = code
            self.enhanced = enhanced
            self.secondsAgo = secondsAgo
        }
    }

    package let name: String
    /// Names of its mail hosts, a smarthost with its port; and what mail demands of them.
    package let site: String
    package let provider: String
    /// What it sends from.
    package let source: String
    /// `open`, `slowed`, `backing_off` or `probing` by its own doing; `suspended`, `draining` or `failing` by order
    package let state: String
    /// Why it is not open.
    package let reason: String?
    /// The smarthost refuses our login, or wants one.
    package let isLoginFailing: Bool
    /// When that ends by itself.
    package let endsInSeconds: Double?
    package let queued: Int
    package let connections: Int
    /// As many as the lane may have at present.
    package let connectionLimit: Int
    package let perSecond: Double
    /// Nil without a limit.
    package let rateLimit: Double?
    package let accepted: Int
    package let deferred: Int
    package let bounced: Int
    /// Connections that failed, or broke without an answer.
    package let broken: Int
    package let lastRefusal: Refusal?

    package init(
        name: String, site: String, provider: String, source: String = "default", state: String = "open",
        reason: String? = nil, isLoginFailing: Bool = false, endsInSeconds: Double? = nil, queued: Int = 0,
        connections: Int = 0,
        connectionLimit: Int = 0, perSecond: Double = 0, rateLimit: Double? = nil, accepted: Int = 0,
        deferred: Int = 0, bounced: Int = 0, broken: Int = 0, lastRefusal: Refusal? = nil
    ) {
        self.name = name
        self.site = site
        self.provider = provider
        self.source = source
        self.state = state
        self.reason = reason
        self.isLoginFailing = isLoginFailing
        self.endsInSeconds = endsInSeconds
        self.queued = queued
        self.connections = connections
        self.connectionLimit = connectionLimit
        self.perSecond = perSecond
        self.rateLimit = rateLimit
        self.accepted = accepted
        self.deferred = deferred
        self.bounced = bounced
        self.broken = broken
        self.lastRefusal = lastRefusal
    }

    /// Mails that the site has answered.
    package var answered: Int { accepted + deferred + bounced }
}

/// An account's mail on a node at one moment.
package struct AccountReport: Sendable, Codable, Hashable {
    package let account: Int64
    package let isStopped: Bool
    package let batches: Int
    package let waiting: Int
    package let counts: AccountCounts

    package init(account: Int64, isStopped: Bool, batches: Int, waiting: Int, counts: AccountCounts) {
        self.account = account
        self.isStopped = isStopped
        self.batches = batches
        self.waiting = waiting
        self.counts = counts
    }
}

extension LaneReport {
    init(_ lane: LaneSnapshot) {
        var (state, reason, until) = lane.state.condition.report
        if let order = lane.order { (state, reason, until) = (order.action.state, order.reason, order.until) }
        self.init(
            name: lane.id.description, site: lane.id.site, provider: lane.id.provider,
            source: lane.id.source ?? "default", state: state, reason: reason,
            isLoginFailing: lane.state.condition.isLoginFailing, endsInSeconds: until.map { max(0, $0 - lane.at) },
            queued: lane.queued, connections: lane.connections, connectionLimit: lane.state.connections,
            perSecond: lane.perSecond, rateLimit: lane.state.ratePerSecond, accepted: lane.counts.accepted,
            deferred: lane.counts.deferred, bounced: lane.counts.bounced, broken: lane.counts.broken,
            lastRefusal: lane.counts.lastRefusal.map {
                Refusal(code: $0.code, enhanced: $0.enhanced?.description, secondsAgo: max(0, lane.at - $0.at))
            })
    }
}

extension OrderReport {
    /// Nil for what is no lasting order.
    init?(_ order: OperatorOrder) {
        guard order.action != .resume else { return nil }
        let (kind, name) =
            switch order.target {
            case .lanes(let name): ("lane", name)
            case .account(let account): ("account", "\(account)")
            case .campaign(_, let campaign): ("campaign", "\(campaign)")
            }
        self.init(
            kind: kind, name: name, action: order.action.rawValue, reason: order.reason,
            endsInSeconds: order.secondsLeft)
    }
}

extension LaneState.Condition {
    fileprivate var isLoginFailing: Bool {
        switch self {
        case .backingOff(_, .login), .probing(.login): true
        default: false
        }
    }

    fileprivate var report: (state: String, reason: String?, until: SteadySeconds?) {
        switch self {
        case .open: ("open", nil, nil)
        case .slowed: ("slowed", nil, nil)
        case .backingOff(let until, let reason): ("backing_off", reason.description, until)
        case .probing(let reason): ("probing", reason.description, nil)
        case .suspended(let until, let reason): ("suspended", reason, until)
        }
    }
}
