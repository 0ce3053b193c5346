import Campaigns
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

    private let state = Mutex(State())

    /// Nodes that deliver, this one included.
    var nodes: Int { state.withLock(\.nodes) }

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

    func refresh(from store: DeliveryStore, node: String, aliveSeconds: Double, day: Int) async throws {
        let nodes = try await store.heartbeat(node: node, aliveSeconds: aliveSeconds)
        let accounts = try await store.shapings()
        let untold = state.withLock { state in
            state.nodes = max(1, nodes)
            state.accounts = accounts
            return state.untold
        }
        let sums = try await store.countUsage(untold, onDay: day)
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

/// Spreads the claims of accounts whose rate is capped, so that a capped campaign waits in the database and not here.
struct AccountPacer: Sendable {
    /// When all that was claimed of an account will have gone at its rate.
    private var spentUntil: [AccountID: SteadySeconds] = [:]

    /// Accounts that get no batch now.
    mutating func waiting(at now: SteadySeconds) -> [AccountID] {
        spentUntil = spentUntil.filter { $0.value > now }
        return spentUntil.keys.filter { spentUntil[$0, default: 0] > now + Self.aheadSeconds }
    }

    /// - Parameter rate: mails a second that this node may send for the account.
    mutating func claimed(_ count: Int, of account: AccountID, rate: Double, at now: SteadySeconds) {
        spentUntil[account] = max(spentUntil[account] ?? now, now) + Double(count) / rate
    }

    /// So much is claimed in advance, so that lanes do not run dry.
    private static let aheadSeconds = 1.0
}
