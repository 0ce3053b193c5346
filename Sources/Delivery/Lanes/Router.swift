import Campaigns
import DNSResolution
import Foundation
import Logging
import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import Synchronization
import TLSPolicies
import TrafficShaping

/// Finds the lane that leads to a domain: to one of the smarthosts, or to the site behind its MX records. Domains with the
/// same mail hosts share a lane. Smarthosts share the mail by weight, and those that can take over from those that
/// cannot.
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
        var site: Site
        let source: MailSource?
        var targets: Set<SMTPTarget>
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
    private let tlsResults: TLSResults?
    private let ownAddresses: Set<IPAddress>
    /// Each smarthost as it was read last; empty where mail goes to the recipients' own servers. Taken alone or inside the
    /// lock of the lanes.
    private let smarthosts: Mutex<[Site]>
    private let group: any EventLoopGroup
    private let logger: Logger

    /// - Parameters:
    ///   - budget: the connections that the lanes may open together.
    ///   - tlsPolicies: what receivers publish of their TLS; without it TLS is used where it is offered.
    ///   - tlsResults: where sessions are counted; nil to count none.
    ///   - ownAddresses: of this machine, where no mail is sent to.
    init(
        configuration: DeliveryConfiguration, budget: ConnectionBudget, fleet: FleetState = FleetState(),
        leaseTokens: @escaping SiteRate.Lease = { _, _, wanted in wanted }, resolver: Resolver?,
        tlsPolicies: TLSPolicyResolver? = nil, tlsResults: TLSResults? = nil,
        ownAddresses: Set<IPAddress> = [], group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.fleet = fleet
        self.leaseTokens = leaseTokens
        self.budget = budget
        providers = Mutex(configuration.providers)
        self.resolver = resolver
        self.tlsPolicies = tlsPolicies
        self.tlsResults = tlsResults
        self.ownAddresses = ownAddresses
        smarthosts = Mutex(configuration.routes.map { Self.site($0, configuration) })
        self.group = group
        self.logger = logger
    }

    /// Where mail to a domain goes.
    struct Site: Sendable {
        let name: String
        let provider: Provider
        var targets: [SMTPTarget]
        /// What the recipients' domain publishes of it.
        var tlsPolicy: DomainTLSPolicy?
        /// For mails that ask for REQUIRETLS, which only some of the hosts may take.
        var requiresTLS = false
        /// The smarthost; nil for the recipients' own servers.
        var route: DeliveryConfiguration.Route?
    }

    /// Mail to the domain may take any of these; several are smarthosts.
    ///
    /// - Parameter requiresTLS: the mail asks for REQUIRETLS.
    func sites(of domain: DomainName, requiresTLS: Bool) async throws(Failure) -> [Site] {
        let smarthosts = smarthosts.withLock(\.self)
        guard smarthosts.isEmpty else { return smarthosts }
        return [try await site(of: domain, requiresTLS: requiresTLS)]
    }

    /// REQUIRETLS asks for more than every other setting but DANE, which proves both the way and the host.
    static func leastTLS(_ setting: TLSRequirement, requiresTLS: Bool) -> TLSRequirement {
        requiresTLS && setting != .dane ? .requireTLS : setting
    }

    private static func site(
        _ route: DeliveryConfiguration.Route, _ configuration: DeliveryConfiguration
    ) -> Site {
        precondition(!route.addresses.isEmpty, "a route without an address leads nowhere")
        let provider = provider(of: route, configuration.providers, configuration)
        return Site(
            name: configuration.routes.count == 1 ? "route" : "\(provider.name) \(route.name)", provider: provider,
            targets: targets(of: route), route: route)
    }

    fileprivate static func targets(of route: DeliveryConfiguration.Route) -> [SMTPTarget] {
        route.addresses.map { SMTPTarget(host: route.host, address: $0, port: route.port, tls: route.tls) }
    }

    /// Rules apply to a relay only where they name it.
    private static func provider(
        of route: DeliveryConfiguration.Route, _ providers: ProviderRules, _ configuration: DeliveryConfiguration
    ) -> Provider {
        let found = providers.provider(forMX: [route.host], domain: nil)
        return found.name == providers.fallback.name
            ? .relay(limits: configuration.laneLimits ?? found.limits) : found
    }

    private func site(of domain: DomainName, requiresTLS: Bool) async throws(Failure) -> Site {
        let hosts = try withoutOurselves(try await mailHosts(of: domain))
        let policy = await tlsPolicies?.policy(
            for: domain, hosts: hosts, minimum: Self.leastTLS(configuration.tlsRequirement, requiresTLS: requiresTLS),
            port: configuration.smtpPort)
        let targets = try allowedTargets(hosts, policy)
        // Mails that demand different things of one site must not share connections.
        let demands = ([requiresTLS ? "REQUIRETLS" : "", policy?.laneKey ?? ""].filter { !$0.isEmpty })
            .joined(separator: " ")
        let names = hosts.map(\.name).sorted().joined(separator: ",") + (demands.isEmpty ? "" : " (\(demands))")
        // Hosts in order of preference decide, and a domain may belong to a provider by its own name.
        let provider = providers.withLock { $0.provider(forMX: hosts.map(\.name), domain: domain.text) }
        return Site(
            name: provider.name + " " + names, provider: provider, targets: targets, tlsPolicy: policy,
            requiresTLS: requiresTLS)
    }

    /// Where the node's own mail to a domain goes, which no lane carries and no policy of the domain keeps back.
    func targets(of domain: DomainName) async throws(Failure) -> [SMTPTarget] {
        try allowedTargets(try withoutOurselves(try await mailHosts(of: domain)), nil)
    }

    /// Puts mails of one account into lanes, or back into the store where no source may send them yet.
    ///
    /// - Parameter sites: that they may take.
    func enqueue(_ jobs: [Job], to sites: [Site], account: AccountID, sender: any MailSender) {
        guard sites.count > 1 else { return enqueue(jobs, to: sites[0], account, sender) }
        let left = spread(jobs, over: sites, account, sender)
        guard !left.isEmpty else { return }
        // All rest: it waits for the one that is back first.
        let now = SteadyClock.now
        let first = sites.min { opensAt($0, account, now) < opensAt($1, account, now) }
        if let first { enqueue(left, to: first, account, sender) }
    }

    /// Gives mails that wait for one smarthost to others that have not declined them.
    ///
    /// - Returns: those that no other takes at present.
    private func handOver(_ jobs: [Job], from site: String, sender: any MailSender) -> [Job] {
        let smarthosts = smarthosts.withLock(\.self)
        guard smarthosts.count > 1 else { return jobs }
        var byAccount: [AccountID: [Job]] = [:]
        for var job in jobs {
            job.declinedBy.insert(site)
            // The source may be the same at the other.
            job.warmUp?.giveBack()
            byAccount[job.run.batch.id.account, default: []].append(job)
        }
        let left = byAccount.flatMap { spread($1, over: smarthosts, $0, sender) }
        for job in left { job.warmUp?.takeAgain() }
        return left
    }

    /// Spreads mails by weight over the sites that are open, and gives one to each that is to be probed.
    ///
    /// - Returns: those for which there is no site now.
    private func spread(
        _ jobs: [Job], over sites: [Site], _ account: AccountID, _ sender: any MailSender
    ) -> [Job] {
        let now = SteadyClock.now
        let standings = sites.map { readiness($0, account, now) }
        let open = zip(sites, standings).filter { $0.1 == .open }.map(\.0)
        var probes = zip(sites, standings).filter { $0.1 == .wantsProbe }.map(\.0)
        var chosen: [String: (site: Site, jobs: [Job])] = [:]
        var left: [Job] = []
        for var job in jobs {
            let probe = probes.firstIndex { !job.declinedBy.contains($0.name) }
            let site = probe.map { probes.remove(at: $0) } ?? Self.pick(open, for: job)
            guard let site else {
                left.append(job)
                continue
            }
            if !job.declinedBy.isEmpty { job.queuedAt = .now }
            chosen[site.name, default: (site, [])].jobs.append(job)
        }
        for (site, jobs) in chosen.values { enqueue(jobs, to: site, account, sender) }
        return left
    }

    private static func pick(_ sites: [Site], for job: Job) -> Site? {
        let candidates = sites.filter { !job.declinedBy.contains($0.name) }
        guard !candidates.isEmpty else { return nil }
        var ticket = Int.random(in: 0..<candidates.reduce(0) { $0 + ($1.route?.weight ?? 1) })
        return candidates.first { site in
            ticket -= site.route?.weight ?? 1
            return ticket < 0
        }
    }

    /// How the best of the lanes stands that lead an account's mail to a site; one not made yet is open.
    private func readiness(_ site: Site, _ account: AccountID, _ now: SteadySeconds) -> Lane.Readiness {
        let sources: [MailSource?] = pool(of: account)?.sources ?? [nil]
        let names = sources.map { Self.laneName(site, $0) }
        let lanes = lanes.withLock { lanes in names.map { lanes[$0]?.lane } }
        let standings = lanes.map { $0?.readiness(at: now) ?? .open }
        if standings.contains(.open) { return .open }
        if standings.contains(.wantsProbe) { return .wantsProbe }
        let ends = standings.map { if case .rests(let until) = $0 { until } else { now } }
        return .rests(until: ends.min() ?? now)
    }

    private func opensAt(_ site: Site, _ account: AccountID, _ now: SteadySeconds) -> SteadySeconds {
        if case .rests(let until) = readiness(site, account, now) { until } else { now }
    }

    /// The sources of an account's mail; nil where the system picks the address.
    private func pool(of account: AccountID) -> SourcePool? {
        configuration.sources[fleet.shaping(of: account)?.pool ?? DeliveryConfiguration.defaultPool]
    }

    /// Spreads mails to one site over the source addresses of the account's pool.
    private func enqueue(_ jobs: [Job], to site: Site, _ account: AccountID, _ sender: any MailSender) {
        guard !configuration.sources.isEmpty else {
            return lane(to: site, from: nil, sender: sender).enqueue(jobs)
        }
        guard let pool = pool(of: account) else {
            // The operator named a pool that this node does not have; another node may.
            for job in jobs { sender.postpone(job, inSeconds: Self.missingPoolSeconds, awaitsResume: false) }
            return
        }
        var byAddress: [String: (source: MailSource, jobs: [Job])] = [:]
        var generator = SystemRandomNumberGenerator()
        let now = SteadyClock.now
        let wallClock = Sender.wallClock()
        for var job in jobs {
            job.warmUp = nil
            let usage = { SourceUsage(source: $0, provider: site.provider.name) }
            let choice = pool.choose(
                onDay: Int(wallClock / 86_400),
                sentToday: { fleet.sentToday(usage($0.address)) },
                restsUntil: { restsUntil(site, $0, at: now) }, using: &generator)
            switch choice {
            case .source(let source):
                if source.warmUp != nil { job.warmUp = WarmUpPlace(usage(source.address), of: fleet) }
                byAddress[source.address, default: (source, [])].jobs.append(job)
            case .laterAt(let time):
                sender.postpone(job, inSeconds: time - now, awaitsResume: false)
            case .laterThanToday:
                sender.postpone(job, inSeconds: Double(86_400 - wallClock % 86_400), awaitsResume: false)
            }
        }
        for (source, jobs) in byAddress.values { lane(to: site, from: source, sender: sender).enqueue(jobs) }
    }

    private static let missingPoolSeconds = 60.0

    private func restsUntil(_ site: Site, _ source: MailSource, at now: SteadySeconds) -> SteadySeconds? {
        lanes.withLock { $0[Self.laneName(site, source)]?.lane }?.restsUntil(now)
    }

    private static func laneName(_ site: Site, _ source: MailSource?) -> String {
        site.name + (source.map { " from " + $0.address } ?? "")
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
        return lanes.withLock { lanes in
            let site = present(site)
            let targets = Self.targets(of: site, from: source)
            if let known = lanes[name] {
                // The lane keeps its place and what it has learnt; name servers turn their answers round.
                let newTargets = Set(targets)
                if known.targets != newTargets { known.lane.setTargets(targets) }
                lanes[name]?.targets = newTargets
                lanes[name]?.site = site
                lanes[name]?.askedFor = .now
                return known.lane
            }
            var client = client(of: name, to: site, from: source)
            let laneResults = tlsResults.map { LaneTLSResults($0, now: { Date() }) }
            if let laneResults { client.onTLSOutcome = { laneResults.ended($0) } }
            let rules = rules(of: name, to: site, from: source, provider: provider(of: site) ?? site.provider)
            let pool = SMTPConnectionPool(
                targets: targets, configuration: client, limits: PoolLimits(rules.limits, configuration.governor),
                group: group, logger: logger)
            let lane = Lane(
                name: name, source: source?.address ?? "default", rules: rules, policy: configuration.governor,
                pool: pool, budget: budget, fleet: fleet, isShared: source == nil && site.route == nil,
                smarthost: site.route.map { _ in smarthost(site.name, sender) },
                needsLogin: site.route?.credentials != nil, tlsResults: laneResults, sender: sender, logger: logger)
            _ = lane.obey(order(for: lane))
            lanes[name] = KnownLane(lane: lane, site: site, source: source, targets: Set(targets), askedFor: .now)
            return lane
        }
    }

    /// Smarthosts may have been read anew since the caller asked for them.
    private func present(_ site: Site) -> Site {
        guard site.route != nil else { return site }
        return smarthosts.withLock { $0.first { $0.name == site.name } } ?? site
    }

    /// A source reaches the hosts of its own family.
    private static func targets(of site: Site, from source: MailSource?) -> [SMTPTarget] {
        guard let local = source.flatMap({ IPAddress($0.address) }) else { return site.targets }
        let reachable = site.targets.filter { $0.address.isVersion6 == local.isVersion6 }
        return reachable.isEmpty ? site.targets : reachable
    }

    private func client(of lane: String, to site: Site, from source: MailSource?) -> SMTPClientConfiguration {
        var client = SMTPClientConfiguration(heloName: source?.heloName ?? configuration.heloName)
        client.localAddress = source.flatMap { IPAddress($0.address) }
        client.tls = configuration.tls
        client.requiresTLS = site.requiresTLS
        client.trustRootsFile = configuration.trustRootsFile
        client.timeouts = configuration.timeouts
        client.credentials = site.route?.credentials
        client.startsWithTLS = site.route?.startsWithTLS ?? false
        client.trace = SMTPTrace(hub: traces, lane: lane)
        return client
    }

    // MARK: Smarthosts

    /// The names of the smarthosts, such as `smtp.example.net:587`.
    var routeNames: Set<String> { Set(smarthosts.withLock { $0.compactMap(\.route?.name) }) }

    /// Applies smarthosts that were read anew, at once and to lanes still to be made. Lanes at work connect in the new way
    /// from now on, and keep what they have learnt of the site.
    ///
    /// - Parameter routes: with the names that there are, and with their addresses.
    /// - Returns: the names of those that differ from before.
    func reload(_ routes: [DeliveryConfiguration.Route]) -> [String] {
        let routes = Dictionary(routes.map { ($0.name, $0) }) { $1 }
        return lanes.withLock { lanes in
            let (before, after) = smarthosts.withLock { sites in
                let before = sites
                sites = sites.map { $0.following($0.route.flatMap { routes[$0.name] }) }
                return (before, sites)
            }
            for (name, known) in lanes {
                guard let site = after.first(where: { $0.name == known.site.name }) else { continue }
                follow(site, in: &lanes[name, default: known], name)
            }
            return zip(before, after).filter { $0.route != $1.route }.compactMap { $1.route?.name }
        }
    }

    private func follow(_ site: Site, in known: inout KnownLane, _ name: String) {
        guard let old = known.site.route, let new = site.route, old != new else { return }
        let targets = Self.targets(of: site, from: known.source)
        known.site = site
        known.targets = Set(targets)
        let provider = provider(of: site) ?? site.provider
        _ = known.lane.follow(rules(of: name, to: site, from: known.source, provider: provider))
        guard !new.connectsLike(old) else { return }
        known.lane.reconnect(
            to: targets, client(of: name, to: site, from: known.source), needsLogin: new.credentials != nil)
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
                guard let provider = provider(of: known.site) else { return nil }
                let rules = self.rules(of: name, to: known.site, from: known.source, provider: provider)
                return known.lane.follow(rules) ? name : nil
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

    /// The site's provider as the rules have it now; nil where they no longer name it.
    private func provider(of site: Site) -> Provider? {
        providers.withLock { providers in
            if let route = site.route { return Self.provider(of: route, providers, configuration) }
            return providers.provider(named: site.provider.name)
        }
    }

    private func rules(of lane: String, to site: Site, from source: MailSource?, provider: Provider) -> LaneRules {
        var limits = configuration.laneLimits ?? provider.limits
        limits.connections = site.route?.connections ?? limits.connections
        return LaneRules(
            provider: provider, limits: limits,
            siteRate: source == nil && site.route == nil ? siteRate(lane, limits) : nil)
    }

    /// A relay's limits are this node's own, and so are those of an address that no other node has; otherwise the limits
    /// of a site hold for all nodes together.
    private func siteRate(_ name: String, _ limits: LaneLimits) -> SiteRate? {
        guard let rate = limits.rate else { return nil }
        return SiteRate(site: name, rate: rate, fleet: fleet, lease: leaseTokens)
    }

    private func smarthost(_ site: String, _ sender: any MailSender) -> Lane.Smarthost {
        Lane.Smarthost { [weak self] in self?.handOver($0, from: site, sender: sender) ?? $0 }
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

extension Router.Site {
    /// The same smarthost as it was read anew.
    fileprivate func following(_ new: DeliveryConfiguration.Route?) -> Self {
        guard var new, let route else { return self }
        // Name servers turn their answers round.
        if Set(new.addresses) == Set(route.addresses) { new.addresses = route.addresses }
        var site = self
        site.route = new
        site.targets = Router.targets(of: new)
        return site
    }
}

extension DeliveryConfiguration.Route {
    /// Whether connections are made in the same way; shares and limits may differ.
    fileprivate func connectsLike(_ other: Self) -> Bool {
        var alike = self
        (alike.weight, alike.connections) = (other.weight, other.connections)
        return alike == other
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
