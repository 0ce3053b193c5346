import Fleet
import MailTypes
import Synchronization
import TrafficShaping

/// What this node last heard of the others and of the operator's settings: read by lanes at any time, refreshed by the
/// engine every few seconds. While the database is away the last news stands.
final class FleetState: Sendable {
    fileprivate struct State {
        var nodes = 1
        var accounts: [AccountID: AccountShaping] = [:]
        /// What all nodes have sent today, as far as the database knew.
        var sentToday: [SourceUsage: Int] = [:]
        /// What this node has sent since it told the database last.
        var untold: [SourceUsage: Int] = [:]
        /// Mails that wait in lanes of sources that warm up. A source belongs to one node, so no other needs to know.
        var places: [SourceUsage: Int] = [:]
    }

    private let state: Mutex<State>

    /// - Parameter accounts: what holds until the first news.
    init(accounts: [AccountID: AccountShaping] = [:]) { state = Mutex(State(accounts: accounts)) }

    /// Nodes that deliver, this one included.
    var nodes: Int { state.withLock(\.nodes) }

    /// What holds for an account's mail in a lane of this node; nil where nothing was set.
    func terms(of account: AccountID) -> AccountTerms? {
        state.withLock { state in
            guard let shaping = state.accounts[account] else { return nil }
            let rate = shaping.rate.map { MessageRate(max(1, Int($0 / Double(state.nodes) * 3_600)), per: .hour) }
            return AccountTerms(weight: shaping.weight, rate: rate)
        }
    }

    func shaping(of account: AccountID) -> AccountShaping? { state.withLock { $0.accounts[account] } }

    /// Mails that a source has sent to a provider today, and those that wait to be sent.
    func sentToday(_ usage: SourceUsage) -> Int {
        state.withLock {
            $0.sentToday[usage, default: 0] + $0.untold[usage, default: 0] + $0.places[usage, default: 0]
        }
    }

    func takePlace(_ usage: SourceUsage) { state.withLock { $0.changePlaces(of: usage, by: 1) } }
    func giveBackPlace(_ usage: SourceUsage) { state.withLock { $0.changePlaces(of: usage, by: -1) } }

    /// A mail that had a place was sent.
    func usePlace(_ usage: SourceUsage) {
        state.withLock { state in
            state.changePlaces(of: usage, by: -1)
            state.untold[usage, default: 0] += 1
        }
    }

    /// - Parameter pools: of source addresses, on this node.
    func refresh(
        from store: FleetStore, node: String, aliveSeconds: Double, pools: [String], clock: DeliveryClock
    ) async throws {
        let start = clock.steady()
        let (nodes, time) = try await store.heartbeat(node: node, aliveSeconds: aliveSeconds, pools: pools)
        clock.heard(time, askedAt: start)
        let accounts = try await store.shapings()
        let untold = state.withLock { state in
            state.nodes = max(1, nodes)
            state.accounts = accounts
            return state.untold
        }
        let sums = try await store.countUsage(untold, onDay: clock.day)
        state.withLock { state in
            state.sentToday = sums
            for (usage, count) in untold { state.untold[usage, default: 0] -= count }
            state.untold = state.untold.filter { $0.value > 0 }
        }
    }
}

extension FleetState.State {
    fileprivate mutating func changePlaces(of usage: SourceUsage, by change: Int) {
        let count = places[usage, default: 0] + change
        places[usage] = count == 0 ? nil : count
    }
}
