import Campaigns
import DNSResolution
import Delivery
import MailTypes
import NIOPosix
import Postgres
import SMTPTransport
import TLSPolicies
import TestDatabases
import TestPeers
import TestSupport
import Testing

/// Policies in a real database, found in a real DNS and fetched from a real HTTPS server.
@Suite(.timeLimit(.minutes(3))) struct MTASTSPolicyRecordsTests {
    private static let zone = """
        d MX 10 mx
        mx A 127.0.0.1
        mta-sts.d A 127.0.0.1
        """
    private static let announced = zone + "\n_mta-sts.d TXT \"v=STSv1; id=20261121\"\n"
    private static let policy = MTASTSPolicy(mode: .enforce, maxAge: 864_000, patterns: ["mx.example", "*.d.example"])

    private let domain = try! DomainName("d.example")
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    /// What a node knows that has just been started.
    private func node(_ fixture: DeliveryFixture, _ dns: NameServer, https port: Int) throws -> MTASTSPolicies {
        let resolver = try Resolver(ResolverConfiguration(forwarders: [dns.server], timeout: .seconds(60)))
        var configuration = MTASTSFetcher.Configuration()
        configuration.port = port
        configuration.trustRootsFile = authority.rootsFile
        configuration.allowsPrivateAddresses = true
        let fetcher = MTASTSFetcher(
            configuration, group: MultiThreadedEventLoopGroup.singleton, resolver: resolver)
        return MTASTSPolicies(resolver: resolver, fetcher: fetcher, store: MTASTSPolicyRecords(fixture.store))
    }

    private func policyServer() async throws -> PolicyServer {
        var answer = PolicyServer.Answer()
        answer.body = Self.policy.lines.joined(separator: "\n") + "\n"
        return try await PolicyServer(try authority.identity(["mta-sts.d.example"]).serverContext(), answer)
    }

    private func rows(_ fixture: DeliveryFixture) async throws -> [String] {
        try await fixture.records.owner.query("SELECT domain FROM mta_sts_policies ORDER BY domain")
            .map { try $0.decode(String.self) }
    }

    @Test func `a policy survives a restart without its record and its server, and is fetched once by all`()
        async throws
    {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let fixture = try await DeliveryFixture.make()
        let dns = try NameServer(nsd, zone: Self.announced)
        defer { dns.stop() }
        let https = try await policyServer()
        #expect(try await node(fixture, dns, https: https.port).finding(for: domain).policy == Self.policy)
        try await eventually("the policy is kept") { try await rows(fixture) == ["d.example"] }
        #expect(try await node(fixture, dns, https: https.port).finding(for: domain) == .init(policy: Self.policy))
        #expect(https.requests.count == 1, "the second node fetched it again")

        // An attacker takes away the record, then the web server too.
        let silenced = try NameServer(nsd, zone: Self.zone)
        defer { silenced.stop() }
        #expect(
            try await node(fixture, silenced, https: https.port).finding(for: domain) == .init(policy: Self.policy))
        #expect(https.requests.count == 1)
        try await https.close()
        for dns in [dns, silenced] {
            let finding = try await node(fixture, dns, https: https.port).finding(for: domain)
            #expect(finding == .init(policy: Self.policy))
        }

        // Its time is over.
        try await fixture.records.owner.query(
            """
            UPDATE mta_sts_policies SET fetched_at = clock_timestamp() - max_age_seconds * interval '1 second',
                expires_at = clock_timestamp()
            """)
        #expect(try await node(fixture, silenced, https: https.port).finding(for: domain) == .init())
        let unreachable = try await node(fixture, dns, https: https.port).finding(for: domain)
        #expect(unreachable.policy == nil)
        #expect(unreachable.fault?.type == .stsPolicyFetchError)
        try await fixture.store.keepMTASTSPolicies([])
        #expect(try await rows(fixture) == [])
    }

    @Test func `an engine takes up what other nodes have fetched, and nobody has asked it yet`() async throws {
        let fixture = try await DeliveryFixture.make()
        let records = MTASTSPolicyRecords(fixture.store)
        let policies = MTASTSPolicies(
            texts: { _ throws(DNSFailure) in throw .permanent(.noSuchDomain) },
            fetch: { _ throws(MTASTSFault) in throw MTASTSFault(.stsPolicyFetchError, "no") }, store: records)
        try await records.keep([KeptMTASTSPolicy(domain: domain, id: "1", policy: Self.policy, age: 0)])
        try await fixture.withEngine(port: 1, tlsPolicies: TLSPolicyResolver(tlsa: nil, policies: policies)) { _ in
            try await eventually("the policy is there") { policies.count == 1 }
        }
        #expect(await policies.finding(for: domain).policy == Self.policy)
    }

    // MARK: Rows

    private func stored(
        _ domain: String, id: String = "1", mode: String = "enforce", patterns: [String] = ["mx.example"],
        maxAge: Int = 1_000, age: Double = 0
    ) throws -> StoredMTASTSPolicy {
        StoredMTASTSPolicy(
            domain: try DomainName(domain), id: id, mode: mode, patterns: patterns, maxAge: maxAge, age: age)
    }

    @Test func `the later fetch wins, whoever writes last`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await fixture.store.keepMTASTSPolicies([
            try stored("b.example", id: "new", mode: "none", patterns: [], age: 100), try stored("a.example"),
        ])
        try await fixture.store.keepMTASTSPolicies([try stored("b.example", id: "old", age: 200)])
        let (policies, _) = try await fixture.store.mtaSTSPolicies(since: nil)
        #expect(policies.map(\.domain.text) == ["a.example", "b.example"])
        #expect(policies.map(\.id) == ["1", "new"])
        #expect(policies.map(\.patterns) == [["mx.example"], []])
        #expect((100..<200).contains(policies[1].age), "\(policies[1].age)")
        try await fixture.store.keepMTASTSPolicies([try stored("b.example", id: "newest", age: 50)])
        #expect(try await fixture.store.mtaSTSPolicies(since: nil).policies.map(\.id) == ["1", "newest"])
    }

    @Test func `a reading tells of what came since, the first of all`() async throws {
        let fixture = try await DeliveryFixture.make()
        let names = (0..<2_500).map { "d\($0).example" }
        try await fixture.store.keepMTASTSPolicies(names.map { try stored($0) })
        let (all, reading) = try await fixture.store.mtaSTSPolicies(since: nil)
        #expect(Set(all.map(\.domain.text)) == Set(names))
        #expect(all.count == names.count)
        // Long ago.
        try await fixture.records.owner.query("UPDATE mta_sts_policies SET kept_at = kept_at - interval '1 hour'")
        #expect(try await fixture.store.mtaSTSPolicies(since: reading).policies == [])
        try await fixture.store.keepMTASTSPolicies([try stored("d7.example", id: "2"), try stored("new.example")])
        let later = try await fixture.store.mtaSTSPolicies(since: reading).policies.map(\.domain.text)
        #expect(later == ["d7.example", "new.example"])
    }

    @Test func `rows are bounded, and those expired go first`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await fixture.store.keepMTASTSPolicies([try stored("over.example", age: 1_000)], atMost: 3)
        for number in 0..<3 {
            try await fixture.store.keepMTASTSPolicies([try stored("d\(number).example", age: 10)], atMost: 3)
        }
        #expect(try await rows(fixture) == ["d0.example", "d1.example", "d2.example"])
        try await fixture.store.keepMTASTSPolicies([try stored("d0.example", age: 5)], atMost: 3)
        try await fixture.store.keepMTASTSPolicies([try stored("d3.example")], atMost: 3)
        #expect(try await rows(fixture) == ["d0.example", "d2.example", "d3.example"])
    }

    @Test func `nodes that write the same policies at once do not stop each other`() async throws {
        let fixture = try await DeliveryFixture.make()
        let store = fixture.store
        try await withThrowingTaskGroup(of: Void.self) { nodes in
            for node in 0..<4 {
                let policies = try (0..<200).map { try stored("d\($0).example", age: Double(node)) }
                nodes.addTask {
                    for _ in 0..<5 { try await store.keepMTASTSPolicies(policies.shuffled(), atMost: 100) }
                }
            }
            try await nodes.waitForAll()
        }
        try await store.keepMTASTSPolicies([], atMost: 100)
        #expect(try await rows(fixture).count == 100)
    }
}
