import Campaigns
import DNSResolution
import Fleet
import Logging
import MailSigning
import MailTypes
import NIOCore
import SendingDomains
import TLSPolicies
import TrafficShaping
import Vault

/// The parts of an engine, connected.
struct EngineAssembly {
    let journal: JournalWriter
    let signing: SigningQueue
    let batches = ActiveBatches()
    let lanes: LaneRegistry
    let dispatcher: Dispatcher
    let rules: ShapingRules
    let orders: OrderKeeper
    let recovery: NodeRecovery
    let claims: ClaimLoop
    let testClaims: TestClaims
    let leases: LeaseKeeper
    let sweeps: Sweeps
    let gates: ProviderGates
    let blocks: BlockWatch
    /// Nil where receivers are told nothing of their TLS.
    let tlsReporter: TLSReporter?

    /// What the parts are made from.
    struct Materials {
        let configuration: DeliveryConfiguration
        let store: DeliveryStore
        let fleetStore: FleetStore
        let reportTable: TLSReportTable
        let local: LocalJournal?
        let vault: Vault
        let domains: SendingDomains
        let batchSigner: BatchSigner
        let resolver: Resolver?
        let tlsPolicies: TLSPolicyResolver?
        let ownAddresses: Set<IPAddress>
        let metrics: DeliveryMetrics
        let accounting: AccountingLog?
        let clock: DeliveryClock
        let dice: Dice
        let group: any EventLoopGroup
        let logger: Logger

        /// Where all mail goes by smarthosts there is nothing to tell of receivers.
        var tlsReports: TLSReportSettings? {
            resolver != nil && configuration.deliversDirectly ? configuration.tlsReports : nil
        }
    }

    init(_ given: Materials) {
        let (configuration, store, logger) = (given.configuration, given.store, given.logger)
        let budget = ConnectionBudget(configuration.connections)
        let fleet = FleetState()
        let tlsResults = given.tlsReports.map { _ in TLSResults() }
        let runtimes = given.runtimes()
        signing = SigningQueue(given.batchSigner)
        journal = given.journal(budget, signing)
        blocks = BlockWatch(
            store: store, share: configuration.refusals.brakeShare, metrics: given.metrics, clock: given.clock,
            logger: logger)
        let fates = given.fates(journal, blocks, fleet)
        let sender = Sender(
            fates: fates, signing: signing, marks: given.local?.marks, accounting: given.accounting,
            clock: given.clock, logger: logger)
        rules = ShapingRules(
            configuration.providers, configured: configuration.laneLimits, smarthosts: configuration.smarthostLimits)
        let gates = ProviderGates(
            policy: configuration.governor, fleet: fleet, leaseTokens: given.leaseTokens, clock: given.clock)
        self.gates = gates
        let environment = LaneEnvironment(
            policy: configuration.governor, budget: budget, fleet: fleet, sender: sender, group: given.group,
            clock: given.clock, logger: logger)
        lanes = LaneRegistry(
            configuration, rules: rules, in: environment, leaseTokens: given.leaseTokens,
            providerGate: { gates.gate($0, $1) }, tlsResults: tlsResults)
        let destinations = given.destinations(rules)
        dispatcher = Dispatcher(
            resolver: destinations,
            smarthosts: Smarthosts(configuration.smarthosts, domains: configuration.domains, rules: rules),
            sources: SourceChooser(pools: configuration.sources, fleet: fleet, clock: given.clock), lanes: lanes,
            sender: sender, dice: given.dice)
        orders = OrderKeeper(
            store: store, fleetStore: given.fleetStore, batches: batches, lanes: lanes, gates: gates,
            clock: given.clock, logger: logger)
        recovery = NodeRecovery(
            node: configuration.node, sources: configuration.sources.values.flatMap(\.sources).map { NodeSource($0) },
            addresses: configuration.sourceAddresses(of: given.ownAddresses), store: store,
            fleetStore: given.fleetStore, vault: given.vault, logger: logger)
        let completion = CampaignCompletion(store: store, runtimes: runtimes, logger: logger)
        leases = LeaseKeeper(
            configuration: configuration, store: store, batches: batches, clock: given.clock, logger: logger)
        let worker = BatchWorker(
            node: configuration.node, store: store, journal: journal, runtimes: runtimes,
            opener: BatchOpener(
                journal: journal, way: .lanes(dispatcher), fates: fates, suppressions: given.suppressions,
                clock: given.clock),
            batches: batches, orders: orders, completion: completion, blocks: blocks, metrics: given.metrics,
            clock: given.clock, logger: logger)
        claims = ClaimLoop(
            configuration: configuration, store: store, batches: batches, fleet: fleet, worker: worker,
            leases: leases, journal: journal, metrics: given.metrics, clock: given.clock, logger: logger)
        let testFates = given.testFates(journal)
        let testMail = TestMail(
            sender: Sender(
                fates: testFates, signing: signing, marks: given.local?.marks, clock: given.clock, logger: logger),
            store: store, clock: given.clock, isBusy: { [batches] in batches.now.hasLiveMailWaiting })
        testClaims = TestClaims(claims: claims.forTests(testMail, testFates))
        sweeps = Sweeps(
            configuration: configuration, store: store, fleetStore: given.fleetStore, batches: batches, lanes: lanes,
            gates: gates, fleet: fleet, completion: completion, mtaSTSPolicies: given.tlsPolicies?.policies,
            clock: given.clock,
            logger: logger)
        tlsReporter = given.tlsReporter(tlsResults, destinations)
    }
}

extension EngineAssembly.Materials {
    fileprivate var suppressions: JournalWriter.SuppressionCheck {
        { [store] in try await store.suppressed($0) }
    }

    fileprivate var leaseTokens: SiteRate.Lease {
        { [fleetStore] in try await fleetStore.leaseSiteTokens($0, rate: $1, wanted: $2) }
    }

    fileprivate func runtimes() -> RuntimeCache {
        RuntimeCache(clock: clock) { [configuration, store, local, vault, domains] account, campaign in
            let sendable = try await store.sendable(account, campaign)
            guard try await domains.permission(account, sendable.fromDomain).sends else {
                // Its batches are given back, and claimed again once it is resumed.
                _ = try await store.pause(
                    account, campaign, reason: CampaignService.pauseReason(sendable.fromDomain))
                throw CampaignError(.domainNotProven, "campaign paused: \(sendable.fromDomain) is not proven")
            }
            return try CampaignRuntime(
                account: account, campaign: campaign, sendable: sendable,
                signer: try await domains.signer(account, sendable.fromDomain),
                keys: try await vault.accountKeys(account),
                sealer: local == nil ? nil : JournalSealer(key: try await vault.campaignKey(account, campaign)),
                inDoubtResends: configuration.inDoubtResends, publicURL: configuration.publicURL,
                feedbackSender: configuration.feedbackSender,
                namesFeedbackAddresses: configuration.namesFeedbackAddresses)
        }
    }

    fileprivate func journal(_ budget: ConnectionBudget, _ signing: SigningQueue) -> JournalWriter {
        JournalWriter(
            store: store, local: local, suppressions: suppressions, node: configuration.node,
            interval: configuration.journalInterval, underWay: { budget.inUse }, onRound: { signing.flush() },
            deadAfter: configuration.deadAfterCampaigns, metrics: metrics, clock: clock, logger: logger)
    }

    fileprivate func fates(_ journal: JournalWriter, _ blocks: BlockWatch, _ fleet: FleetState) -> FateRecorder {
        FateRecorder(
            journal: journal, retry: configuration.retry, refusals: configuration.refusals, blocks: blocks,
            hasRate: { fleet.shaping(of: $0)?.rate != nil }, metrics: metrics, clock: clock, dice: dice)
    }

    /// Those of test mail: counted apart, so that no number of the node has them; tried again within seconds, since nobody needs
    /// sparing; and without blocks that pause a campaign.
    fileprivate func testFates(_ journal: JournalWriter) -> FateRecorder {
        var refusals = RefusalPolicy()
        refusals.mostAttempts = 2
        return FateRecorder(
            journal: journal, retry: RetrySchedule(baseSeconds: 2, maximumSeconds: 4), refusals: refusals,
            metrics: DeliveryMetrics(), clock: clock, dice: dice)
    }

    fileprivate func destinations(_ rules: ShapingRules) -> DestinationResolver {
        DestinationResolver(
            configuration, rules: rules, resolver: resolver, tlsPolicies: tlsPolicies, ownAddresses: ownAddresses)
    }

    fileprivate func tlsReporter(_ results: TLSResults?, _ destinations: DestinationResolver) -> TLSReporter? {
        guard let tlsReports, let results, let resolver else { return nil }
        return TLSReporter(
            tlsReports, results, table: reportTable,
            world: .real(
                configuration, destinations: destinations, resolver: resolver, domains: domains, clock: clock,
                dice: dice,
                group: group),
            logger: logger)
    }
}
