import Synchronization
import TrafficShaping

/// The lanes that an operator holds, by name: a lane that is made anew, say because its site has new addresses, is still
/// held.
final class LaneHolds: Sendable {
    private struct Hold {
        let until: SteadySeconds?
        let reason: String
    }

    private let holds = Mutex<[String: Hold]>([:])

    func hold(_ lane: Lane, until: SteadySeconds?, reason: String) {
        let now = SteadyClock.now
        holds.withLock { holds in
            // Only lanes that exist are held by name, so this grows no faster than an operator types.
            holds = holds.filter { $0.value.until.map { $0 > now } ?? true }
            holds[lane.name] = Hold(until: until, reason: reason)
        }
        lane.hold(until: until, reason: reason)
    }

    func resume(_ lane: Lane) {
        holds.withLock { $0[lane.name] = nil }
        lane.resume()
    }

    func apply(to lane: Lane) {
        guard let hold = holds.withLock({ $0[lane.name] }) else { return }
        lane.hold(until: hold.until, reason: hold.reason)
    }
}
