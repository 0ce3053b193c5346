import Campaigns
import DNSResolution
import Feedback
import Foundation
import MailTypes
import NIOPosix
import SMTPProtocol
import SMTPTransport
import TLSPolicies
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// What an operator says of mail to single domains: which rule holds, and that it is kept from the name server to the
/// mail host.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DomainRuleTests {
    private typealias Rule = DomainRules.Rule

    private static func rules(_ rules: [Rule]) -> DomainRules {
        var all = DomainRules()
        for rule in rules {
            let isNew = all.add(rule)
            #expect(isNew, "\(rule.pattern)")
        }
        return all
    }

    private static func rule(
        _ pattern: String, via: DomainRules.Way = .usual, tls: TLSRequirement? = nil, family: AddressFamily = .any
    ) throws -> Rule {
        Rule(try DomainPattern(pattern), way: via, tls: tls, family: family)
    }

    // MARK: Which rule

    @Test(arguments: [
        ("example.com", "example.com"), ("a.example.com", "*.example.com"), ("b.a.example.com", "*.a.example.com"),
        ("c.b.a.example.com", "*.a.example.com"), ("a.a.example.com", "a.a.example.com"),
        ("notexample.com", "*.com"), ("example.org", "*"), ("münchen.example.net", "*.example.net"),
        ("straße.example.net", "xn--strae-oqa.example.net"), ("com.example.de", "*"),
    ])
    func `the rule of the domain, or of the longest name that it lies below`(_ domain: String, _ pattern: String) throws
    {
        let rules = Self.rules(
            try [
                "Example.COM", "*.example.com", ".a.example.com", "a.a.example.com", "*.com", "*", "*.example.net",
                "straße.example.net",
            ].map { try Self.rule($0) })
        #expect(rules.rule(for: try DomainName(domain))?.pattern.description == pattern)
    }

    @Test func `a domain without a rule has none, and a pattern has one`() throws {
        var rules = Self.rules([try Self.rule("*.example.com"), try Self.rule("example.org")])
        #expect(rules.rule(for: try DomainName("example.com")) == nil)
        #expect(rules.rule(for: try DomainName("a.example.org")) == nil)
        let isNew = rules.add(try Self.rule(".EXAMPLE.com", via: .direct))
        #expect(!isNew)
        #expect(rules.rule(for: try DomainName("a.example.com"))?.way == .usual)
        for text in ["", "*.", ".", "**.example.com", "*x.example.com", "a.*.example.com", "example", "[192.0.2.1]"] {
            #expect(throws: AddressError.self, "\(text)") { try DomainPattern(text) }
        }
    }

    @Test(arguments: [
        (AddressFamily.any, ["2001:db8::1", "192.0.2.1", "2001:db8::2"]), (.ipv4, ["192.0.2.1"]),
        (.ipv6, ["2001:db8::1", "2001:db8::2"]), (.ipv4First, ["192.0.2.1", "2001:db8::1", "2001:db8::2"]),
        (.ipv6First, ["2001:db8::1", "2001:db8::2", "192.0.2.1"]),
    ])
    func `a family chooses and orders addresses`(_ family: AddressFamily, _ chosen: [String]) {
        let all = ["2001:db8::1", "192.0.2.1", "2001:db8::2"].compactMap { IPAddress($0) }
        #expect(family.choice(of: all).map(\.description) == chosen)
    }

    // MARK: Smarthosts

    private static func smarthost(_ host: String, onlyNamed: Bool = false) -> Smarthost {
        var smarthost = Smarthost(host: host, port: 25)
        smarthost.isOnlyNamed = onlyNamed
        return smarthost
    }

    @Test func `the smarthosts of a domain are its own, and only those stand in for each other`() throws {
        let rules = Self.rules([
            try Self.rule("a.example", via: .smarthosts(["192.0.2.3:25", "192.0.2.1:25"])),
            try Self.rule("b.example", via: .smarthosts(["192.0.2.4:25"])),
            try Self.rule("c.example", via: .direct), try Self.rule("d.example", tls: .verified),
        ])
        let hosts = [
            Self.smarthost("192.0.2.1"), Self.smarthost("192.0.2.2"), Self.smarthost("192.0.2.3", onlyNamed: true),
            Self.smarthost("192.0.2.4", onlyNamed: true),
        ]
        let smarthosts = Smarthosts(hosts, domains: rules, rules: ShapingRules(.builtIn, configured: nil))
        func way(_ domain: String) throws -> [String] {
            smarthosts.way(of: try DomainName(domain)).smarthosts.compactMap(\.smarthost?.host)
        }
        #expect(try way("other.example") == ["192.0.2.1", "192.0.2.2"])
        #expect(try way("a.example") == ["192.0.2.1", "192.0.2.3"])
        #expect(try way("b.example") == ["192.0.2.4"])
        #expect(try way("c.example") == [])
        #expect(try way("d.example") == ["192.0.2.1", "192.0.2.2"])
        func others(_ index: Int) -> [String] {
            let destination = Destination(hosts[index], .relay(limits: LaneLimits()))
            // Provider and place make the name of the lane.
            let known = smarthosts.way(of: domain(of: index)).smarthosts.first { $0.smarthost == hosts[index] }
            return smarthosts.others(than: known ?? destination).compactMap(\.smarthost?.host)
        }
        func domain(of index: Int) -> DomainName {
            (try? DomainName(["x.example", "x.example", "a.example", "b.example"][index])) ?? fallback
        }
        let fallback = try DomainName("x.example")
        #expect(others(0) == ["192.0.2.2", "192.0.2.3"])
        #expect(others(1) == ["192.0.2.1"])
        #expect(others(2) == ["192.0.2.1"])
        #expect(others(3) == [])
        #expect(smarthosts.usualNames == ["192.0.2.1:25", "192.0.2.2:25"])
    }

    // MARK: From end to end

    /// `plain` takes mail without TLS, `secure` under a certificate that nobody vouches for, `six` has an
    /// IPv6 address where nobody listens.
    private static let zone = """
        plain MX 10 mx.plain
        mx.plain A 127.0.0.20
        one MX 10 mx.plain
        two MX 10 mx.plain
        secure MX 10 mx.secure
        mx.secure A 127.0.0.21
        strict MX 10 mx.secure
        both MX 10 mx.both
        mx.both A 127.0.0.20
        mx.both AAAA ::1
        four MX 10 mx.both
        six MX 10 mx.both
        nosix MX 10 mx.plain
        relayed MX 10 mx.plain
        deep.relayed MX 10 mx.plain
        """

    private struct Hosts {
        let plain = MailServer()
        let relay = MailServer()
        let other = MailServer()
        let secure: MailServer

        func run(_ body: (_ port: Int) async throws -> Void) async throws {
            let port = try Socket.freePort()
            try await plain.run(on: "127.0.0.20", port: port) { _ in
                try await secure.run(on: "127.0.0.21", port: port) { _ in
                    try await relay.run(on: "127.0.0.22", port: port) { _ in
                        try await other.run(on: "127.0.0.23", port: port) { _ in try await body(port) }
                    }
                }
            }
        }
    }

    private static func identity() throws -> TLSIdentity {
        try TLSIdentity(try TestAuthority.selfSigned(["nobody.invalid"]))
    }

    private func withEngine(
        _ fixture: DeliveryFixture, port: Int, _ rules: DomainRules, _ smarthosts: [Smarthost] = [],
        _ body: (DeliveryEngine) async throws -> Void
    ) async throws {
        let program = try #require(NameServer.program)
        let dns = try NameServer(program, zone: Self.zone)
        defer { dns.stop() }
        let resolver = try DNSResolution.Resolver(
            ResolverConfiguration(forwarders: [dns.server], timeout: .seconds(60)))
        let policies = TLSPolicyResolver(resolver: resolver, usesDANE: false, policies: nil)
        let providers = try ProviderRules(
            operatorFile: "providers:\n  plain:\n    mx: [mx.plain.example]\n", named: "shaping.yaml")
        let engine = fixture.engine(port: port, resolver: resolver, tlsPolicies: policies) { configuration in
            configuration.smarthosts = smarthosts
            configuration.domains = rules
            configuration.smtpPort = port
            configuration.allowsPrivateDestinations = true
            configuration.providers = providers
            // One attempt each.
            configuration.retry = RetrySchedule(baseSeconds: 3_600, maximumSeconds: 3_600)
        }
        try await RunningEngine.with(engine) { _ in try await body(engine) }
    }

    private func mail(_ fixture: DeliveryFixture, _ domains: [String], delivered: Int) async throws {
        let campaign = try await fixture.send(0, batchSize: 100, to: domains.map { "r@\($0).example" })
        try await eventually("each has gone or waits") {
            let counters = try await fixture.counters(campaign)
            return counters.delivered + counters.deferred + counters.bounced == domains.count
        }
        #expect(try await fixture.counters(campaign).delivered == delivered)
        #expect(try await fixture.counters(campaign).bounced == 0)
    }

    private static func recipients(_ server: MailServer) -> Set<String> { Set(server.copies.keys) }

    @Test func `TLS and address family hold for the domain, also where it shares its hosts`() async throws {
        guard NameServer.program != nil else { return print("skipped: nsd is not installed") }
        let fixture = try await DeliveryFixture.make()
        let hosts = Hosts(secure: MailServer(identity: try Self.identity()))
        let rules = Self.rules([
            try Self.rule("one.example", tls: .encrypted), try Self.rule("two.example", tls: .dane),
            try Self.rule("strict.example", tls: .verified), try Self.rule("four.example", family: .ipv4),
            try Self.rule("six.example", family: .ipv6), try Self.rule("nosix.example", family: .ipv6),
            try Self.rule("both.example", family: .ipv6First),
        ])
        try await hosts.run { port in
            try await withEngine(fixture, port: port, rules) { engine in
                try await mail(
                    fixture, ["plain", "one", "two", "secure", "strict", "four", "six", "nosix", "both"],
                    delivered: 4)
                let sites = engine.status.lanes.map(\.site)
                for site in [
                    "mx.plain.example", "mx.plain.example (mx.plain.example=encrypted)", "mx.both.example (ipv4)",
                    "mx.both.example (ipv6)", "mx.both.example (ipv6_first)", "mx.secure.example",
                    "mx.secure.example (mx.secure.example=verified)",
                ] {
                    #expect(sites.contains(site), "\(site) of \(sites)")
                }
            }
        }
        // Nobody listens at the IPv6 address: what goes there first goes to IPv4 then, and what is for IPv6 alone waits.
        #expect(Self.recipients(hosts.plain) == ["r@plain.example", "r@four.example", "r@both.example"])
        #expect(Self.recipients(hosts.secure) == ["r@secure.example"])
        #expect(hosts.secure.mails.map(\.wasEncrypted) == [true])
    }

    @Test func `named domains go by their smarthosts, the others to their own hosts, and a reload changes that`()
        async throws
    {
        guard NameServer.program != nil else { return print("skipped: nsd is not installed") }
        let fixture = try await DeliveryFixture.make()
        let hosts = Hosts(secure: MailServer(identity: try Self.identity()))
        try await hosts.run { port in
            func named(_ host: String) -> Smarthost {
                var smarthost = Smarthost(host: host, port: port)
                smarthost.isOnlyNamed = true
                return smarthost
            }
            let (relay, other) = (named("127.0.0.22"), named("127.0.0.23"))
            let by: (Smarthost) -> DomainRules.Way = { .smarthosts([$0.name]) }
            let rules = Self.rules([
                try Self.rule("relayed.example", via: by(relay)), try Self.rule("*.relayed.example", via: by(other)),
            ])
            try await withEngine(fixture, port: port, rules, [relay, other]) { engine in
                try await mail(fixture, ["plain", "relayed", "deep.relayed"], delivered: 3)
                #expect(Self.recipients(hosts.plain) == ["r@plain.example"])
                #expect(Self.recipients(hosts.relay) == ["r@relayed.example"])
                #expect(Self.recipients(hosts.other) == ["r@deep.relayed.example"])
                // Of mail that goes by a smarthost nobody knows who has the mailbox.
                try await eventually("what went to a host of the domain is counted there") {
                    let found = try await fixture.store.mailboxProviders(hours: 24)
                    return found.map(\.provider) == ["plain"] && found.map(\.counts) == [.init(delivered: 1)]
                }
                // What takes all mail cannot come while the node runs; what is named can come and go.
                await #expect(throws: RoutesNeedRestart.self) {
                    try await engine.reload(smarthosts: [Smarthost(host: "127.0.0.23", port: port)])
                }
                let turned = Self.rules([
                    try Self.rule("plain.example", via: by(other)), try Self.rule("relayed.example", via: .direct),
                ])
                #expect(try await engine.reload(smarthosts: [other], domains: turned) == [])
                try await mail(fixture, ["plain", "relayed", "deep.relayed"], delivered: 3)
            }
        }
        #expect(hosts.plain.copies["r@relayed.example"] == 1 && hosts.plain.copies["r@deep.relayed.example"] == 1)
        #expect(hosts.other.copies["r@plain.example"] == 1)
        #expect(Self.recipients(hosts.relay) == ["r@relayed.example"])
    }

    @Test func `what one named smarthost cannot take goes by another of the domain, never by others`() async throws {
        let fixture = try await DeliveryFixture.make()
        let hosts = Hosts(secure: MailServer())
        try await hosts.run { port in
            var usual = Smarthost(host: "127.0.0.20", port: port)
            usual.weight = 1_000
            var dead = Smarthost(host: "127.0.0.24", port: port)
            dead.weight = 1_000
            dead.isOnlyNamed = true
            var relay = Smarthost(host: "127.0.0.22", port: port)
            relay.isOnlyNamed = true
            let rules = Self.rules([
                try Self.rule("*.named.example", via: .smarthosts([dead.name, relay.name]))
            ])
            let engine = fixture.engine(port: port) { configuration in
                configuration.smarthosts = [usual, dead, relay]
                configuration.domains = rules
            }
            let running = RunningEngine(engine)
            let named = (0..<20).map { "r@d\($0).named.example" }
            let campaign = try await fixture.send(0, batchSize: 5, to: named + ["r@other.example"])
            #expect(try await fixture.end(of: campaign).counters.delivered == 21)
            try await running.drain()
            #expect(Self.recipients(hosts.relay) == Set(named))
            #expect(Self.recipients(hosts.plain) == ["r@other.example"])
            #expect(engine.status.lanes.contains { $0.site.hasPrefix("127.0.0.24:") && $0.broken > 0 })
        }
    }

    // MARK: Direct delivery for the first time

    @Test func `a node without a resolver is told to restart before mail goes directly`() async throws {
        let fixture = try await DeliveryFixture.make()
        let smarthost = Smarthost(host: "127.0.0.20", port: 2_525)
        let engine = fixture.engine(port: 1) { $0.smarthosts = [smarthost] }
        let direct = Self.rules([try Self.rule("a.example", via: .direct)])
        let error = await #expect(throws: RoutesNeedRestart.self) {
            _ = try await engine.reload(smarthosts: [smarthost], domains: direct)
        }
        #expect(error?.description.contains("restart the node") == true)
    }
}
