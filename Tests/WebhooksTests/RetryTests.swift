import TestSupport
import Testing

@testable import Webhooks

/// A second, simpler opinion: what the pauses of a message that is never taken must fulfil.
struct RetryTests {
    private static let second: Int64 = 1_000_000

    @Test(arguments: Seed.range(200))
    func `tries grow apart, spread, and go on to the end of three days and no further`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let createdAt = Int64.random(in: 0...2_000_000_000, using: &generator) * Self.second
        var now = createdAt + Int64.random(in: 0...60, using: &generator) * Self.second
        var pauses: [Double] = []
        var failures = 0
        while true {
            failures += 1
            let next = WebhookRetry.next(
                afterFailures: failures, createdAt: createdAt, now: now,
                chance: .random(in: 0...1, using: &generator))
            guard let next else { break }
            try #require(next > now)
            try #require(failures < 20)
            pauses.append(Double(next - now) / 1e6)
            // An attempt takes up to 15 seconds.
            now = next + Int64.random(in: 0...15, using: &generator) * Self.second
        }
        let age = Double(now - createdAt) / 1e6
        #expect(age > 3 * 86_400 - 3_600)
        #expect(age < 3 * 86_400)
        #expect((4...6).contains(pauses[0]))
        #expect((240...360).contains(pauses[1]))
        #expect((9...13).contains(failures))
        // The last one is cut off by the end.
        for (one, other) in zip(pauses, pauses.dropFirst()).dropLast() { #expect(other > one * 0.65) }
        #expect((pauses.max() ?? 0) <= 50_400 * 1.2)
    }

    @Test func `the same failure is tried again at different times`() {
        let times = Set(
            (0...10).map { chance in
                WebhookRetry.next(afterFailures: 3, createdAt: 0, now: 0, chance: Double(chance) / 10)
            })
        #expect(times.count == 11)
    }
}
