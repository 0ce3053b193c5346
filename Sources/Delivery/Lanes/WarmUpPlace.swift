import Fleet
import Synchronization

/// One mail's place in the day's allowance of a source that warms up: taken as long as the mail waits in a lane of the
/// source, used when it is sent, and free again if it leaves the lane untried, whichever way.
final class WarmUpPlace: Sendable {
    private enum State {
        case taken, free, used
    }

    private let usage: SourceUsage
    private let fleet: FleetState
    private let state = Mutex(State.taken)

    init(_ usage: SourceUsage, of fleet: FleetState) {
        self.usage = usage
        self.fleet = fleet
        fleet.takePlace(usage)
    }

    deinit { giveBack() }

    /// The mail was sent.
    func use() {
        change(from: .taken, to: .used) { fleet.usePlace(usage) }
    }

    /// Another lane is looked for.
    func giveBack() {
        change(from: .taken, to: .free) { fleet.giveBackPlace(usage) }
    }

    /// There is no other lane: the mail waits on.
    func takeAgain() {
        change(from: .free, to: .taken) { fleet.takePlace(usage) }
    }

    private func change(from old: State, to new: State, _ then: () -> Void) {
        let changes = state.withLock { state in
            guard state == old else { return false }
            state = new
            return true
        }
        if changes { then() }
    }
}
