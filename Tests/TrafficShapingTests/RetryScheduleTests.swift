import Testing
import TrafficShaping

@Suite struct RetryScheduleTests {
    @Test func waitsDoubleUpToTheMaximumAndKeepToTheUpperHalf() {
        let schedule = RetrySchedule(baseSeconds: 10, maximumSeconds: 100)
        var generator = SeededGenerator(seed: 1)
        for (attempt, ceiling) in [(1, 10.0), (2, 20), (3, 40), (4, 80), (5, 100), (40, 100), (1_000, 100)] {
            for _ in 0..<200 {
                let delay = schedule.delay(afterAttempt: attempt, using: &generator)
                #expect((ceiling / 2...ceiling).contains(delay), "attempt \(attempt)")
            }
        }
    }

    @Test func recipientsThatFailedTogetherAreSpread() {
        let schedule = RetrySchedule(baseSeconds: 600)
        var generator = SeededGenerator(seed: 2)
        let delays = (0..<1_000).map { _ in schedule.delay(afterAttempt: 1, using: &generator) }
        let early = delays.filter { $0 < 450 }.count
        #expect((400...600).contains(early))
    }
}

/// SplitMix64: small, seedable, good enough to spread test cases.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
