import Foundation
package import TrafficShaping

/// The time, all of it from one place, so that tests can set it.
package struct DeliveryClock: Sendable {
    /// Seconds since some moment; nobody sets them back.
    package let steady: @Sendable () -> SteadySeconds
    /// Seconds since 1970, as the machine has them.
    package let wall: @Sendable () -> Double

    package init(steady: @escaping @Sendable () -> SteadySeconds, wall: @escaping @Sendable () -> Double) {
        self.steady = steady
        self.wall = wall
    }

    /// The machine's.
    package static let system: DeliveryClock = {
        let origin = ContinuousClock.now
        return DeliveryClock(
            steady: { (ContinuousClock.now - origin) / .seconds(1) }, wall: { Date().timeIntervalSince1970 })
    }()
}

extension DeliveryClock {
    /// Whole seconds since 1970.
    var seconds: Int64 { Int64(wall().rounded(.down)) }
    var date: Date { Date(timeIntervalSince1970: wall()) }
    /// Days since 1970.
    var day: Int { Int(seconds / 86_400) }
}
