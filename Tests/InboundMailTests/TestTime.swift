import Synchronization

/// A clock that goes only when it is told to.
final class TestTime: Sendable {
    private let time = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { time.withLock(\.self) }

    func pass(_ seconds: Int) { time.withLock { $0 += .seconds(seconds) } }
}
