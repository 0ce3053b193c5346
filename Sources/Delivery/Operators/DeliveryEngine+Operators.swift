package import Campaigns
import Logging
import MailSigning
import MailTypes
package import SMTPTransport
package import TrafficShaping

// What operators see and do while the engine runs. A lane is named as ``LaneID/matches(_:)`` says; an action reaches all
// lanes so named, on this node, and is told by their names.
extension DeliveryEngine {
    package var status: EngineStatus {
        let (workload, orders) = (batches.now, orders.active)
        let stopped = orders.stoppedAccounts
        var accounts: [AccountID: (batches: Int, waiting: Int)] = [:]
        for account in stopped { accounts[account] = (0, 0) }
        for run in workload.runs.values {
            let account = run.batch.id.account
            accounts[account, default: (0, 0)].batches += 1
            accounts[account, default: (0, 0)].waiting += run.waitingCount
        }
        let counts = metrics.accounts
        var nodeCounts = metrics.counts
        nodeCounts.recipientsUnreadable = store.unreadableRecipients
        nodeCounts.recipientsUnsendable = store.unsendableRecipients
        nodeCounts.batchesUnopened = store.unopenedBatches
        return EngineStatus(
            node: configuration.node, uptimeSeconds: clock.steady() - startedAt,
            isDraining: workload.stopReason != nil,
            counts: nodeCounts, signing: signing.status, activeBatches: workload.activeBatches,
            waitingMessages: accounts.values.reduce(0) { $0 + $1.waiting }, connections: lanes.budget.inUse,
            connectionLimit: configuration.connections,
            lanes: lanes.all.map { LaneReport($0.snapshot) }.sorted { $0.name < $1.name },
            accounts: accounts.map { account, work in
                AccountReport(
                    account: account.rawValue, isStopped: stopped.contains(account), batches: work.batches,
                    waiting: work.waiting, counts: counts[account] ?? AccountCounts())
            }.sorted { $0.account < $1.account }, orders: orders.all.compactMap { OrderReport($0) },
            blocks: blocks.reports)
    }

    // MARK: Orders

    /// Orders something of lanes, on all nodes; this one obeys at once, the others follow within seconds.
    ///
    /// - Parameter seconds: after which the order ends by itself; nil until they are resumed.
    /// - Returns: this node's lanes that are meant, with the waiting mails that were ended; empty where there is no such
    ///   lane, and then nothing was ordered.
    package func order(
        _ action: OperatorOrder.Action, lanes pattern: String, seconds: Double? = nil, reason: String
    ) async throws -> [String: Int] {
        try await orders.give(action, lanes: pattern, seconds: seconds, reason: reason)
    }

    /// Lifts every order that names one of these lanes, and ends rests that lanes have brought on themselves. Mail
    /// that was given back for either is claimed again at once.
    ///
    /// - Returns: the lanes of this node and the orders that were meant; empty where there is neither.
    package func resume(lanes pattern: String) async throws -> [String] {
        try await orders.resume(lanes: pattern)
    }

    /// Sends what waits in this node's lanes back to the store, to come again in a minute.
    package func empty(lanes pattern: String) -> [String] {
        let lanes = lanes.all(pattern)
        for lane in lanes { lane.empty() }
        if !lanes.isEmpty { logger.notice("lanes emptied", metadata: ["lanes": "\(pattern)"]) }
        return lanes.map(\.id.description).sorted()
    }

    /// Obeys what was ordered elsewhere, without waiting for the next look.
    package func refreshOrders() async { await orders.refresh() }

    // MARK: Rules

    /// Opens the file of the accounting log anew, after it was moved away.
    package func reopenAccountingLog() { accounting?.reopen() }

    /// Applies provider rules that were read anew, at once and to lanes still to be made.
    ///
    /// - Returns: the names of the lanes whose rules have changed.
    package func reload(providers: ProviderRules) -> [String] {
        rules.replace(by: providers)
        gates.follow(providers)
        return lanes.rulesChanged()
    }

    // MARK: Smarthosts

    /// Applies smarthosts and rules of domains that were read anew, at once and to lanes still to be made. Connections that
    /// are open end the mails they have; what waited for want of a login is tried at once, and what waits for a smarthost
    /// that has gone goes back to the store.
    ///
    /// - Parameter smarthosts: with their addresses.
    /// - Returns: the names of those that differ from before.
    /// - Throws: ``RoutesNeedRestart``, and then nothing has changed.
    package func reload(
        smarthosts: [Smarthost], domains: DomainRules = DomainRules()
    ) async throws(RoutesNeedRestart) -> [String] {
        let usual = Set(smarthosts.lazy.filter { !$0.isOnlyNamed }.map(\.name))
        let present = dispatcher.smarthosts.usualNames
        let needsResolver =
            DeliveryConfiguration.deliversDirectly(smarthosts, domains) && !configuration.deliversDirectly
        guard usual == present, !needsResolver else {
            throw RoutesNeedRestart(
                added: usual.subtracting(present).sorted(), removed: present.subtracting(usual).sorted())
        }
        let (changed, gone) = dispatcher.smarthosts.reload(smarthosts, domains: domains)
        for (old, new) in changed { lanes.follow(new, insteadOf: old) }
        for destination in gone { for lane in lanes.all where lane.id.from(nil) == destination.id { lane.empty() } }
        if !changed.isEmpty {
            do {
                try await orders.recall()
            } catch {
                // It comes back by itself, only later.
                logger.warning("waiting mail not called back", metadata: ["error": "\(error)"])
            }
        }
        return changed.compactMap(\.new.smarthost?.name)
    }

    // MARK: Trace

    /// What is said over the connections of these lanes from now on, also of lanes still to be made.
    package func trace(lanes pattern: String) -> SMTPTraceHub.Lines {
        lanes.traces.listen(to: pattern)
    }
}

/// What takes the mail of domains without rules has come or gone, by name; or mail is to go directly for the first time.
package struct RoutesNeedRestart: Error, Hashable, CustomStringConvertible {
    package let added: [String]
    package let removed: [String]

    package var description: String {
        let changes = added.map { "\($0) is new" } + removed.map { "\($0) is gone" }
        guard !changes.isEmpty else {
            return "no mail went to the recipients' own servers before: for that, restart the node"
        }
        return changes.joined(separator: ", ") + ": to add or remove smarthosts, restart the node"
    }
}
