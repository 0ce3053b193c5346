import Testing

@testable import Delivery

/// When a part of a batch is settled before the rest.
struct PartTimingTests {
    private static let start = 1_000.0

    private static func after(_ seconds: Double) -> Double { start + seconds }

    /// The first of the whole seconds at which a part is due.
    private static func due(_ timing: PartTiming, within seconds: Int = 4_000) -> Int? {
        (0...seconds).first { timing.isDue(at: after(Double($0))) }
    }

    @Test func `nothing is settled where nothing is done`() {
        #expect(Self.due(PartTiming(startedAt: Self.start)) == nil)
    }

    @Test func `who is due again soon is not kept waiting, and credits for half a minute`() {
        var timing = PartTiming(startedAt: Self.start)
        timing.finished(dueAt: nil)
        #expect(Self.due(timing) == 30)
        timing.finished(dueAt: Self.after(300))
        #expect(Self.due(timing) == 30)
        timing.finished(dueAt: Self.after(12))
        #expect(Self.due(timing) == 12)
        timing.finished(dueAt: Self.after(1))
        #expect(Self.due(timing) == 2)
    }

    @Test func `each part doubles the wait for the next, up to a bound`() {
        var timing = PartTiming(startedAt: Self.start)
        var at = 0
        var waits: [Int] = []
        for _ in 0..<8 {
            timing.finished(dueAt: nil)
            guard let next = Self.due(timing) else { break }
            waits.append(next - at)
            at = next
            timing.taken(at: Self.after(Double(at)))
            timing.settled(leaving: 0, firstDueAt: nil)
            #expect(Self.due(timing) == nil)
        }
        #expect(waits == [30, 60, 120, 240, 480, 960, 960, 960])
    }

    @Test func `a part that failed comes again, but not at once`() {
        var timing = PartTiming(startedAt: Self.start)
        timing.finished(dueAt: Self.after(0))
        timing.taken(at: Self.after(2))
        #expect(Self.due(timing) == 6)
    }

    @Test func `a cancellation gives back what is done within seconds, however many parts there were`() {
        var timing = PartTiming(startedAt: Self.start)
        for _ in 0..<10 { timing.taken(at: Self.after(100)) }
        timing.finished(dueAt: nil)
        timing.cancelled(at: Self.after(100))
        #expect(Self.due(timing) == 101)
    }
}
