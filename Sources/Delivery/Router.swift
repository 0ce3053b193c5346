import DNSResolution
import Logging
import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import Synchronization
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
        let targets: Set<SMTPTarget>
        var askedFor: ContinuousClock.Instant
    }

    private let lanes = Mutex<[String: KnownLane]>([:])
    let budget: ConnectionBudget
    let holds = LaneHolds()
    let traces = SMTPTraceHub()
    private let configuration: DeliveryConfiguration
    private let resolver: Resolver?
    private let fixedAddresses: [IPAddress]
    private let group: any EventLoopGroup
    private let logger: Logger

    /// - Parameter fixedAddresses: addresses of the route's host, resolved once by the caller; empty without a route.
    init(
        configuration: DeliveryConfiguration, resolver: Resolver?, fixedAddresses: [IPAddress],
        group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        budget = ConnectionBudget(configuration.connections)
        self.resolver = resolver
        self.fixedAddresses = fixedAddresses
        self.group = group
        self.logger = logger
    }

    func lane(to domain: DomainName, sender: any MailSender) async throws(Failure) -> Lane {
        if let route = configuration.route {
            let targets = fixedAddresses.map { SMTPTarget(host: route.host, address: $0, port: route.port) }
            return lane("route", provider: provider(of: route), targets: targets, sender: sender)
        }
        let hosts = try await mailHosts(of: domain)
        let targets = try allowedTargets(hosts)
        let site = hosts.map(\.name).sorted().joined(separator: ",")
        // Hosts in order of preference decide, and a domain may belong to a provider by its own name.
        let provider = configuration.providers.provider(forMX: hosts.map(\.name), domain: domain.text)
        return lane(site, provider: provider, targets: targets, sender: sender)
    }

    /// Rules apply to a relay only where they name it.
    private func provider(of route: DeliveryConfiguration.Route) -> Provider {
        let found = configuration.providers.provider(forMX: [route.host], domain: nil)
        return found.name == configuration.providers.fallback.name
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

    /// The very addresses that were checked are the ones connected to, so a second DNS answer cannot slip past.
    private func allowedTargets(_ hosts: [MailHost]) throws(Failure) -> [SMTPTarget] {
        let targets = hosts.flatMap { host in
            host.addresses
                .filter { configuration.allowsPrivateDestinations || $0.isGlobal }
                .map { SMTPTarget(host: host.name, address: $0, port: configuration.smtpPort) }
        }
        guard !targets.isEmpty else {
            throw Failure(
                isPermanent: true, reason: "the mail hosts have no address on the public Internet",
                enhanced: EnhancedStatusCode("5.4.4"))
        }
        return targets
    }

    private func lane(
        _ site: String, provider: Provider, targets: [SMTPTarget], sender: any MailSender
    ) -> Lane {
        let name = provider.name + " " + site
        return lanes.withLock { lanes in
            // New addresses of a site get a new lane; the old one ends with its queue.
            if let known = lanes[name], known.targets == Set(targets) {
                lanes[name]?.askedFor = .now
                return known.lane
            }
            var client = SMTPClientConfiguration(heloName: configuration.heloName)
            client.tls = configuration.tls
            client.timeouts = configuration.timeouts
            client.credentials = configuration.route?.credentials
            client.trace = SMTPTrace(hub: traces, lane: name)
            let limits = configuration.laneLimits ?? provider.limits
            let pool = SMTPConnectionPool(
                targets: targets, configuration: client,
                limits: PoolLimits(
                    maximumConnections: limits.connections,
                    maximumMessagesPerConnection: limits.messagesPerConnection,
                    idleTimeout: .milliseconds(Int64(limits.idleSeconds * 1_000))),
                group: group, logger: logger)
            let lane = Lane(
                name: name, provider: provider, limits: limits, policy: configuration.governor, pool: pool,
                budget: budget, sender: sender)
            holds.apply(to: lane)
            lanes[name] = KnownLane(lane: lane, targets: Set(targets), askedFor: .now)
            return lane
        }
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
