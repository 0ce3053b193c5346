import SMTPTransport
import TrafficShaping

/// What a lane keeps to: all that changes when the rules are read anew.
final class LaneRules: Sendable {
    let provider: Provider
    let limits: LaneLimits
    /// The rate that all nodes keep together; nil where there is none.
    let siteRate: SiteRate?
    /// What all lanes of the provider keep together; nil where there is nothing.
    let providerGate: (any LaneGate)?
    /// Asked besides the lane's own governor.
    let gates: [any LaneGate]

    init(provider: Provider, limits: LaneLimits, siteRate: SiteRate?, providerGate: (any LaneGate)?) {
        self.provider = provider
        self.limits = limits
        self.siteRate = siteRate
        self.providerGate = providerGate
        gates = [providerGate, siteRate].compactMap(\.self)
    }

    /// The tokens at hand stay while the rate does.
    func following(_ old: LaneRules) -> LaneRules {
        let siteRate = limits.rate == old.limits.rate ? old.siteRate : siteRate
        return LaneRules(provider: provider, limits: limits, siteRate: siteRate, providerGate: providerGate)
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
