import TestSupport
import Testing
import TrafficShaping

@Suite struct SmarthostChoiceTests {
    private static func choice(_ candidates: (weight: Int, readiness: LaneReadiness)...) -> SmarthostChoice {
        SmarthostChoice(candidates.map { .init(weight: $0.weight, readiness: $0.readiness) })
    }

    @Test func `open ones share by weight`() {
        var choice = Self.choice((3, .open), (1, .open), (100, .rests(until: 9)))
        var generator = SeededGenerator(seed: 5)
        var counts = [0, 0, 0]
        for _ in 0..<4_000 { counts[choice.choose(declined: { _ in false }, using: &generator)!] += 1 }
        #expect(counts[2] == 0 && (2_850...3_150).contains(counts[0]), "\(counts)")
    }

    @Test func `each that is to be probed gets one mail, that has not been declined there`() {
        var choice = Self.choice((1, .wantsProbe), (1, .open), (1, .wantsProbe))
        var generator = SeededGenerator(seed: 5)
        #expect(choice.choose(declined: { $0 == 0 }, using: &generator) == 2)
        #expect(choice.choose(declined: { $0 == 0 }, using: &generator) == 1)
        #expect(choice.choose(declined: { _ in false }, using: &generator) == 0)
        #expect(choice.choose(declined: { _ in false }, using: &generator) == 1)
        #expect(choice.choose(declined: { $0 == 1 }, using: &generator) == nil)
    }

    @Test func `where all rest mail waits for the first that is back`() {
        var choice = Self.choice((1, .rests(until: 30)), (9, .rests(until: 20)))
        var generator = SeededGenerator(seed: 5)
        #expect(choice.choose(declined: { _ in false }, using: &generator) == nil)
        #expect(choice.firstBack(10) == 1)
    }
}
