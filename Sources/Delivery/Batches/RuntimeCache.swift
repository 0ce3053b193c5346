import MailTypes
import Synchronization
import TrafficShaping

/// The campaigns in work, compiled. Bounded in number, the one unused longest goes first, and in age, because keys are
/// replaced and domains lose their proof while a campaign is under way.
final class RuntimeCache: Sendable {
    private struct Key: Hashable {
        let account: AccountID
        let campaign: CampaignID
    }

    private struct State {
        var runtimes: [Key: (runtime: CampaignRuntime, used: UInt64, until: SteadySeconds)] = [:]
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let clock: DeliveryClock
    private let load: @Sendable (AccountID, CampaignID) async throws -> CampaignRuntime

    init(
        capacity: Int = 64, clock: DeliveryClock,
        load: @escaping @Sendable (AccountID, CampaignID) async throws -> CampaignRuntime
    ) {
        self.capacity = capacity
        self.clock = clock
        self.load = load
    }

    func runtime(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignRuntime {
        let key = Key(account: account, campaign: campaign)
        let now = clock.steady()
        let known = state.withLock { state -> CampaignRuntime? in
            state.clock += 1
            if let known = state.runtimes[key], known.until <= now { state.runtimes[key] = nil }
            state.runtimes[key]?.used = state.clock
            return state.runtimes[key]?.runtime
        }
        if let known { return known }
        let loaded = try await load(account, campaign)
        return state.withLock { state in
            if let other = state.runtimes[key]?.runtime { return other }
            if state.runtimes.count >= capacity, let oldest = state.runtimes.min(by: { $0.value.used < $1.value.used })
            {
                state.runtimes[oldest.key] = nil
            }
            state.clock += 1
            state.runtimes[key] = (loaded, state.clock, now + Self.lifetime)
            return loaded
        }
    }

    private static let lifetime: SteadySeconds = 300

    func forget(_ account: AccountID, _ campaign: CampaignID) {
        state.withLock { $0.runtimes[Key(account: account, campaign: campaign)] = nil }
    }
}
