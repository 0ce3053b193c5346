import DNSResolution
import MailTypes
import SMTPProtocol
import SMTPTransport
import TLSPolicies
import TrafficShaping

/// Finds the site behind a domain's MX records: its hosts without this machine, their allowed addresses, and what is
/// demanded of the way there. Domains with the same mail hosts share a site.
struct DestinationResolver: Sendable {
    let resolver: DNSResolution.Resolver?
    /// What receivers publish of their TLS; without it TLS is used where it is offered.
    let tlsPolicies: TLSPolicyResolver?
    let rules: ShapingRules
    /// Of this machine, where no mail is sent to.
    let ownAddresses: Set<IPAddress>
    /// The least protection of mail to recipients' own servers.
    let tlsRequirement: TLSRequirement
    let port: Int
    /// Lifts the guard against loopback, private and other non-global addresses.
    let allowsPrivate: Bool

    init(
        _ configuration: DeliveryConfiguration, rules: ShapingRules, resolver: DNSResolution.Resolver?,
        tlsPolicies: TLSPolicyResolver? = nil, ownAddresses: Set<IPAddress> = []
    ) {
        self.resolver = resolver
        self.tlsPolicies = tlsPolicies
        self.rules = rules
        self.ownAddresses = ownAddresses
        tlsRequirement = configuration.tlsRequirement
        port = configuration.smtpPort
        allowsPrivate = configuration.allowsPrivateDestinations
    }

    /// - Parameters:
    ///   - requiresTLS: the mail asks for REQUIRETLS.
    ///   - rule: of the domain.
    func destination(
        of domain: DomainName, requiresTLS: Bool, rule: DomainRules.Rule? = nil
    ) async throws(RoutingFailure) -> Destination {
        let hosts = try await hosts(of: domain)
        let policy = await policies(rule)?.policy(
            for: domain, hosts: hosts,
            minimum: Self.leastTLS(rule?.tls ?? tlsRequirement, requiresTLS: requiresTLS), port: port)
        let family = rule?.family ?? .any
        let targets = try targets(of: hosts, policy, family)
        let provider = rules.provider(ofHosts: hosts.map(\.name), domain: domain.text)
        let demands = [
            requiresTLS ? "REQUIRETLS" : "", policy?.laneKey ?? "", family == .any ? "" : family.rawValue,
        ].filter { !$0.isEmpty }
        return Destination(
            id: LaneID(provider: provider.name, hosts: hosts.map(\.name).sorted(), demands: demands),
            provider: provider, targets: targets, tlsPolicy: policy, requiresTLS: requiresTLS)
    }

    /// Where the node's own mail to a domain goes, which no lane carries and no policy of the domain keeps back.
    func targets(of domain: DomainName) async throws(RoutingFailure) -> [SMTPTarget] {
        try targets(of: try await hosts(of: domain), nil)
    }

    /// A rule's demand holds also where nothing is asked of what receivers publish.
    private func policies(_ rule: DomainRules.Rule?) -> TLSPolicyResolver? {
        tlsPolicies ?? (rule?.tls == nil ? nil : TLSPolicyResolver(tlsa: nil, policies: nil))
    }

    private func hosts(of domain: DomainName) async throws(RoutingFailure) -> [MailHost] {
        let hosts = try await mailHosts(of: domain)
        return allowsPrivate ? hosts : try Self.withoutOurselves(hosts, ownAddresses)
    }

    private func mailHosts(of domain: DomainName) async throws(RoutingFailure) -> [MailHost] {
        guard let resolver else {
            throw RoutingFailure(isPermanent: false, reason: "no resolver", enhanced: EnhancedStatusCode("4.4.3"))
        }
        let route: MailRoute
        do throws(DNSFailure) {
            route = try await resolver.mailRoute(for: domain)
        } catch {
            throw RoutingFailure(error)
        }
        switch route {
        case .hosts(let hosts): return hosts
        case .nullMX:
            throw RoutingFailure(
                isPermanent: true, reason: "the domain takes no mail (null MX)",
                enhanced: EnhancedStatusCode("5.1.10"))
        }
    }

    /// The very addresses that were checked are the ones connected to, so a second DNS answer cannot slip past.
    private func targets(
        of hosts: [MailHost], _ policy: DomainTLSPolicy?, _ family: AddressFamily = .any
    ) throws(RoutingFailure) -> [SMTPTarget] {
        let allowed = hosts.map { host in (host, host.addresses.filter { allowsPrivate || $0.isGlobal }) }
        guard allowed.contains(where: { !$0.1.isEmpty }) else {
            throw RoutingFailure(
                isPermanent: true, reason: "the mail hosts have no address on the public Internet",
                enhanced: EnhancedStatusCode("5.4.4"))
        }
        let targets = allowed.flatMap { host, addresses in
            family.choice(of: addresses).map {
                SMTPTarget(
                    host: host.name, address: $0, port: port, preference: host.preference,
                    tls: policy?[host.name]?.policy)
            }
        }
        guard !targets.isEmpty else {
            // The operator's own rule, which is no reason to bounce.
            throw RoutingFailure(
                isPermanent: false, reason: "the mail hosts have no \(family.name) address, which the rule demands",
                enhanced: EnhancedStatusCode("4.4.4"))
        }
        return targets
    }

    // MARK: Decisions

    /// A host that is this machine, those of the same preference and every less preferred one would send the mail round
    /// in circles (RFC 5321 §5.1). Addresses decide: this machine takes no mail, so a host of its name is another.
    static func withoutOurselves(
        _ hosts: [MailHost], _ ownAddresses: Set<IPAddress>
    ) throws(RoutingFailure) -> [MailHost] {
        let ours = hosts.filter { $0.addresses.contains(where: ownAddresses.contains) }.map(\.preference).min()
        guard let ours else { return hosts }
        let others = hosts.filter { $0.preference < ours }
        guard others.isEmpty else { return others }
        throw RoutingFailure(
            isPermanent: true, reason: "the domain's mail hosts lead back to this node",
            enhanced: EnhancedStatusCode("5.4.6"))
    }

    /// REQUIRETLS asks for more than every other setting but DANE, which proves both the way and the host.
    static func leastTLS(_ setting: TLSRequirement, requiresTLS: Bool) -> TLSRequirement {
        requiresTLS && setting != .dane ? .requireTLS : setting
    }
}

extension RoutingFailure {
    init(_ failure: DNSFailure) {
        self.init(
            isPermanent: failure.isPermanent, reason: failure.description,
            enhanced: EnhancedStatusCode(failure.isPermanent ? "5.1.2" : "4.4.3"))
    }

    /// The failure as the report of an attempt that never reached a host.
    var report: DeliveryReport {
        DeliveryReport(
            isPermanent ? .permanent : .temporary, .unreachable, in: .connect, blame: .connection, enhanced: enhanced)
    }
}
