import MailTypes
import Synchronization

/// The campaigns in work, compiled. Bounded: the one unused longest goes first.
final class RuntimeCache: Sendable {
    private struct Key: Hashable {
        let account: AccountID
        let campaign: CampaignID
    }

    private struct State {
        var runtimes: [Key: (runtime: CampaignRuntime, used: UInt64)] = [:]
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let load: @Sendable (AccountID, CampaignID) async throws -> CampaignRuntime

    init(capacity: Int = 64, load: @escaping @Sendable (AccountID, CampaignID) async throws -> CampaignRuntime) {
        self.capacity = capacity
        self.load = load
    }

    func runtime(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignRuntime {
        let key = Key(account: account, campaign: campaign)
        let known = state.withLock { state -> CampaignRuntime? in
            state.clock += 1
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
            state.runtimes[key] = (loaded, state.clock)
            return loaded
        }
    }

    func forget(_ account: AccountID, _ campaign: CampaignID) {
        state.withLock { $0.runtimes[Key(account: account, campaign: campaign)] = nil }
    }
}
