import CoreFoundation
import FoundationEssentials
import Synchronization
package import TrafficShaping

/// The time, all of it from one place, so that tests can set it.
///
/// What holds for a campaign, its expiry say, is by the database's time, which is the same for all nodes: this node's own
/// wall clock may be wrong. The node hears that time with each claim and heartbeat, and goes on from there by its steady
/// clock.
package struct DeliveryClock: Sendable {
    /// Seconds since some moment; nobody sets them back.
    package let steady: @Sendable () -> SteadySeconds
    /// Seconds since 1970, as the machine has them: until the database's time is known.
    private let wall: @Sendable () -> Double
    private let database = DatabaseOffset()

    package init(steady: @escaping @Sendable () -> SteadySeconds, wall: @escaping @Sendable () -> Double) {
        self.steady = steady
        self.wall = wall
    }

    /// The machine's.
    package static let system: DeliveryClock = {
        let origin = bootTime().tv_sec
        return DeliveryClock(
            steady: {
                let time = bootTime()
                return Double(time.tv_sec - origin) + Double(time.tv_nsec) * 1e-9
            }, wall: { Date().timeIntervalSince1970 })
    }()

    /// What `ContinuousClock` reads. Read here because each mail asks some twenty times, and the 128 bits of a `Duration`
    /// cost more than all else that the question costs.
    private static func bootTime() -> timespec {
        var time = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return time
    }
}

/// From a steady clock to the database's.
private final class DatabaseOffset: Sendable {
    private let state = Mutex<Double?>(nil)

    var seconds: Double? { state.withLock(\.self) }

    /// The offset lies in these bounds: the answer came at some moment between question and now.
    func narrow(to bounds: ClosedRange<Double>) {
        state.withLock { $0 = min(max($0 ?? bounds.lowerBound, bounds.lowerBound), bounds.upperBound) }
    }
}

extension DeliveryClock {
    /// The database has told its time.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970.
    ///   - askedAt: by the steady clock.
    func heard(_ time: Double, askedAt: SteadySeconds) {
        database.narrow(to: (time - max(steady(), askedAt))...(time - askedAt))
    }

    /// Seconds since 1970 by the database's clock; by the machine's as long as nothing was heard of that one.
    package var now: Double { databaseTime ?? wall() }

    /// Nil where nothing was heard of it.
    var databaseTime: Double? { database.seconds.map { steady() + $0 } }

    /// Whole seconds since 1970.
    var seconds: Int64 { Int64(now.rounded(.down)) }
    var date: Date { Date(timeIntervalSince1970: now) }
    /// Days since 1970.
    var day: Int { Int(seconds / 86_400) }
}
