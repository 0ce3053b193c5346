import Campaigns
import Foundation
import Logging
package import MailTypes
package import SMTPTransport
import Synchronization
package import TrafficShaping

// What operators see and do while the engine runs. A lane is named by its name, its site, one of its mail hosts or its
// provider; an action reaches all lanes so named, on this node, and is told by their names.
extension DeliveryEngine {
    package var status: EngineStatus {
        let (runs, activeBatches, held, isDraining) = state.withLock { state in
            (Array(state.runs.values), state.activeBatches, state.heldAccounts, state.stopReason != nil)
        }
        var accounts: [AccountID: (batches: Int, waiting: Int)] = [:]
        for account in held { accounts[account] = (0, 0) }
        for run in runs {
            let account = run.batch.id.account
            accounts[account, default: (0, 0)].batches += 1
            accounts[account, default: (0, 0)].waiting += run.waitingCount
        }
        let counts = metrics.accounts
        return EngineStatus(
            node: configuration.node, uptimeSeconds: Date().timeIntervalSince(startedAt), isDraining: isDraining,
            counts: metrics.counts, activeBatches: activeBatches,
            waitingMails: accounts.values.reduce(0) { $0 + $1.waiting }, connections: router.budget.inUse,
            connectionLimit: configuration.connections,
            lanes: router.snapshots.map { LaneReport($0) }.sorted { $0.name < $1.name },
            accounts: accounts.map { account, work in
                AccountReport(
                    account: account.rawValue, isHeld: held.contains(account), batches: work.batches,
                    waiting: work.waiting, counts: counts[account] ?? AccountCounts())
            }.sorted { $0.account < $1.account })
    }

    // MARK: Lanes

    /// Starts no more mail over these lanes; what is under way ends, and what waits goes back to the store unless the
    /// hold ends soon.
    ///
    /// - Parameter seconds: nil until they are resumed.
    package func hold(lanes pattern: String, seconds: Double?, reason: String) -> [String] {
        onLanes(pattern, "lane held") { lane in
            router.holds.hold(lane, until: seconds.map { SteadyClock.now + $0 }, reason: reason)
        }
    }

    /// Ends holds, and suspensions that the lane has brought on itself.
    package func resume(lanes pattern: String) -> [String] {
        onLanes(pattern, "lane resumed") { router.holds.resume($0) }
    }

    /// Sends what waits back to the store, to come again in a minute.
    package func empty(lanes pattern: String) -> [String] {
        onLanes(pattern, "lane emptied") { $0.empty() }
    }

    /// Ends what waits in these lanes as bounced. What waits in the store, or comes later, is not touched.
    ///
    /// - Returns: the lanes' names with the mails that were ended.
    package func fail(lanes pattern: String) -> [String: Int] {
        var failed: [String: Int] = [:]
        _ = onLanes(pattern, "lane failed") { failed[$0.name] = $0.fail() }
        return failed
    }

    private func onLanes(_ pattern: String, _ message: Logger.Message, _ action: (Lane) -> Void) -> [String] {
        let lanes = router.allLanes.filter { Lane.matches(name: $0.name, provider: $0.provider.name, pattern) }
        for lane in lanes {
            action(lane)
            logger.notice(message, metadata: ["lane": "\(lane.name)"])
        }
        return lanes.map(\.name).sorted()
    }

    // MARK: Rules

    /// Applies provider rules that were read anew, at once and to lanes still to be made.
    ///
    /// - Returns: the names of the lanes whose rules have changed.
    package func reload(providers: ProviderRules) -> [String] { router.reload(providers) }

    // MARK: Accounts

    /// Keeps an account's mail back, on all nodes and over restarts. Mails under way end; the rest goes back to the store.
    ///
    /// - Returns: false if there is no such account.
    package func hold(account: AccountID) async throws -> Bool {
        guard try await store.hold(account: account) else { return false }
        logger.notice("account held", metadata: ["account": "\(account)"])
        try await readHolds()
        return true
    }

    /// - Returns: false if it was not held.
    package func resume(account: AccountID) async throws -> Bool {
        // Before the store: what is claimed a moment later must not be given back.
        _ = state.withLock { $0.heldAccounts.remove(account) }
        let wasHeld = try await store.resume(account: account)
        if wasHeld { logger.notice("account resumed", metadata: ["account": "\(account)"]) }
        try await readHolds()
        return wasHeld
    }

    /// Another node may have been told.
    func watchHolds() async {
        while !Task.isCancelled {
            do {
                try await readHolds()
            } catch {
                logger.warning("held accounts not read", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }

    private func readHolds() async throws {
        let held = try await store.heldAccounts()
        let runs = state.withLock { state in
            state.heldAccounts = held
            return held.isEmpty ? [] : state.runs.values.filter { held.contains($0.batch.id.account) }
        }
        for run in runs { run.stop(.park) }
    }

    // MARK: Trace

    /// What is said over the connections of these lanes from now on, also of lanes still to be made.
    package func trace(lanes pattern: String) -> SMTPTraceHub.Lines {
        router.traces.listen { lane in
            let provider = lane.split(separator: " ", maxSplits: 1).first.map(String.init) ?? ""
            return Lane.matches(name: lane, provider: provider, pattern)
        }
    }
}
