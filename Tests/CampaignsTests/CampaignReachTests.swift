import Fleet
import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Campaigns

/// What a campaign cannot reach before it expires is said before it is sent.
struct CampaignReachTests {
    private typealias Source = CampaignReach.Source

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var rate: Double?
        /// First day and allowances; no day where receivers know the source.
        var sources: [(day: Int?, allowances: [Int])] = []
        var recipients = 1_000
        var seconds = 86_400
        let expected: [ReachWarning.Code: Int]
    }

    /// From the middle of day 100 on.
    static let cases: [Case] = [
        Case(testDescription: "nothing limits it", expected: [:]),
        Case(testDescription: "a rate that is just enough", rate: 1_000 / 86_400, expected: [:]),
        Case(testDescription: "a rate below", rate: 990.5 / 86_400, expected: [.accountRate: 10]),
        Case(testDescription: "two days of a warm-up", sources: [(100, [50, 100, 200])], expected: [.warmUp: 850]),
        Case(
            testDescription: "the expiry within the first day", sources: [(100, [50, 100])], seconds: 3_600,
            expected: [.warmUp: 950]),
        Case(
            testDescription: "two sources, the second from tomorrow", sources: [(100, [50, 100]), (101, [30])],
            expected: [.warmUp: 820]),
        Case(
            testDescription: "one that receivers know takes all", sources: [(100, [50, 100]), (nil, [])], expected: [:]),
        Case(testDescription: "a warm-up that ends before the expiry", sources: [(99, [10, 20])], expected: [:]),
        Case(testDescription: "a warm-up that is over", sources: [(1, [10, 20])], expected: [:]),
        Case(testDescription: "few recipients", sources: [(100, [50, 100])], recipients: 150, expected: [:]),
        Case(
            testDescription: "both", rate: 500 / 86_400, sources: [(100, [50, 100])],
            expected: [.accountRate: 500, .warmUp: 850]),
    ]

    @Test(arguments: cases) func `rates and warm-ups bound what is reached`(example: Case) {
        let reach = CampaignReach(
            accountRate: example.rate,
            sources: example.sources.map { Source(warmUpFrom: $0.day, allowances: $0.allowances) })
        let warnings = reach.warnings(
            recipients: example.recipients, start: 100 * 86_400 + 43_200, seconds: example.seconds)
        #expect(Dictionary(uniqueKeysWithValues: warnings.map { ($0.code, $0.recipients) }) == example.expected)
        #expect(warnings.allSatisfy { $0.detail.contains("before") && $0.detail.contains("expired") })
    }

    // MARK: Nodes

    private static func cold(_ address: String, _ pool: String) -> NodeSource {
        NodeSource(address: address, pool: pool, warmUpFrom: .max >> 33, allowances: [1])
    }

    @Test func `a quote and the answer to the sending tell of the sources of all nodes, and of the account's rate`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        func codes() async throws -> [ReachWarning.Code] {
            try await fixture.service.quote(fixture.account, campaign).warnings.map(\.code)
        }
        #expect(try await codes() == [])
        func start(_ node: String, _ sources: [NodeSource] = []) async throws {
            try await fixture.store.beginIncarnation(of: node, sources: sources)
        }
        try await start("a", [Self.cold("192.0.2.1", "default"), Self.cold("192.0.2.2", "own")])
        try await start("b")
        // A node without a list sends from an address that nothing limits.
        #expect(try await codes() == [])
        try await start("b", [Self.cold("192.0.2.3", "own")])
        #expect(try await codes() == [.warmUp])
        try await start("b", [NodeSource(address: "192.0.2.3", pool: "default")])
        #expect(try await codes() == [])
        // One that is gone counts no more.
        try await fixture.records.owner.query(
            "UPDATE nodes SET seen_at = clock_timestamp() - interval '2 minutes' WHERE node = 'b'")
        #expect(try await codes() == [.warmUp])
        try await fixture.records.pool.withConnection { connection in
            try await FleetStore.set(AccountShaping(rate: 1e-5), for: fixture.account, on: connection)
        }
        #expect(try await codes() == [.accountRate, .warmUp])
        let sent = try await fixture.service.send(fixture.account, campaign)
        #expect(sent.warnings?.map(\.recipients) == [2, 3])
        #expect(try await fixture.status(campaign).warnings == nil)
    }
}
