package import Campaigns
package import DNSResolution
import Foundation
package import Logging
package import MailTypes
package import NIOCore
import ServiceLifecycle
import Synchronization
package import TLSPolicies
import TrafficShaping
package import Vault

/// Claims batches, sends their mails, records what came of them and settles them.
///
/// One engine runs in a node. `run()` returns after a graceful shutdown, when the mails under way have ended and every
/// batch is settled or given back; cancelling its task stops at once, and the next start finds what was under way in the
/// journal.
package final class DeliveryEngine: Service {
    let configuration: DeliveryConfiguration
    let store: DeliveryStore
    private let journal: JournalWriter
    private let runtimes: CampaignRuntimes
    private let opener: BatchOpener
    let dispatcher: Dispatcher
    let lanes: LaneRegistry
    let rules: ShapingRules
    private let local: LocalJournal?
    private let recovery: NodeRecovery
    private let fleet = FleetState()
    let gates: ProviderGates
    private let tlsReporter: TLSReporter?
    private let mtaSTSPolicies: MTASTSPolicies?
    let metrics: DeliveryMetrics
    let accounting: AccountingLog?
    let startedAt = Date()
    let logger: Logger

    struct State {
        var runs: [BatchID: BatchRun] = [:]
        /// Batches claimed and not yet done with, those that have no run yet included.
        var activeBatches = 0
        /// As last read.
        var orders = MailOrders()
        /// Readings of the orders that have begun, and the one that ``orders`` is of.
        var orderReadings = 0
        var ordersReading = 0
        /// How often mail of stopped lanes was called back.
        var recalls = 0
        /// Why nothing more is claimed, and what becomes of the batches in work.
        var stopReason: BatchRun.StopReason?
        /// Ends what a drain waits for in vain.
        var deadline: Task<Void, Never>?
        var pacer = AccountPacer()

        private static let mostLingering = 1_024

        /// How many batches may be claimed now; nil once the engine stops. What waits for the rate of its account, or for
        /// name servers, keeps no other account's mail away.
        func appetite(_ configuration: DeliveryConfiguration, _ fleet: FleetState) -> Int? {
            guard stopReason == nil else { return nil }
            let opening = (activeBatches - runs.count) * MailLimits.batchRecipients
            let waiting = runs.values.reduce(opening) { sum, run in
                fleet.shaping(of: run.batch.id.account)?.rate == nil ? sum + run.queuedCount : sum
            }
            let missing = configuration.waitingMails - waiting
            // What is left of batches that were settled in parts is a few mails each.
            let lingering = min(runs.values.count(where: \.isLingering), Self.mostLingering)
            return max(
                0,
                min(
                    configuration.activeBatches + lingering - activeBatches,
                    (missing + MailLimits.batchRecipients - 1) / MailLimits.batchRecipients))
        }

        /// Accounts with so many batches whose destinations are looked for that they get no more for now.
        func lookingUp(atMost most: Int) -> [AccountID] {
            var counts: [AccountID: Int] = [:]
            for run in runs.values where run.isLookingUp { counts[run.batch.id.account, default: 0] += 1 }
            return counts.filter { $0.value >= most }.map(\.key)
        }
    }

    let state = Mutex(State())
    private let wakeUp = Signal()

    /// - Parameters:
    ///   - local: the node's own files, of which no other process knows.
    ///   - resolver: needed unless the configuration has smarthosts.
    ///   - tlsPolicies: what receivers publish of their TLS (DANE, MTA-STS).
    ///   - ownAddresses: of this machine; mail that would lead there bounces.
    ///   - metrics: where the engine counts.
    ///   - accounting: gets a line for each attempt.
    package init(
        configuration: DeliveryConfiguration, store: DeliveryStore, local: LocalJournal? = nil, vault: Vault,
        domains: SendingDomains,
        resolver: Resolver?, tlsPolicies: TLSPolicyResolver? = nil, ownAddresses: Set<IPAddress> = [],
        metrics: DeliveryMetrics = DeliveryMetrics(), accounting: AccountingLog? = nil,
        group: any EventLoopGroup, logger: Logger
    ) {
        self.metrics = metrics
        self.accounting = accounting
        self.configuration = configuration
        self.store = store
        self.logger = logger
        let check: JournalWriter.SuppressionCheck = { try await store.suppressed($0, $1) }
        self.local = local
        recovery = NodeRecovery(node: configuration.node, store: store, vault: vault, logger: logger)
        let budget = ConnectionBudget(configuration.connections)
        journal = JournalWriter(
            store: store, local: local, suppressions: check, node: configuration.node,
            interval: configuration.journalInterval, underWay: { budget.inUse },
            deadAfter: configuration.deadAfterCampaigns, metrics: metrics, logger: logger)
        runtimes = CampaignRuntimes { [configuration, local] account, campaign in
            let sendable = try await store.sendable(account, campaign)
            return try CampaignRuntime(
                account: account, campaign: campaign, sendable: sendable,
                signer: try await domains.signer(account, sendable.fromDomain),
                keys: try await vault.accountKeys(account),
                sealer: local == nil ? nil : JournalSealer(key: try await vault.campaignKey(account, campaign)),
                inDoubtResends: configuration.inDoubtResends, publicURL: configuration.publicURL,
                brakeShare: configuration.refusals.brakeShare)
        }
        // With smarthosts in between there is nothing to tell of receivers.
        let reports = resolver == nil || !configuration.smarthosts.isEmpty ? nil : configuration.tlsReports
        let tlsResults = reports.map { _ in TLSResults() }
        let sender = Sender(
            journal: journal, marks: local?.marks, retry: configuration.retry, refusals: configuration.refusals,
            onBrake: BlockedCampaigns(store: store, runtimes: runtimes, metrics: metrics, logger: logger).pause,
            metrics: metrics, accounting: accounting, logger: logger)
        rules = ShapingRules(configuration.providers, configured: configuration.laneLimits)
        let destinations = DestinationResolver(
            configuration, rules: rules, resolver: resolver, tlsPolicies: tlsPolicies, ownAddresses: ownAddresses)
        let leaseTokens: SiteRate.Lease = { try await store.leaseSiteTokens($0, rate: $1, wanted: $2) }
        let gates = ProviderGates(policy: configuration.governor, fleet: fleet, leaseTokens: leaseTokens)
        self.gates = gates
        lanes = LaneRegistry(
            configuration, rules: rules,
            in: LaneEnvironment(
                policy: configuration.governor, budget: budget, fleet: fleet, sender: sender, group: group,
                logger: logger),
            leaseTokens: leaseTokens, providerGate: { gates.gate($0, $1) }, tlsResults: tlsResults)
        dispatcher = Dispatcher(
            resolver: destinations, smarthosts: Smarthosts(configuration.smarthosts, rules: rules),
            sources: SourceChooser(pools: configuration.sources, fleet: fleet, wallClock: Sender.wallClock),
            lanes: lanes, sender: sender)
        opener = BatchOpener(
            journal: journal, dispatcher: dispatcher, sender: sender, suppressions: check, now: Sender.wallClock)
        mtaSTSPolicies = tlsPolicies?.policies
        if let reports, let tlsResults, let resolver {
            tlsReporter = TLSReporter(
                reports, tlsResults, store: store,
                world: .real(
                    configuration, destinations: destinations, resolver: resolver, domains: domains, group: group),
                logger: logger)
        } else {
            tlsReporter = nil
        }
    }

    package func run() async throws {
        try await recovery.begin(local)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await runUntilStopped()
            } onGracefulShutdown: {
                self.drain()
            }
        } onCancel: {
            self.stop(.abandon)
            Task { await lanes.shutdown() }
        }
        state.withLock(\.deadline)?.cancel()
        await store.unregister(node: configuration.node)
    }

    private func runUntilStopped() async {
        // Before the first claim, or its mail would go as if the operator had set nothing.
        await refreshFleet()
        await refreshOrders()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.journal.run() }
            group.addTask { await self.lanes.run() }
            group.addTask { await self.renewLeases() }
            group.addTask { await self.completeLeftovers() }
            group.addTask { await self.listenForWork() }
            group.addTask { await self.wakeRegularly() }
            group.addTask { await self.followFleet() }
            group.addTask { await self.followOrders() }
            group.addTask { await self.followStops() }
            group.addTask { await self.tlsReporter?.run() }
            group.addTask { await self.sharePolicies() }
            await claimUntilDrained()
            await journal.flush()
            await tlsReporter?.flush(looksUp: false)
            await lanes.shutdown()
            group.cancelAll()
        }
        accounting?.flush()
    }

    /// Stops claiming and starts no more mail.
    private func stop(_ reason: BatchRun.StopReason) {
        let runs = state.withLock { state in
            if state.stopReason == nil || reason == .abandon { state.stopReason = reason }
            return Array(state.runs.values)
        }
        for run in runs { run.stop(reason) }
        wakeUp.raise()
    }

    /// Stops claiming and lets what is under way end.
    private func drain() {
        logger.info("draining", metadata: ["batches": "\(state.withLock(\.activeBatches))"])
        stop(.park)
        let deadline = Task {
            // Mails that have not ended by then are cut off; those past their final dot become in doubt.
            do { try await Task.sleep(for: .seconds(configuration.drainSeconds)) } catch { return }
            await lanes.shutdown()
            do { try await Task.sleep(for: Self.cutOffTime) } catch { return }
            // A mail that nobody has heard of by now must not keep the process. What was journalled stands.
            logger.warning("batches left as they are", metadata: ["batches": "\(state.withLock(\.activeBatches))"])
            stop(.abandon)
        }
        state.withLock { $0.deadline = deadline }
    }

    /// How long the mails that are cut off have to say so.
    private static let cutOffTime = Duration.seconds(5)

    // MARK: Claiming

    private func claimUntilDrained() async {
        await withDiscardingTaskGroup { group in
            wakeUp.raise()
            await wakeUp.onEach {
                guard let appetite = state.withLock({ $0.appetite(configuration, fleet) }) else { return .finish }
                // Taken before the claim, so that it cannot outlast the lease in the database.
                let leaseEnd = leaseEndFromNow
                for batch in await claim(upTo: appetite) {
                    start(batch, leaseEnd: leaseEnd, in: &group)
                }
                return .goOn
            }
        }
    }

    private func claim(upTo limit: Int) async -> [ClaimedBatch] {
        guard limit > 0 else { return [] }
        do {
            let waiting = state.withLock { state in
                state.pacer.waiting(at: SteadyClock.now) + state.lookingUp(atMost: configuration.lookUpBatches)
            }
            let batches = try await store.claim(
                node: configuration.node, leaseSeconds: configuration.leaseSeconds, limit: limit, waiting: waiting)
            pace(batches)
            return batches
        } catch {
            logger.warning("no batch claimed", metadata: ["error": "\(error)"])
            return []
        }
    }

    /// A node has its part of an account's rate.
    private func pace(_ batches: [ClaimedBatch]) {
        let now = SteadyClock.now
        for batch in batches {
            guard let rate = fleet.shaping(of: batch.id.account)?.rate else { continue }
            state.withLock {
                $0.pacer.claimed(
                    batch.records.count, of: batch.id.account, rate: rate / Double(fleet.nodes), at: now)
            }
        }
    }

    private func start(
        _ batch: ClaimedBatch, leaseEnd: ContinuousClock.Instant, in group: inout DiscardingTaskGroup
    ) {
        state.withLock { $0.activeBatches += 1 }
        metrics.count(\.batchesClaimed)
        group.addTask {
            do {
                try await self.work(on: batch, leaseEnd: leaseEnd)
            } catch {
                self.metrics.count(\.batchesFailed)
                // The lease runs out and the batch is claimed again; what was journalled stays.
                self.logger.error("batch given up", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
                try? await self.store.park(
                    batch.id, node: self.configuration.node, epoch: batch.epoch, dueInSeconds: 30)
            }
            self.state.withLock { state in
                state.activeBatches -= 1
                if state.runs[batch.id]?.batch.epoch == batch.epoch { state.runs[batch.id] = nil }
            }
            self.wakeUp.raise()
        }
    }

    /// A margin before the lease ends, so that no mail starts that another node might send as well.
    private var leaseEndFromNow: ContinuousClock.Instant {
        .now + .milliseconds(configuration.leaseSeconds * 900)
    }

    // MARK: One batch

    private func work(on batch: ClaimedBatch, leaseEnd: ContinuousClock.Instant) async throws {
        let runtime = try await runtimes.runtime(batch.id.account, batch.id.campaign)
        let run = BatchRun(
            batch, runtime: runtime,
            fingerprints: batch.records.map { runtime.keys.fingerprinter.fingerprint($0.address) }, leaseEnd: leaseEnd)
        if batch.standing == .cancelling { run.stop(.cancel) }
        if batch.standing == .paused { run.stop(.park) }
        let (stopReason, isSuspended, earlier) = state.withLock { state in
            let earlier = state.runs.updateValue(run, forKey: batch.id)
            return (state.stopReason, state.orders.suspend(batch, at: Sender.wallClock()), earlier)
        }
        // The lease of an earlier run ran out while the database was away.
        earlier?.stop(.abandon)
        if let stopReason { run.stop(stopReason) }
        if isSuspended && stopReason == nil {
            // The database has given it all the same: the order was lifted a moment ago, or the clocks differ.
            try await store.park(batch.id, node: configuration.node, epoch: batch.epoch, dueInSeconds: 1)
            metrics.count(\.batchesParked)
            return
        }
        let recalls = state.withLock(\.recalls)
        let endText = state.withLock { Self.endText(batch, $0.orders) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.opener.open(run, endingAs: endText)
                } catch {
                    run.stop(.abandon)
                    throw error
                }
            }
            await settleParts(of: run, recalls: recalls)
            group.cancelAll()
            try await group.waitForAll()
        }
        await journal.flush()
        try await conclude(run, recalls: recalls)
    }

    /// Why mail of an expired campaign gets no last attempt: its operator, or its own rate, would not have it.
    private static func endText(_ batch: ClaimedBatch, _ orders: MailOrders) -> String? {
        guard batch.isExpired else { return nil }
        if orders.names(batch.id) { return "the campaign expired while the operator held it" }
        return batch.isCapped ? "the rate of the campaign did not reach it before the expiry" : nil
    }

    /// Settles what is done of a batch while a few slow recipients keep the rest waiting; returns when all have their fate.
    private func settleParts(of run: BatchRun, recalls: Int) async {
        while await run.next() == .part {
            guard let part = run.takePart() else { continue }
            // What is done was journalled before it was called so.
            await journal.flush()
            do {
                let result = try await store.settlePart(
                    run.batch.id, node: configuration.node, epoch: run.batch.epoch, part.settlement,
                    untouched: part.untouched)
                guard result != .lost else {
                    run.stop(.abandon)
                    continue
                }
                run.settled(part)
                if part.settlement.awaitsResume && recalls != state.withLock(\.recalls) { try await store.recall() }
                wakeUp.raise()
            } catch {
                // The next part has it, or the end.
                logger.warning(
                    "part of a batch not settled", metadata: ["batch": "\(run.batch.id)", "error": "\(error)"])
            }
        }
    }

    /// - Parameter recalls: how many there had been when the work began.
    private func conclude(_ run: BatchRun, recalls: Int) async throws {
        let batch = run.batch
        switch run.conclusion() {
        case .abandon:
            metrics.count(\.batchesAbandoned)
            logger.warning("batch left to another run", metadata: ["batch": "\(batch.id)"])
        case .park:
            try await store.park(batch.id, node: configuration.node, epoch: batch.epoch, dueInSeconds: 0)
            metrics.count(\.batchesParked)
        case .settle(let settlement):
            let result = try await store.settle(
                batch.id, node: configuration.node, epoch: batch.epoch, settlement)
            metrics.count(\.batchesSettled)
            if settlement.awaitsResume && recalls != state.withLock(\.recalls) {
                // Called back in the meantime, when these mails were not in the store yet.
                try await store.recall()
            }
            if case .settled(campaignDone: true) = result { await complete(batch.id.account, batch.id.campaign) }
        }
    }

    // MARK: Completion

    private func complete(_ account: AccountID, _ campaign: CampaignID) async {
        runtimes.forget(account, campaign)
        do {
            _ = try await store.complete(account, campaign)
        } catch {
            // The regular sweep tries again.
            logger.warning("campaign not completed", metadata: ["campaign": "\(campaign)", "error": "\(error)"])
        }
    }

    /// Finishes campaigns whose last batch was settled by a node that died before the purge.
    private func completeLeftovers() async {
        while !Task.isCancelled {
            do {
                for (account, campaign) in try await store.unfinishedCompletions() {
                    await complete(account, campaign)
                }
            } catch {
                logger.warning("completions not swept", metadata: ["error": "\(error)"])
            }
            do {
                let joined = try await store.coalesceRetries()
                if joined > 0 { logger.debug("retry batches joined", metadata: ["count": "\(joined)"]) }
            } catch {
                logger.warning("retry batches not joined", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(15))
        }
    }

    // MARK: Background work

    private func renewLeases() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(configuration.leaseSeconds * 1_000 / 3))
            let runs = state.withLock { $0.runs }
            guard !runs.isEmpty else { continue }
            let leaseEnd = leaseEndFromNow
            do {
                let held = try await store.renew(
                    node: configuration.node, runs.map { ($0.key, $0.value.batch.epoch) },
                    leaseSeconds: configuration.leaseSeconds)
                for (batch, run) in runs {
                    if held.contains(batch) { run.extendLease(to: leaseEnd) } else { run.stop(.abandon) }
                }
            } catch {
                logger.warning("leases not renewed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Hears of pauses and cancellations where no journal group tells of them, because nothing ends.
    private func followStops() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let runs = state.withLock(\.runs)
            guard !runs.isEmpty else { continue }
            do {
                for (batch, epoch, standing) in try await store.stopped(node: configuration.node) {
                    guard let run = runs[batch], run.batch.epoch == epoch else { continue }
                    run.stop(standing == .cancelling ? .cancel : .park)
                }
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("pauses and cancellations not read", metadata: ["error": "\(error)"])
            }
        }
    }

    private func listenForWork() async {
        for await _ in store.workSignals() { wakeUp.raise() }
    }

    private func followFleet() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(2))
            await refreshFleet()
            await lanes.closeIdle()
        }
    }

    private func refreshFleet() async {
        do {
            try await fleet.refresh(
                from: store, node: configuration.node, aliveSeconds: Double(configuration.leaseSeconds),
                day: Int(Sender.wallClock() / 86_400))
            gates.hear(try await store.exchange(gates.ownRests))
        } catch {
            // A node that ends needs none.
            guard !Task.isCancelled else { return }
            logger.warning("no news of the other nodes", metadata: ["error": "\(error)"])
        }
    }

    /// Takes up the MTA-STS policies that other nodes have fetched. What this one fetches is shared at once; what failed
    /// then, here.
    private func sharePolicies() async {
        guard let mtaSTSPolicies else { return }
        while !Task.isCancelled {
            do {
                try await mtaSTSPolicies.exchange()
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("MTA-STS policies not shared", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(15))
        }
    }

    /// Looks for work that came due, and again after a failed claim.
    private func wakeRegularly() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(250))
            lanes.tick()
            for run in state.withLock({ Array($0.runs.values) }) { run.tick() }
            wakeUp.raise()
        }
    }
}
