import Campaigns
import HTTPAPI
import Logging
import Postgres

/// The pools of a process, apart from each other, so that who waits in one keeps nobody waiting in another.
///
/// Each gives its sessions time-outs of its own (``SessionLimits``): short where all accounts wait for one answer, longer
/// where one account waits for its own.
struct Pools: Sendable {
    /// Journal, claims, leases: what all accounts' mail waits for.
    let journal: PostgresPool
    /// Opening, settling and giving back the batches that this node has; an account after the other, with a share each.
    let settlement: PostgresPool
    /// Requests of the API; each account has a share, and its recipients (who unsubscribe) another. Their sessions see the
    /// rows of the account that they work for, and no others.
    let api: PostgresPool
    /// Portions of uploads and their ends; `APILimits.uploads` bounds how many uploads there are. Confined like `api`.
    let uploads: PostgresPool
    /// What comes in before its account is known, or for several at once: keys that are looked up, sign-ins and
    /// sessions, mail that comes back, what providers report, the proof of domains.
    let intake: PostgresPool
    /// Sweeps, purges, what operators order and ask.
    let housekeeping: PostgresPool
    /// The outbox of webhooks: its rows wait for the other side, not its connections.
    let webhooks: PostgresPool
    /// Wrapped keys, for all of these. Its statements wait for nobody.
    let vault: PostgresPool

    /// Connections beside the pools: one that listens for work, one that holds the node's name, two of migrations.
    static let others = 4
    /// The most that a node opens to the records, and to the vault.
    static let ofRecords = [
        Bounds.journal, .settlement, .api, .uploads, .intake, .housekeeping, .webhooks,
    ].reduce(others) { $0 + $1.connections }
    static let ofVault = Bounds.vault.connections

    /// The pools of a server.
    init(_ databases: Databases, logger: Logger) {
        let records = databases.records.app
        journal = Bounds.journal.pool(records, logger)
        settlement = Bounds.settlement.pool(records, logger)
        var confined = databases.confinedRecords
        confined.confinement = { $0?.account }
        api = Bounds.api.pool(confined, logger)
        uploads = Bounds.uploads.pool(confined, logger)
        intake = Bounds.intake.pool(records, logger)
        housekeeping = Bounds.housekeeping.pool(records, logger)
        webhooks = Bounds.webhooks.pool(records, logger)
        vault = Bounds.vault.pool(databases.vault.app, logger)
    }

    /// A command does one thing at a time, as an operator: one pool for all.
    init(ofCommand databases: Databases, logger: Logger) {
        housekeeping = Bounds.housekeeping.pool(databases.records.app, logger)
        (journal, settlement, api, uploads) = (housekeeping, housekeeping, housekeeping, housekeeping)
        (intake, webhooks) = (housekeeping, housekeeping)
        vault = Bounds.vault.pool(databases.vault.app, logger)
    }

    func close() async {
        for pool in [journal, settlement, api, uploads, intake, housekeeping, webhooks, vault] { await pool.close() }
    }

    /// Number, share and time-outs of a pool's connections. See docs/architecture.md, Connections.
    struct Bounds {
        let name: String
        let connections: Int
        var share: PoolShare?
        let limits: SessionLimits
        /// What a new session does once, and undoes, so that its first work is as quick as what follows.
        var rehearsal: String?

        /// One statement writes for all accounts: whoever holds a row of one of them must not stop the rest, so it gives up
        /// soon and comes again with the next group.
        static let journal = Bounds(
            name: "journal", connections: 6,
            limits: SessionLimits(lock: .milliseconds(500), statement: .seconds(20), idleInTransaction: .seconds(10)),
            rehearsal: DeliveryStore.claimRehearsal)
        /// Longer than a pause or a settlement of many batches takes; the batch is tried again.
        static let settlement = Bounds(
            name: "settlement", connections: 8, share: PoolShare(connections: 3),
            limits: SessionLimits(lock: .seconds(3), statement: .seconds(60), idleInTransaction: .seconds(15)))
        /// Shorter than clients wait. A transaction that cancels a large campaign reads its journal in between.
        static let api = Bounds(
            name: "api", connections: 10,
            share: PoolShare(connections: APILimits.connectionsPerAccount, waiting: 16),
            limits: SessionLimits(lock: .seconds(3), statement: .seconds(60), idleInTransaction: .seconds(15)))
        /// The end of an upload numbers the batches of ten million recipients in one statement.
        static let uploads = Bounds(
            name: "uploads", connections: 8, share: PoolShare(connections: 3, waiting: 16),
            limits: SessionLimits(lock: .seconds(5), statement: .seconds(120), idleInTransaction: .seconds(15)))
        /// A key or a session is looked up in a statement that waits for nobody; the rest has shares.
        static let intake = Bounds(
            name: "intake", connections: 6, share: PoolShare(connections: 2, waiting: 16),
            limits: SessionLimits(lock: .seconds(3), statement: .seconds(60), idleInTransaction: .seconds(15)))
        /// The purge of ten million recipients is one statement a table. What is locked is left to the next sweep.
        static let housekeeping = Bounds(
            name: "housekeeping", connections: 4, share: PoolShare(connections: 2, waiting: 16),
            limits: SessionLimits(lock: .seconds(2), statement: .seconds(600), idleInTransaction: .seconds(30)))
        /// Each statement is short; the sweep takes what nobody else has.
        static let webhooks = Bounds(
            name: "webhooks", connections: 4,
            limits: SessionLimits(lock: .seconds(2), statement: .seconds(60), idleInTransaction: .seconds(15)))
        static let vault = Bounds(
            name: "vault", connections: 8, share: PoolShare(connections: 3),
            limits: SessionLimits(lock: .seconds(2), statement: .seconds(10), idleInTransaction: .seconds(10)))

        func pool(_ configuration: PostgresConfiguration, _ logger: Logger) -> PostgresPool {
            var configuration = configuration
            configuration.applicationName = "sluice " + name
            configuration.maximumConnections = connections
            configuration.share = share
            configuration.limits = limits
            configuration.rehearsal = rehearsal
            return PostgresPool(configuration: configuration, logger: logger)
        }
    }
}
