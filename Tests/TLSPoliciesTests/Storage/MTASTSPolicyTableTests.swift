import DNSResolution
import MailTypes
import NIOPosix
import Postgres
import SMTPTransport
import TLSPolicies
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Testing

/// Policies in a real database, found in a real DNS and fetched from a real HTTPS server.
@Suite(.timeLimit(.minutes(3))) struct MTASTSPolicyTableTests {
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
    private func node(_ stores: Stores, _ dns: NameServer, https port: Int) throws -> MTASTSPolicies {
        let resolver = try Resolver(ResolverConfiguration(forwarders: [dns.server], timeout: .seconds(60)))
        var configuration = MTASTSFetcher.Configuration()
        configuration.port = port
        configuration.trustRootsFile = authority.rootsFile
        configuration.allowsPrivateAddresses = true
        let fetcher = MTASTSFetcher(
            configuration, group: MultiThreadedEventLoopGroup.singleton, resolver: resolver)
        return MTASTSPolicies(resolver: resolver, fetcher: fetcher, store: MTASTSPolicyTable(stores.records.pool))
    }

    private func policyServer() async throws -> PolicyServer {
        var answer = PolicyServer.Answer()
        answer.body = Self.policy.lines.joined(separator: "\n") + "\n"
        return try await PolicyServer(try authority.identity(["mta-sts.d.example"]).serverContext(), answer)
    }

    private func rows(_ stores: Stores) async throws -> [String] {
        try await stores.records.owner.query("SELECT domain FROM mta_sts_policies ORDER BY domain")
            .map { try $0.decode(String.self) }
    }

    @Test func `a policy survives a restart without its record and its server, and is fetched once by all`()
        async throws
    {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let stores = try await Stores.open()
        let dns = try NameServer(nsd, zone: Self.announced)
        defer { dns.stop() }
        let https = try await policyServer()
        #expect(try await node(stores, dns, https: https.port).finding(for: domain).policy == Self.policy)
        try await eventually("the policy is kept") { try await rows(stores) == ["d.example"] }
        #expect(try await node(stores, dns, https: https.port).finding(for: domain) == .init(policy: Self.policy))
        #expect(https.requests.count == 1, "the second node fetched it again")

        // An attacker takes away the record, then the web server too.
        let silenced = try NameServer(nsd, zone: Self.zone)
        defer { silenced.stop() }
        #expect(
            try await node(stores, silenced, https: https.port).finding(for: domain) == .init(policy: Self.policy))
        #expect(https.requests.count == 1)
        try await https.close()
        for dns in [dns, silenced] {
            let finding = try await node(stores, dns, https: https.port).finding(for: domain)
            #expect(finding == .init(policy: Self.policy))
        }

        // Its time is over.
        try await stores.records.owner.query(
            """
            UPDATE mta_sts_policies SET fetched_at = clock_timestamp() - max_age_seconds * interval '1 second',
                expires_at = clock_timestamp()
            """)
        #expect(try await node(stores, silenced, https: https.port).finding(for: domain) == .init())
        let unreachable = try await node(stores, dns, https: https.port).finding(for: domain)
        #expect(unreachable.policy == nil)
        #expect(unreachable.fault?.type == .stsPolicyFetchError)
        try await MTASTSPolicyTable(stores.records.pool).keep([])
        #expect(try await rows(stores) == [])
    }

    // MARK: Rows

    private func stored(
        _ domain: String, id: String = "1", mode: MTASTSPolicy.Mode = .enforce, patterns: [String] = ["mx.example"],
        maxAge: Int = 1_000, age: Double = 0
    ) throws -> StoredMTASTSPolicy {
        StoredMTASTSPolicy(
            domain: try DomainName(domain), id: id,
            policy: MTASTSPolicy(mode: mode, maxAge: maxAge, patterns: patterns), age: age)
    }

    @Test func `the later fetch wins, whoever writes last`() async throws {
        let stores = try await Stores.open()
        let table = MTASTSPolicyTable(stores.records.pool)
        try await table.keep([
            try stored("b.example", id: "new", mode: .none, patterns: [], age: 100), try stored("a.example"),
        ])
        try await table.keep([try stored("b.example", id: "old", age: 200)])
        let (policies, _) = try await table.kept(since: nil)
        #expect(policies.map(\.domain.text) == ["a.example", "b.example"])
        #expect(policies.map(\.id) == ["1", "new"])
        #expect(policies.map(\.policy.patterns) == [["mx.example"], []])
        #expect((100..<200).contains(policies[1].age), "\(policies[1].age)")
        try await table.keep([try stored("b.example", id: "newest", age: 50)])
        #expect(try await table.kept(since: nil).policies.map(\.id) == ["1", "newest"])
    }

    @Test func `a reading tells of what came since, the first of all`() async throws {
        let stores = try await Stores.open()
        let table = MTASTSPolicyTable(stores.records.pool)
        let names = (0..<2_500).map { "d\($0).example" }
        try await table.keep(names.map { try stored($0) })
        let (all, reading) = try await table.kept(since: nil)
        #expect(Set(all.map(\.domain.text)) == Set(names))
        #expect(all.count == names.count)
        // Long ago.
        try await stores.records.owner.query("UPDATE mta_sts_policies SET kept_at = kept_at - interval '1 hour'")
        #expect(try await table.kept(since: reading).policies == [])
        try await table.keep([try stored("d7.example", id: "2"), try stored("new.example")])
        let later = try await table.kept(since: reading).policies.map(\.domain.text)
        #expect(later == ["d7.example", "new.example"])
    }

    @Test func `rows are bounded, and those expired go first`() async throws {
        let stores = try await Stores.open()
        let table = MTASTSPolicyTable(stores.records.pool, atMost: 3)
        try await table.keep([try stored("over.example", age: 1_000)])
        for number in 0..<3 {
            try await table.keep([try stored("d\(number).example", age: 10)])
        }
        #expect(try await rows(stores) == ["d0.example", "d1.example", "d2.example"])
        try await table.keep([try stored("d0.example", age: 5)])
        try await table.keep([try stored("d3.example")])
        #expect(try await rows(stores) == ["d0.example", "d2.example", "d3.example"])
    }

    @Test func `nodes that write the same policies at once do not stop each other`() async throws {
        let stores = try await Stores.open()
        let table = MTASTSPolicyTable(stores.records.pool, atMost: 100)
        try await withThrowingTaskGroup(of: Void.self) { nodes in
            for node in 0..<4 {
                let policies = try (0..<200).map { try stored("d\($0).example", age: Double(node)) }
                nodes.addTask {
                    for _ in 0..<5 { try await table.keep(policies.shuffled()) }
                }
            }
            try await nodes.waitForAll()
        }
        try await table.keep([])
        #expect(try await rows(stores).count == 100)
    }
}
