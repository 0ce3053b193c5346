import Synchronization
import TestSupport

@testable import Delivery

/// A clock that goes only when it is told to.
final class TestClock: Sendable {
    private let passed = Mutex(0.0)

    /// It begins with 0, in 1970.
    var clock: DeliveryClock {
        DeliveryClock(steady: { self.passed.withLock { $0 } }, wall: { self.passed.withLock { $0 } })
    }

    func pass(seconds: Double) { passed.withLock { $0 += seconds } }
}

extension DeliveryClock {
    /// Stands still at so many seconds since 1970.
    static func state(at wall: Int64) -> DeliveryClock { DeliveryClock(steady: { 0 }, wall: { Double(wall) }) }

    /// By the machine's clock.
    static func after(_ seconds: Double) -> Double { system.steady() + seconds }
}

extension Dice {
    static func seeded(_ seed: UInt64) -> Dice {
        let generator = Seeded(SeededGenerator(seed: seed))
        return Dice { generator.state.withLock { $0.next() } }
    }

    private final class Seeded: Sendable {
        let state: Mutex<SeededGenerator>
        init(_ generator: SeededGenerator) { state = Mutex(generator) }
    }
}
