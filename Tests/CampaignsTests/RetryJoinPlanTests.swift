import TestSupport
import Testing

@testable import Campaigns

struct RetryJoinPlanTests {
    private typealias Part = RetryJoinPlan.Part

    private static func parts(_ times: [(due: Double, latest: Double)], recipients: Int32 = 1) -> [Part] {
        times.enumerated().map { number, time in
            Part(number: Int32(number), recipients: recipients, due: time.due, latest: time.latest)
        }
    }

    private static func groups(
        _ times: [(due: Double, latest: Double)], size: Int32 = 1_000, least: Int = 2, recipients: Int32 = 1
    ) -> [[Int32]] {
        RetryJoinPlan(parts(times, recipients: recipients), size: size, leastParts: least).groups
    }

    @Test func `parts that are due far apart are not joined`() {
        let times = [27.0, 3_600, 28, 374, 30, 3_700, 380].map { ($0, $0) }
        #expect(Self.groups(times) == [[0, 2, 4], [3, 6], [1, 5]])
    }

    @Test(arguments: [
        (80.0, 100.0, true), (79.9, 100, false), (800, 1_000, true), (799, 1_000, false), (0, 1, true), (0, 1.1, false),
        (2, 3, true), (100, 100, true),
    ])
    func `nobody comes by more than a fifth of the wait too early`(_ first: Double, _ own: Double, _ allows: Bool) {
        #expect(RetryWindow.allows(first: first, own: own) == allows)
    }

    @Test func `a joined batch is judged by the last of its times when it is joined again`() {
        // Due with 800 for one of 1,000: with one of 700, that one would come at 0.7 of its wait.
        #expect(Self.groups([(800, 1_000), (700, 700)]) == [])
        #expect(Self.groups([(800, 1_000), (810, 810), (900, 900)]) == [[0, 1, 2]])
    }

    @Test func `a group fits into a batch, and is worth its transaction`() {
        let times = (0..<9).map { (600.0 + Double($0), 600.0 + Double($0)) }
        #expect(Self.groups(times, size: 40, recipients: 10) == [[0, 1, 2, 3], [4, 5, 6, 7]])
        #expect(Self.groups(times, size: 1_000, least: 10) == [])
        #expect(Self.groups([], least: 1) == [])
    }

    /// A simpler model: however parts come and are joined, nobody is delayed and nobody comes far too early.
    @Test func `joined again and again, everybody comes near the time of their own`() {
        for seed in Seed.range(1..<201) {
            var random = SeededGenerator(seed)
            var now = 0.0
            // Of each batch: when it is due, and its recipients' own times with the moment they were given them.
            var batches: [Int32: (due: Double, own: [(time: Double, given: Double)])] = [:]
            var next: Int32 = 0
            for _ in 0..<60 {
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let own = now + Double.random(in: 11...5_000, using: &random)
                    batches[next] = (own, [(own, now)])
                    next += 1
                }
                batches = batches.filter { $0.value.due > now + 10 }
                let parts = batches.map { number, batch in
                    Part(
                        number: number, recipients: Int32(batch.own.count), due: batch.due - now,
                        latest: (batch.own.map(\.time).max() ?? now) - now)
                }
                for group in RetryJoinPlan(parts, size: 30, leastParts: 2).groups {
                    let joined = group.compactMap { batches.removeValue(forKey: $0) }
                    #expect(joined.count == group.count && joined.reduce(0) { $0 + $1.own.count } <= 30)
                    batches[next] = (joined.map(\.due).min() ?? now, joined.flatMap(\.own))
                    next += 1
                }
                for batch in batches.values {
                    for (time, given) in batch.own {
                        #expect(batch.due <= time, "\(seed.testDescription): delayed")
                        #expect(
                            time - batch.due <= max(1, (time - given) / 5) + 1e-6, "\(seed.testDescription): too early")
                    }
                }
                now += Double.random(in: 0...60, using: &random)
            }
        }
    }
}
