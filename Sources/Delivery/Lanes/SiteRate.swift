import Synchronization
import TrafficShaping

/// This node's part in a site's message rate: tokens leased from the database, where all nodes share them. A node that
/// is alone needs no database for that: its governor keeps the rate.
final class SiteRate: LaneGate {
    /// Takes tokens out of the shared bucket.
    typealias Lease = @Sendable (_ site: String, _ ratePerSecond: Double, _ wanted: Int) async throws -> Int

    private struct State {
        var tokens: SiteTokens
        var nodes: Int
        /// Tokens to ask for, once the lane has left its lock.
        var wanted = 0
        var isAsking = false
    }

    private let site: String
    private let rate: MessageRate
    private let lease: Lease
    private let fleet: FleetState
    private let clock: DeliveryClock
    private let state: Mutex<State>

    init(site: String, rate: MessageRate, fleet: FleetState, clock: DeliveryClock, lease: @escaping Lease) {
        self.site = site
        self.rate = rate
        self.lease = lease
        self.fleet = fleet
        self.clock = clock
        let nodes = fleet.nodes
        state = Mutex(State(tokens: SiteTokens(rate: rate, nodes: nodes), nodes: nodes))
    }

    /// If there is no token, more are asked for (``carryOut()``).
    func permit(forQueued queued: Int, at now: SteadySeconds) -> LaneGovernor.Permit {
        take(forQueued: queued, at: now) ? .now : .at(now + Self.lookAgainSeconds)
    }

    func take(forQueued queued: Int, at now: SteadySeconds) -> Bool {
        let nodes = fleet.nodes
        guard nodes > 1 else { return true }
        return state.withLock { state in
            if state.nodes != nodes {
                state.tokens = SiteTokens(rate: rate, nodes: nodes)
                state.nodes = nodes
            }
            let isGranted = state.tokens.take(at: now)
            guard !state.isAsking else { return isGranted }
            let wanted = state.tokens.wanted(forQueued: queued, at: now)
            // Asked for before the last one is gone, so that mail does not wait for the database.
            let isLow = !isGranted || wanted > state.tokens.chunk / 2
            state.isAsking = isLow && wanted > 0
            if state.isAsking { state.wanted = wanted }
            return isGranted
        }
    }

    func carryOut() {
        let wanted = state.withLock { state in
            defer { state.wanted = 0 }
            return state.wanted
        }
        if wanted > 0 { Task { await ask(wanted) } }
    }

    /// How soon a lane that ran out of tokens looks again.
    private static let lookAgainSeconds = 0.05

    private func ask(_ wanted: Int) async {
        do {
            let granted = try await lease(site, rate.perSecond, wanted)
            state.withLock { state in
                state.tokens.leased(granted, at: clock.steady())
                state.isAsking = false
            }
        } catch {
            state.withLock { state in
                state.tokens.storeFailed(at: clock.steady())
                state.isAsking = false
            }
        }
    }
}
