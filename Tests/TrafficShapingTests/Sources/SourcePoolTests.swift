import TestSupport
import Testing
import TrafficShaping

@Suite struct SourcePoolTests {
    private static func source(_ address: String, weight: Int = 1, warmUp: WarmUpSchedule? = nil) -> MailSource {
        MailSource(
            address: address, heloName: "mta.example.org", weight: weight, pool: "bulk", warmUp: warmUp)
    }

    @Test(arguments: [(-1, 0), (0, 50), (1, 100), (2, 200), (20, 280_000), (21, nil), (9_999, nil)] as [(Int, Int?)])
    func allowancesGrowUntilThereIsNone(day: Int, allowance: Int?) {
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

    @Test(arguments: cases) func choosesAmongThoseThatMay(example: Case) {
        let pool = SourcePool(name: "bulk", sources: Self.all)
        var generator = SeededGenerator(seed: 7)
        var seen: Set<SourcePool.Choice> = []
        for _ in 0..<200 {
            seen.insert(
                pool.choose(
                    onDay: example.day, sentToday: { example.sent[$0.address] ?? 0 },
                    restsUntil: { example.rests[$0.address] }, using: &generator))
        }
        #expect(seen == example.expected)
    }

    @Test func aPoolThatOnlyWarmsUpEndsItsDay() {
        let pool = SourcePool(name: "bulk", sources: [Self.cold])
        var generator = SeededGenerator(seed: 1)
        let choice = pool.choose(onDay: 100, sentToday: { _ in 50 }, restsUntil: { _ in nil }, using: &generator)
        #expect(choice == .laterThanToday)
    }

    @Test func sharesFollowWeights() {
        let pool = SourcePool(name: "bulk", sources: Self.all)
        var generator = SeededGenerator(seed: 3)
        var counts: [String: Int] = [:]
        for _ in 0..<5_000 {
            if case .source(let source) = pool.choose(
                onDay: 100, sentToday: { _ in 0 }, restsUntil: { _ in nil }, using: &generator)
            {
                counts[source.address, default: 0] += 1
            }
        }
        #expect((900...1_100).contains(counts["192.0.2.1"]!) && (2_850...3_150).contains(counts["192.0.2.2"]!))
    }

    @Test func sourcesOfOtherPoolsAreLeftOut() {
        let stranger = MailSource(address: "192.0.2.9", heloName: "mta.example.org", pool: "other")
        #expect(SourcePool(name: "bulk", sources: Self.all + [stranger]).sources == Self.all)
    }
}
