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
    let router: Router
    private let local: LocalJournal?
    private let fleet = FleetState()
    private let tlsReporter: TLSReporter?
    private let mtaSTSPolicies: MTASTSPolicies?
    let metrics = DeliveryMetrics()
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

        /// How many batches may be claimed now; nil once the engine stops. What waits for the rate of its account, or for
        /// name servers, keeps no other account's mail away.
        func appetite(_ configuration: DeliveryConfiguration, _ fleet: FleetState) -> Int? {
            guard stopReason == nil else { return nil }
            let opening = (activeBatches - runs.count) * MailLimits.batchRecipients
            let waiting = runs.values.reduce(opening) { sum, run in
                fleet.shaping(of: run.batch.id.account)?.rate == nil ? sum + run.queuedCount : sum
            }
            let missing = configuration.waitingMails - waiting
            return max(
                0,
                min(
                    configuration.activeBatches - activeBatches,
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
    ///   - resolver: needed unless the configuration has routes.
    ///   - tlsPolicies: what receivers publish of their TLS (DANE, MTA-STS).
    ///   - ownAddresses: of this machine; mail that would lead there bounces.
    package init(
        configuration: DeliveryConfiguration, store: DeliveryStore, local: LocalJournal? = nil, vault: Vault,
        domains: SendingDomains,
        resolver: Resolver?, tlsPolicies: TLSPolicyResolver? = nil, ownAddresses: Set<IPAddress> = [],
        group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.logger = logger
        let check: JournalWriter.SuppressionCheck = { try await store.suppressed($0, $1) }
        self.local = local
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
                sealer: local == nil ? nil : try await store.journalSealer(account, campaign),
                inDoubtResends: configuration.inDoubtResends, publicURL: configuration.publicURL,
                brakeShare: configuration.refusals.brakeShare)
        }
        // With smarthosts in between there is nothing to tell of receivers.
        let reports = resolver == nil || !configuration.routes.isEmpty ? nil : configuration.tlsReports
        let tlsResults = reports.map { _ in TLSResults() }
        let router = Router(
            configuration: configuration, budget: budget, fleet: fleet,
            leaseTokens: { try await store.leaseSiteTokens($0, rate: $1, wanted: $2) }, resolver: resolver,
            tlsPolicies: tlsPolicies, tlsResults: tlsResults, ownAddresses: ownAddresses,
            group: group, logger: logger)
        opener = BatchOpener(
            journal: journal, router: router,
            sender: Sender(
                journal: journal, retry: configuration.retry, refusals: configuration.refusals,
                onBrake: BlockedCampaigns(store: store, runtimes: runtimes, metrics: metrics, logger: logger).pause,
                metrics: metrics, logger: logger),
            suppressions: check, now: Sender.wallClock)
        self.router = router
        mtaSTSPolicies = tlsPolicies?.policies
        if let reports, let tlsResults, let resolver {
            tlsReporter = TLSReporter(
                reports, tlsResults, store: store,
                world: .real(configuration, router: router, resolver: resolver, domains: domains, group: group),
                logger: logger)
        } else {
            tlsReporter = nil
        }
    }

    package func run() async throws {
        try await store.register(node: configuration.node, recovering: local)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await runUntilStopped()
            } onGracefulShutdown: {
                self.drain()
            }
        } onCancel: {
            self.stop(.abandon)
            Task { await router.shutdown() }
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
            group.addTask { await self.renewLeases() }
            group.addTask { await self.completeLeftovers() }
            group.addTask { await self.listenForWork() }
            group.addTask { await self.wakeRegularly() }
            group.addTask { await self.followFleet() }
            group.addTask { await self.followOrders() }
            group.addTask { await self.tlsReporter?.run() }
            group.addTask { await self.sharePolicies() }
            await claimUntilDrained()
            await journal.flush()
            await tlsReporter?.flush(looksUp: false)
            group.cancelAll()
        }
        await router.shutdown()
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
            await router.shutdown()
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
        try await opener.open(run)
        await run.wait()
        await journal.flush()
        try await conclude(run, recalls: recalls)
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
            await router.closeIdleLanes()
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

    private func listenForWork() async {
        for await _ in store.workSignals() { wakeUp.raise() }
    }

    private func followFleet() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(2))
            await refreshFleet()
        }
    }

    private func refreshFleet() async {
        do {
            try await fleet.refresh(
                from: store, node: configuration.node, aliveSeconds: Double(configuration.leaseSeconds),
                day: Int(Sender.wallClock() / 86_400))
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
            router.shed()
            wakeUp.raise()
        }
    }
}
