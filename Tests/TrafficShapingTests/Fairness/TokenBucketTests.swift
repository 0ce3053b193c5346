import TestSupport
import Testing
import TrafficShaping

@Suite struct TokenBucketTests {
    /// In no span of time do more tokens leave than rate × t + burst; and a caller that comes back when it is told
    /// always gets its token.
    @Test(arguments: Seed.range(50)) func `never exceeds its rate`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let rate = Double.random(in: 0.01...200, using: &generator)
        let burst = Double.random(in: 1...50, using: &generator)
        var bucket = TokenBucket(rate: rate, burst: burst)
        var now = Double.random(in: -100...100, using: &generator)
        var taken: [Double] = []
        for _ in 0..<200 {
            if let due = bucket.take(at: now) {
                #expect(due > now && due <= now + 1 / rate + 1e-6)
                now = Bool.random(using: &generator) ? due : now + Double.random(in: 0...(due - now), using: &generator)
                if now == due { #expect(bucket.take(at: now) == nil, "a promise was broken") } else { continue }
            }
            taken.append(now)
            if Int.random(in: 0..<20, using: &generator) == 0 {
                now += Double.random(in: 0...(2 * burst / rate), using: &generator)
            }
        }
        let worst = taken.indices.map { start in
            (start..<taken.count).map { Double($0 - start + 1) - rate * (taken[$0] - taken[start]) }.max()!
        }
        #expect(worst.max()! <= burst + 1e-6)
    }

    @Test func `a clock that stands still or steps back gives nothing`() {
        var bucket = TokenBucket(rate: 1, burst: 2)
        #expect(bucket.take(upTo: 5, at: 10) == 2)
        #expect(bucket.take(at: 5) != nil)
        #expect(bucket.take(at: 10) == 11)
        #expect(bucket.take(at: 11) == nil)
    }

    @Test func `unused tokens go back up to the burst`() {
        var bucket = TokenBucket(rate: 1, burst: 3)
        #expect(bucket.take(upTo: 2, at: 0) == 2)
        bucket.giveBack(9)
        #expect(bucket.take(upTo: 9, at: 0) == 3)
    }
}
