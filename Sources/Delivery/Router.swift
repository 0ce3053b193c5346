import Campaigns
import DNSResolution
import Logging
import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import Synchronization
import TLSPolicies
import TrafficShaping

/// Finds the lane that leads to a domain: the fixed route, or the site behind its MX records. Domains with the same mail
/// hosts share a lane.
final class Router: Sendable {
    /// Why there is no lane to a domain.
    struct Failure: Error {
        let isPermanent: Bool
        let reason: String
        /// RFC 3463: 5.1.2 bad destination system, 5.1.10 null MX (RFC 7505), 4.4.3 directory failure, 5.4.4 no route.
        let enhanced: EnhancedStatusCode?
    }

    private struct KnownLane {
        let lane: Lane
        let source: MailSource?
        let targets: Set<SMTPTarget>
        var askedFor: ContinuousClock.Instant
    }

    private let lanes = Mutex<[String: KnownLane]>([:])
    /// Taken alone or inside the lock of the lanes.
    private let providers: Mutex<ProviderRules>
    private let fleet: FleetState
    private let leaseTokens: SiteRate.Lease
    let budget: ConnectionBudget
    private let orders = Mutex(MailOrders())
    let traces = SMTPTraceHub()
    private let configuration: DeliveryConfiguration
    private let resolver: Resolver?
    private let tlsPolicies: TLSPolicyResolver?
    private let ownAddresses: Set<IPAddress>
    private let fixedAddresses: [IPAddress]
    private let group: any EventLoopGroup
    private let logger: Logger

    /// - Parameters:
    ///   - tlsPolicies: what receivers publish of their TLS; without it TLS is used where it is offered.
    ///   - ownAddresses: of this machine, where no mail is sent to.
    ///   - fixedAddresses: addresses of the route's host, resolved once by the caller; empty without a route.
    init(
        configuration: DeliveryConfiguration, fleet: FleetState = FleetState(),
        leaseTokens: @escaping SiteRate.Lease = { _, _, wanted in wanted }, resolver: Resolver?,
        tlsPolicies: TLSPolicyResolver? = nil,
        ownAddresses: Set<IPAddress> = [], fixedAddresses: [IPAddress],
        group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.fleet = fleet
        self.leaseTokens = leaseTokens
        budget = ConnectionBudget(configuration.connections)
        providers = Mutex(configuration.providers)
        self.resolver = resolver
        self.tlsPolicies = tlsPolicies
        self.ownAddresses = ownAddresses
        self.fixedAddresses = fixedAddresses
        self.group = group
        self.logger = logger
    }

    /// Where mail to a domain goes.
    struct Site: Sendable {
        let name: String
        let provider: Provider
        let targets: [SMTPTarget]
    }

    func site(of domain: DomainName) async throws(Failure) -> Site {
        if let route = configuration.route {
            let targets = fixedAddresses.map { SMTPTarget(host: route.host, address: $0, port: route.port) }
            return Site(name: "route", provider: provider(of: route), targets: targets)
        }
        let hosts = try withoutOurselves(try await mailHosts(of: domain))
        let policy = await tlsPolicies?.policy(
            for: domain, hosts: hosts, minimum: configuration.tlsRequirement, port: configuration.smtpPort)
        let targets = try allowedTargets(hosts, policy)
        // Domains of one site that demand different things of it must not share connections.
        let demands = policy.map(\.laneKey) ?? ""
        let names = hosts.map(\.name).sorted().joined(separator: ",") + (demands.isEmpty ? "" : " (\(demands))")
        // Hosts in order of preference decide, and a domain may belong to a provider by its own name.
        let provider = providers.withLock { $0.provider(forMX: hosts.map(\.name), domain: domain.text) }
        return Site(name: provider.name + " " + names, provider: provider, targets: targets)
    }

    /// Mails by the lanes that carry them, and those that no source may send yet.
    struct Distribution: Sendable {
        var lanes: [(lane: Lane, positions: [Int])] = []
        var later: (positions: [Int], seconds: Double) = ([], 0)
    }

    /// Spreads mails to one site over the source addresses of a pool.
    ///
    /// - Parameter pool: of the account; nil for the default one.
    func distribute(_ positions: [Int], to site: Site, pool: String?, sender: any MailSender) -> Distribution {
        guard !configuration.sources.isEmpty else {
            return Distribution(lanes: [(lane(to: site, from: nil, sender: sender), positions)])
        }
        guard let pool = configuration.sources[pool ?? DeliveryConfiguration.defaultPool] else {
            // The operator named a pool that this node does not have; another node may.
            return Distribution(later: (positions, Self.missingPoolSeconds))
        }
        var distribution = Distribution()
        var byAddress: [String: (source: MailSource, positions: [Int])] = [:]
        var generator = SystemRandomNumberGenerator()
        let now = SteadyClock.now
        let wallClock = Sender.wallClock()
        for position in positions {
            let choice = pool.choose(
                onDay: Int(wallClock / 86_400),
                sentToday: { fleet.sentToday(SourceUsage(source: $0.address, provider: site.provider.name)) },
                restsUntil: { restsUntil(site, $0, at: now) }, using: &generator)
            switch choice {
            case .source(let source):
                byAddress[source.address, default: (source, [])].positions.append(position)
                if source.warmUp != nil {
                    fleet.count(SourceUsage(source: source.address, provider: site.provider.name))
                }
            case .laterAt(let time):
                distribution.later.positions.append(position)
                distribution.later.seconds = time - now
            case .laterThanToday:
                distribution.later.positions.append(position)
                distribution.later.seconds = Double(86_400 - wallClock % 86_400)
            }
        }
        distribution.lanes = byAddress.values.map { (lane(to: site, from: $0.source, sender: sender), $0.positions) }
        return distribution
    }

    private static let missingPoolSeconds = 60.0

    private func restsUntil(_ site: Site, _ source: MailSource, at now: SteadySeconds) -> SteadySeconds? {
        lanes.withLock { $0[Self.laneName(site, source)]?.lane }?.restsUntil(now)
    }

    private static func laneName(_ site: Site, _ source: MailSource?) -> String {
        site.name + (source.map { " from " + $0.address } ?? "")
    }

    /// Rules apply to a relay only where they name it.
    private func provider(of route: DeliveryConfiguration.Route) -> Provider {
        let providers = providers.withLock(\.self)
        let found = providers.provider(forMX: [route.host], domain: nil)
        return found.name == providers.fallback.name
            ? .relay(limits: configuration.laneLimits ?? found.limits) : found
    }

    private func mailHosts(of domain: DomainName) async throws(Failure) -> [MailHost] {
        guard let resolver else {
            throw Failure(isPermanent: false, reason: "no resolver", enhanced: EnhancedStatusCode("4.4.3"))
        }
        let route: MailRoute
        do throws(DNSFailure) {
            route = try await resolver.mailRoute(for: domain)
        } catch {
            throw Failure(error)
        }
        switch route {
        case .hosts(let hosts): return hosts
        case .nullMX:
            throw Failure(
                isPermanent: true, reason: "the domain takes no mail (null MX)",
                enhanced: EnhancedStatusCode("5.1.10"))
        }
    }

    /// A host that is this node, and every less preferred one, would send the mail round in circles (RFC 5321 §5.1).
    private func withoutOurselves(_ hosts: [MailHost]) throws(Failure) -> [MailHost] {
        let others = hosts.prefix { host in
            host.name != configuration.heloName.lowercased()
                && (configuration.allowsPrivateDestinations || !host.addresses.contains(where: ownAddresses.contains))
        }
        guard others.isEmpty, !hosts.isEmpty else { return Array(others) }
        throw Failure(
            isPermanent: true, reason: "the domain's mail hosts lead back to this node",
            enhanced: EnhancedStatusCode("5.4.6"))
    }

    /// The very addresses that were checked are the ones connected to, so a second DNS answer cannot slip past.
    private func allowedTargets(
        _ hosts: [MailHost], _ policy: DomainTLSPolicy?
    ) throws(Failure) -> [SMTPTarget] {
        let targets = hosts.flatMap { host in
            host.addresses
                .filter { configuration.allowsPrivateDestinations || $0.isGlobal }
                .map {
                    SMTPTarget(
                        host: host.name, address: $0, port: configuration.smtpPort, tls: policy?[host.name]?.policy)
                }
        }
        guard !targets.isEmpty else {
            throw Failure(
                isPermanent: true, reason: "the mail hosts have no address on the public Internet",
                enhanced: EnhancedStatusCode("5.4.4"))
        }
        return targets
    }

    private func lane(to site: Site, from source: MailSource?, sender: any MailSender) -> Lane {
        let name = Self.laneName(site, source)
        let local = source.flatMap { IPAddress($0.address) }
        // A source reaches the hosts of its own family.
        let reachable = site.targets.filter { local == nil || $0.address.isVersion6 == local?.isVersion6 }
        let targets = reachable.isEmpty ? site.targets : reachable
        return lanes.withLock { lanes in
            // New addresses of a site get a new lane; the old one ends with its queue.
            if let known = lanes[name], known.targets == Set(targets) {
                lanes[name]?.askedFor = .now
                return known.lane
            }
            var client = SMTPClientConfiguration(heloName: source?.heloName ?? configuration.heloName)
            client.localAddress = local
            client.tls = configuration.tls
            client.timeouts = configuration.timeouts
            client.credentials = configuration.route?.credentials
            client.trace = SMTPTrace(hub: traces, lane: name)
            let rules = rules(of: name, from: source, provider: provider(named: site.provider.name) ?? site.provider)
            let pool = SMTPConnectionPool(
                targets: targets, configuration: client,
                limits: PoolLimits(rules.limits), group: group, logger: logger)
            let lane = Lane(
                name: name, source: source?.address ?? "default", rules: rules, policy: configuration.governor,
                pool: pool, budget: budget, fleet: fleet, isShared: source == nil && configuration.route == nil,
                sender: sender)
            _ = lane.obey(order(for: lane))
            lanes[name] = KnownLane(lane: lane, source: source, targets: Set(targets), askedFor: .now)
            return lane
        }
    }

    // MARK: Rules

    /// Applies rules that were read anew: to lanes at once, and to those made from now on. A lane whose provider is gone
    /// ends with its queue under the old rules; new mail of its site goes over a lane of the new provider.
    ///
    /// - Returns: the names of the lanes whose rules have changed.
    func reload(_ rules: ProviderRules) -> [String] {
        lanes.withLock { lanes in
            providers.withLock { $0 = rules }
            return lanes.compactMap { name, known in
                guard let provider = provider(named: known.lane.provider.name) else { return nil }
                return known.lane.follow(self.rules(of: name, from: known.source, provider: provider)) ? name : nil
            }.sorted()
        }
    }

    /// Has lanes, and those made from now on, do as the operator orders.
    ///
    /// - Returns: how many waiting mails were ended, by lane.
    func obey(_ orders: MailOrders) -> [String: Int] {
        self.orders.withLock { $0 = orders }
        return Dictionary(uniqueKeysWithValues: allLanes.map { ($0.name, $0.obey(order(for: $0))) })
    }

    private func order(for lane: Lane) -> LaneOrder? {
        orders.withLock(\.self).order(forLane: lane.name, provider: lane.provider.name, at: SteadyClock.now)
    }

    /// The provider as the rules have it now.
    private func provider(named name: String) -> Provider? {
        if let route = configuration.route { return provider(of: route) }
        return providers.withLock { $0.provider(named: name) }
    }

    private func rules(of lane: String, from source: MailSource?, provider: Provider) -> LaneRules {
        let limits = configuration.laneLimits ?? provider.limits
        return LaneRules(
            provider: provider, limits: limits, siteRate: source == nil ? siteRate(lane, limits) : nil)
    }

    /// A relay's limits are this node's own, and so are those of an address that no other node has; otherwise the limits
    /// of a site hold for all nodes together.
    private func siteRate(_ name: String, _ limits: LaneLimits) -> SiteRate? {
        guard configuration.route == nil, let rate = limits.rate else { return nil }
        return SiteRate(site: name, rate: rate, fleet: fleet, lease: leaseTokens)
    }

    /// Has every lane send back what waits in vain.
    func shed() {
        for known in lanes.withLock({ Array($0.values) }) { known.lane.shed() }
    }

    /// All lanes at one moment.
    var snapshots: [LaneSnapshot] { allLanes.map(\.snapshot) }

    var allLanes: [Lane] { lanes.withLock { Array($0.values) }.map(\.lane) }

    /// Closes lanes unused for some minutes, so that the memory of sites once mailed is given back. The pause also keeps
    /// a lane alive that somebody has just been handed.
    func closeIdleLanes(unusedFor pause: Duration = .seconds(300)) async {
        let idle = lanes.withLock { lanes in
            let idle = lanes.filter { $0.value.lane.isIdle && $0.value.askedFor + pause < .now }
            for site in idle.keys { lanes[site] = nil }
            return idle.values
        }
        for known in idle { await known.lane.shutdown() }
    }

    func shutdown() async {
        let all = lanes.withLock { lanes in
            defer { lanes = [:] }
            return lanes.values
        }
        for known in all { await known.lane.shutdown() }
    }
}

extension Router.Failure {
    init(_ failure: DNSFailure) {
        self.init(
            isPermanent: failure.isPermanent, reason: failure.description,
            enhanced: EnhancedStatusCode(failure.isPermanent ? "5.1.2" : "4.4.3"))
    }
}

extension Router.Failure {
    /// The failure as the report of an attempt that never reached a host.
    var report: DeliveryReport {
        DeliveryReport(
            isPermanent ? .permanent : .temporary, .unreachable, in: .connect, blame: .connection, enhanced: enhanced)
    }
}
