import SMTPTransport
import TrafficShaping

/// What a lane keeps to: all that changes when the rules are read anew.
struct LaneRules: Sendable {
    let provider: Provider
    let limits: LaneLimits
    /// The rate that all nodes keep together; nil where there is none.
    private(set) var siteRate: SiteRate?

    init(provider: Provider, limits: LaneLimits, siteRate: SiteRate?) {
        self.provider = provider
        self.limits = limits
        self.siteRate = siteRate
    }

    /// The tokens at hand stay while the rate does.
    init(_ new: LaneRules, after old: LaneRules) {
        self = new
        if new.limits.rate == old.limits.rate { siteRate = old.siteRate }
    }
}

extension PoolLimits {
    init(_ limits: LaneLimits, _ policy: GovernorPolicy) {
        self.init(
            maximumConnections: limits.connections, maximumMessagesPerConnection: limits.messagesPerConnection,
            idleTimeout: .milliseconds(Int64(limits.idleSeconds * 1_000)),
            // Over before the first probe, which would meet the old failure otherwise.
            failureBackoff: .milliseconds(Int64(min(10, policy.firstPauseSeconds / 2) * 1_000)))
    }
}
