import Fleet
import Synchronization
import TrafficShaping

/// The gates of a node: one for each source at each provider whose limits hold for all its sites together.
final class ProviderGates: Sendable {
    private struct Key: Hashable {
        let provider: String
        let source: String?
    }

    private let gates = Mutex<[Key: ProviderGate]>([:])
    private let policy: GovernorPolicy
    private let fleet: FleetState
    private let leaseTokens: SiteRate.Lease
    private let clock: DeliveryClock

    init(
        policy: GovernorPolicy, fleet: FleetState, leaseTokens: @escaping SiteRate.Lease, clock: DeliveryClock
    ) {
        self.policy = policy
        self.fleet = fleet
        self.leaseTokens = leaseTokens
        self.clock = clock
    }

    /// The gate of a provider from a source; nil where limits hold for each site by itself.
    @Sendable func gate(_ provider: Provider, _ source: String?) -> ProviderGate? {
        guard provider.scope == .provider else { return nil }
        let key = Key(provider: provider.name, source: source)
        let isShared = source == nil
        return gates.withLock { gates in
            if let known = gates[key] { return known }
            let rate = isShared ? provider.limits.rate.map { siteRate(provider.name, $0) } : nil
            let gate = ProviderGate(
                limits: provider.limits, policy: policy, rate: rate, isShared: isShared, fleet: fleet, clock: clock)
            gates[key] = gate
            return gate
        }
    }

    private func siteRate(_ provider: String, _ rate: MessageRate) -> SiteRate {
        SiteRate(site: "provider \(provider)", rate: rate, fleet: fleet, clock: clock, lease: leaseTokens)
    }

    /// Rules were read anew: gates follow at once, and keep what they have learnt.
    func follow(_ rules: ProviderRules) {
        for (key, gate) in gates.withLock(\.self) {
            guard let provider = rules.provider(named: key.provider) else { continue }
            let rate = key.source == nil ? provider.limits.rate : nil
            gate.follow(
                provider.limits,
                rate.map { siteRate(key.provider, $0) })
        }
    }

    /// An operator ends the rests of a provider, from all sources.
    func resume(_ provider: String) {
        for (key, gate) in gates.withLock(\.self) where key.provider == provider { gate.resume() }
    }

    // MARK: Nodes

    /// Rests that this node's own mail has led to.
    var ownRests: [ProviderRest] {
        gates.withLock(\.self).compactMap { key, gate in
            gate.ownRest.map {
                ProviderRest(
                    provider: key.provider, source: key.source ?? "", secondsLeft: $0.seconds,
                    code: $0.reason.reply?.code ?? 0, enhanced: $0.reason.reply?.enhanced)
            }
        }
    }

    /// Rests that any node has been led to.
    func hear(_ rests: [ProviderRest]) {
        let gates = gates.withLock(\.self)
        for rest in rests {
            let key = Key(provider: rest.provider, source: rest.source.isEmpty ? nil : rest.source)
            gates[key]?.hear(restFor: rest.secondsLeft, .reply(code: rest.code, rest.enhanced))
        }
    }
}
