import Synchronization
import TrafficShaping

/// The rules of providers as they were read last.
final class ShapingRules: Sendable {
    private let providers: Mutex<ProviderRules>
    private let configured: LaneLimits?
    private let smarthosts: LaneLimits?

    /// - Parameters:
    ///   - configured: limits of every lane, in tests; nil where those of providers apply.
    ///   - smarthosts: limits of each smarthost; nil for those above.
    init(_ providers: ProviderRules, configured: LaneLimits?, smarthosts: LaneLimits? = nil) {
        self.providers = Mutex(providers)
        self.configured = configured
        self.smarthosts = smarthosts ?? configured
    }

    func replace(by new: ProviderRules) { providers.withLock { $0 = new } }

    /// Hosts in order of preference decide, and a domain may belong to a provider by its own name.
    func provider(ofHosts hosts: [String], domain: String) -> Provider {
        providers.withLock { $0.provider(forMX: hosts, domain: domain) }
    }

    /// Rules apply to a relay only where they name it.
    func provider(of smarthost: Smarthost) -> Provider {
        providers.withLock { providers in
            let found = providers.provider(forMX: [smarthost.host], domain: nil)
            return found.name == providers.fallback.name ? .relay(limits: smarthosts ?? found.limits) : found
        }
    }

    /// The destination's provider as the rules have it now; nil where they no longer name it.
    func provider(of destination: Destination) -> Provider? {
        if let smarthost = destination.smarthost { return provider(of: smarthost) }
        return providers.withLock { $0.provider(named: destination.provider.name) }
    }

    func limits(to destination: Destination, under provider: Provider) -> LaneLimits {
        guard let smarthost = destination.smarthost else { return configured ?? provider.limits }
        var limits = smarthosts ?? provider.limits
        limits.connections = smarthost.connections ?? limits.connections
        return limits
    }
}
