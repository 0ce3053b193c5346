import TestSupport
import Testing
import TrafficShaping

@Suite struct RetryScheduleTests {
    @Test(arguments: [
        // class, attempt, least, most; base 600 s, maximum 14,400 s
        (RetryClass.greylisting, 1, 300.0, 450.0), (.greylisting, 2, 300, 900), (.greylisting, 40, 300, 3_600),
        (.mailboxFull, 1, 3_600, 7_200), (.mailboxFull, 2, 3_600, 14_400), (.mailboxFull, 9, 3_600, 14_400),
        (.throttled, 1, 30, 120), (.throttled, 3, 30, 480), (.throttled, 1_000, 30, 900),
        (.blocked, 1, 900, 1_800), (.blocked, 2, 900, 3_600), (.blocked, 9, 900, 14_400),
        (.unreachable, 1, 60, 300), (.unreachable, 5, 60, 4_800), (.unreachable, 7, 60, 14_400),
        (.other, 1, 60, 600), (.other, 5, 60, 9_600), (.other, 6, 60, 14_400), (.other, 1_000, 60, 14_400),
    ])
    func `waits grow and keep to their bounds`(retryClass: RetryClass, attempt: Int, least: Double, most: Double) {
        let schedule = RetrySchedule()
        #expect(schedule.bounds(afterAttempt: attempt, for: retryClass) == least...most)
        var generator = SeededGenerator(seed: UInt64(attempt))
        for _ in 0..<200 {
            #expect((least...most).contains(schedule.delay(afterAttempt: attempt, for: retryClass, using: &generator)))
        }
    }

    /// Operators set base and maximum; no class may leave the order of things then.
    @Test(arguments: [(1.0, 1.0), (1, 5), (60, 14_400), (3_600, 3_600)])
    func `bounds hold for any settings`(base: Double, maximum: Double) {
        let schedule = RetrySchedule(baseSeconds: base, maximumSeconds: maximum)
        for retryClass in RetryClass.allCases {
            var last = 0.0
            for attempt in 1...100 {
                let bounds = schedule.bounds(afterAttempt: attempt, for: retryClass)
                #expect(bounds.lowerBound > 0 && bounds.upperBound <= maximum && bounds.upperBound >= last)
                last = bounds.upperBound
            }
        }
    }

    @Test(arguments: Seed.one(2)) func `recipients that failed together are spread evenly`(seed: Seed) {
        let schedule = RetrySchedule(baseSeconds: 600)
        var generator = SeededGenerator(seed)
        var quarters = [0, 0, 0, 0]
        for _ in 0..<4_000 {
            let delay = schedule.delay(afterAttempt: 1, using: &generator)
            quarters[min(3, Int((delay - 60) / 135))] += 1
        }
        #expect(quarters.allSatisfy { (900...1_100).contains($0) })
    }
}
