package import Campaigns
package import DNSResolution
package import Fleet
package import Logging
package import MailSigning
package import MailTypes
package import NIOCore
package import SendingDomains
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
///
/// Its parts: ``ClaimLoop`` claims and has ``BatchWorker`` work; a worker opens its batch into the lanes (``BatchOpener``),
/// which send; ``JournalWriter`` commits what they send; ``LeaseKeeper``, ``OrderKeeper`` and ``Sweeps`` look after the
/// rest. Test mail is claimed by ``TestClaims`` and goes nowhere (``TestMail``). ``EngineAssembly`` connects them.
package final class DeliveryEngine: Service {
    let configuration: DeliveryConfiguration
    let metrics: DeliveryMetrics
    let accounting: AccountingLog?
    let clock: DeliveryClock
    let startedAt: SteadySeconds
    let logger: Logger
    let store: DeliveryStore
    private let fleetStore: FleetStore
    private let local: LocalJournal?
    private let recovery: NodeRecovery
    private let journal: JournalWriter
    package let signing: SigningQueue
    let batches: ActiveBatches
    let lanes: LaneRegistry
    let dispatcher: Dispatcher
    let rules: ShapingRules
    let gates: ProviderGates
    let blocks: BlockWatch
    let orders: OrderKeeper
    private let claims: ClaimLoop
    private let testClaims: TestClaims
    private let leases: LeaseKeeper
    let sweeps: Sweeps
    private let tlsReporter: TLSReporter?
    /// Ends what a drain waits for in vain.
    private let deadline = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - local: the node's own files, of which no other process knows.
    ///   - batchSigner: makes the RSA signatures.
    ///   - resolver: needed where the configuration delivers directly.
    ///   - tlsPolicies: what receivers publish of their TLS (DANE, MTA-STS).
    ///   - ownAddresses: of this machine; mail that would lead there bounces.
    ///   - metrics: where the engine counts.
    ///   - accounting: gets a line for each attempt.
    ///   - clock: for all that the engine decides by time.
    ///   - dice: for all that it leaves to chance.
    package init(
        configuration: DeliveryConfiguration, store: DeliveryStore, fleetStore: FleetStore,
        reportTable: TLSReportTable, local: LocalJournal? = nil, vault: Vault, domains: SendingDomains,
        batchSigner: BatchSigner = .libcrypto, resolver: Resolver?, tlsPolicies: TLSPolicyResolver? = nil,
        ownAddresses: Set<IPAddress> = [],
        metrics: DeliveryMetrics = DeliveryMetrics(), accounting: AccountingLog? = nil,
        clock: DeliveryClock = .system, dice: Dice = .system, group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.fleetStore = fleetStore
        self.local = local
        self.metrics = metrics
        self.accounting = accounting
        self.clock = clock
        startedAt = clock.steady()
        self.logger = logger
        let parts = EngineAssembly(
            .init(
                configuration: configuration, store: store, fleetStore: fleetStore, reportTable: reportTable,
                local: local, vault: vault, domains: domains, batchSigner: batchSigner, resolver: resolver,
                tlsPolicies: tlsPolicies, ownAddresses: ownAddresses, metrics: metrics, accounting: accounting,
                clock: clock, dice: dice, group: group, logger: logger))
        (recovery, journal, signing, tlsReporter) = (parts.recovery, parts.journal, parts.signing, parts.tlsReporter)
        (lanes, dispatcher, rules, gates) = (parts.lanes, parts.dispatcher, parts.rules, parts.gates)
        (batches, orders, claims) = (parts.batches, parts.orders, parts.claims)
        testClaims = parts.testClaims
        (leases, sweeps, blocks) = (parts.leases, parts.sweeps, parts.blocks)
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
            batches.stop(.abandon)
            Task { await lanes.shutdown() }
        }
        deadline.withLock { $0 }?.cancel()
        await fleetStore.unregister(node: configuration.node)
    }

    private func runUntilStopped() async {
        // Before the first claim, or its mail would go as if the operator had set nothing.
        await sweeps.hearOfOtherNodes()
        await orders.refresh()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.journal.run() }
            group.addTask { await self.signing.run() }
            group.addTask { await self.lanes.run() }
            group.addTask { await self.leases.run() }
            group.addTask { await self.blocks.run() }
            group.addTask { await self.orders.follow() }
            group.addTask { await self.sweeps.run() }
            group.addTask { await self.tlsReporter?.run() }
            async let tests: Void = testClaims.run()
            await claims.run()
            await tests
            await journal.flush()
            await blocks.tell()
            await tlsReporter?.flush(looksUp: false)
            await lanes.shutdown()
            group.cancelAll()
        }
        accounting?.flush()
    }

    // MARK: Shutdown

    /// Stops claiming and lets what is under way end.
    private func drain() {
        logger.info("draining", metadata: ["batches": "\(batches.now.activeBatches)"])
        batches.stop(.park)
        let task = Task {
            // Mails that have not ended by then are cut off; those past their final dot become in doubt.
            do { try await Task.sleep(for: .seconds(configuration.drainSeconds)) } catch { return }
            await lanes.shutdown()
            do { try await Task.sleep(for: Self.cutOffTime) } catch { return }
            // A mail that nobody has heard of by now must not keep the process. What was journalled stands.
            logger.warning("batches left as they are", metadata: ["batches": "\(batches.now.activeBatches)"])
            batches.stop(.abandon)
        }
        deadline.withLock { $0 = task }
    }

    /// How long the mails that are cut off have to say so.
    private static let cutOffTime = Duration.seconds(5)
}
