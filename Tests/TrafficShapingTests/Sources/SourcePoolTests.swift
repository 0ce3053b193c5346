import MailTypes
import Testing
import TrafficShaping

@Suite struct SourcePoolTests {
    private static func source(_ address: String, weight: Int = 1, warmUp: WarmUpSchedule? = nil) -> MailSource {
        MailSource(
            address: address, heloName: "mta.example.org", weight: weight, pool: "bulk", warmUp: warmUp)
    }

    @Test(arguments: [(-1, 0), (0, 50), (1, 100), (2, 200), (20, 280_000), (21, nil), (9_999, nil)] as [(Int, Int?)])
    func `allowances grow until there is none`(day: Int, allowance: Int?) {
        #expect(WarmUpSchedule(startDay: 100).allowance(onDay: 100 + day) == allowance)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var day = 100
        var sent: [String: Int] = [:]
        var rests: [String: Double] = [:]
        /// Addresses that may be chosen, or what comes instead.
        let expected: Set<SourcePool.Choice>
    }

    static let cold = source("192.0.2.3", warmUp: WarmUpSchedule(startDay: 100))
    static let all = [source("192.0.2.1"), source("192.0.2.2", weight: 3), cold]

    static let cases: [Case] = [
        Case(testDescription: "all take part", expected: Set(all.map { .source($0) })),
        Case(
            testDescription: "one that rests does not", rests: ["192.0.2.1": 50],
            expected: [.source(all[1]), .source(all[2])]),
        Case(
            testDescription: "what a new source may not send goes to the others", sent: ["192.0.2.3": 50],
            expected: [.source(all[0]), .source(all[1])]),
        Case(
            testDescription: "one more day, more mail", day: 101, sent: ["192.0.2.3": 50],
            expected: Set(all.map { .source($0) })),
        Case(
            testDescription: "before its start it sends nothing", day: 99,
            expected: [.source(all[0]), .source(all[1])]),
        Case(
            testDescription: "known sources are not counted", sent: ["192.0.2.1": 1_000_000],
            expected: Set(all.map { .source($0) })),
        Case(
            testDescription: "all rest: the first back is told",
            rests: ["192.0.2.1": 50, "192.0.2.2": 40, "192.0.2.3": 60],
            expected: [.laterAt(40)]),
        Case(
            testDescription: "one that has no allowance left does not count as coming back", sent: ["192.0.2.3": 50],
            rests: ["192.0.2.1": 50, "192.0.2.2": 70, "192.0.2.3": 10], expected: [.laterAt(50)]),
    ]

    private static let keys = (0..<5_000).map { SourcePool.key("person\($0)@example.org".utf8) }

    @Test(arguments: cases) func `a source is chosen among those that may send`(example: Case) {
        let pool = SourcePool(name: "bulk", sources: Self.all)
        let seen = Self.keys.prefix(200).map { key in
            pool.choose(
                for: key, onDay: example.day, sentToday: { example.sent[$0.address] ?? 0 },
                restsUntil: { example.rests[$0.address] })
        }
        #expect(Set(seen) == example.expected)
    }

    @Test func `a pool that only warms up ends its day`() {
        let pool = SourcePool(name: "bulk", sources: [Self.cold])
        let choice = pool.choose(for: 1, onDay: 100, sentToday: { _ in 50 }, restsUntil: { _ in nil })
        #expect(choice == .laterThanToday)
    }

    private static func sources(
        _ pool: SourcePool, resting: Set<String> = []
    ) -> [String] {
        keys.map { key in
            let choice = pool.choose(
                for: key, onDay: 100, sentToday: { _ in 0 }, restsUntil: { resting.contains($0.address) ? 9 : nil })
            return if case .source(let source) = choice { source.address } else { "none" }
        }
    }

    @Test func `shares follow weights`() {
        let chosen = Self.sources(SourcePool(name: "bulk", sources: Self.all))
        let counts = Dictionary(chosen.map { ($0, 1) }, uniquingKeysWith: +)
        #expect((900...1_100).contains(counts["192.0.2.1"]!) && (2_850...3_150).contains(counts["192.0.2.2"]!))
    }

    @Test func `a recipient meets the same source in each attempt, on each node, and whatever the others do`() {
        let before = Self.sources(SourcePool(name: "bulk", sources: Self.all))
        #expect(Self.sources(SourcePool(name: "bulk", sources: Self.all.reversed())) == before)
        let without = Self.sources(SourcePool(name: "bulk", sources: Self.all), resting: ["192.0.2.3"])
        for (before, after) in zip(before, without) {
            #expect(before == "192.0.2.3" ? after != before : after == before)
        }
    }

    @Test func `sources of other pools are left out`() {
        let stranger = MailSource(address: "192.0.2.9", heloName: "mta.example.org", pool: "other")
        #expect(SourcePool(name: "bulk", sources: Self.all + [stranger]).sources == Self.all)
    }

    @Test func `those take part whose family an address has, and all where none does`() throws {
        let addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
        let pool = SourcePool(
            name: "mixed",
            sources: addresses.map { MailSource(address: $0, heloName: "out.example.net", pool: "mixed") })
        func reaching(_ pool: SourcePool, _ texts: String...) -> [String] {
            pool.reaching(texts.compactMap { IPAddress($0) }).sources.map(\.address)
        }
        #expect(reaching(pool, "198.51.100.1") == ["192.0.2.1", "192.0.2.2"])
        #expect(reaching(pool, "2001:db8:1::1") == ["2001:db8::1"])
        #expect(reaching(pool, "198.51.100.1", "2001:db8:1::1") == addresses)
        let plain = SourcePool(name: "mixed", sources: pool.sources.filter { !$0.address.contains(":") })
        #expect(reaching(plain, "2001:db8:1::1") == ["192.0.2.1", "192.0.2.2"])
    }
}
