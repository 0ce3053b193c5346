import Campaigns
import Configuration
import CreditLedger
import Feedback
import Foundation
import Identity
import Logging
import MailTypes
import Postgres
import Vault

/// The opened databases and the services over them: what every command but `sink` works with.
final class Records: Sendable {
    let pool: PostgresPool
    let vault: Vault
    let ledger: CreditLedger
    let keys: APIKeys
    let idempotency: IdempotencyStore
    let suppressions: SuppressionList
    let domains: SendingDomains
    let campaigns: CampaignService
    let delivery: DeliveryStore
    let unsubscriber: Unsubscriber

    private let databases: Databases
    private let vaultPool: PostgresPool
    private let uploadPool: PostgresPool

    /// Opens or creates the databases, brings them up to date, and checks the master key.
    ///
    /// - Parameter role: `.server` holds the data directory for itself; `.client` joins a running server or starts the
    ///   private cluster for its own duration.
    static func open(_ settings: Settings, role: EmbeddedPostgres.Role, logger: Logger) async throws -> Records {
        let directory = settings.dataDirectory
        let source: Databases.Source =
            settings.text("databaseUrl").map { .server(url: $0, vaultURL: settings.text("vaultDatabaseUrl")) }
            ?? .embedded(dataDirectory: directory, role: role)
        let databases = try await Databases.open(source, logger: logger)
        do {
            try await migrate(databases)
            // The private database makes its directory itself.
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
            let masterKey = try MasterKey.load(
                environment: settings.text("masterKey"),
                file: settings.text("masterKeyFile", default: directory + "/master.key"))
            // What DNS advice names as the bounce host.
            let bounceHost = settings.text("helo").flatMap { try? DomainName($0) }
            let resultsFor = try settings.resultsSeconds()
            return try await Records(
                databases, masterKey: masterKey, bounceHost: bounceHost, resultsFor: resultsFor, logger: logger)
        } catch {
            await databases.close()
            throw error
        }
    }

    private static func migrate(_ databases: Databases) async throws {
        let records =
            CreditLedger.migrations + IdentitySchema.migrations + FeedbackSchema.migrations + CampaignSchema.migrations
            + Vault.recordsMigrations
        for (migrations, access) in [(records, databases.records), (Vault.migrations, databases.vault)] {
            let connection = try await PostgresConnection.connect(access.owner)
            do {
                try await Migrations.apply(migrations, on: connection)
            } catch {
                await connection.close()
                throw error
            }
            await connection.close()
        }
    }

    private init(
        _ databases: Databases, masterKey: MasterKey, bounceHost: DomainName?, resultsFor: Int, logger: Logger
    ) async throws {
        self.databases = databases
        pool = PostgresPool(configuration: databases.records.app, logger: logger)
        vaultPool = PostgresPool(configuration: databases.vault.app, logger: logger)
        uploadPool = PostgresPool(configuration: databases.records.app, logger: logger)
        vault = Vault(pool: vaultPool, records: pool, masterKey: masterKey)
        try await Self.refuseEmptyVault(vaultPool, pool)
        _ = try await vault.checkMasterKey()
        try await vault.completeAccounts()
        ledger = CreditLedger(chainKey: vault.ledgerChainKey)
        keys = APIKeys(pool: pool)
        idempotency = IdempotencyStore()
        suppressions = SuppressionList(records: pool, vault: vault)
        domains = SendingDomains(records: pool, vault: vault, bounceHost: bounceHost)
        campaigns = CampaignService(
            records: pool, uploads: uploadPool, vault: vault, ledger: ledger, suppressions: suppressions,
            domains: domains,
            resultsFor: resultsFor, logger: logger)
        delivery = DeliveryStore(
            records: pool, vault: vault, ledger: ledger, suppressions: suppressions, logger: logger)
        unsubscriber = Unsubscriber(records: pool, vault: vault, suppressions: suppressions)
    }

    /// Records that were restored without their vault would get new keys silently, and no suppression would match.
    private static func refuseEmptyVault(_ vault: PostgresPool, _ records: PostgresPool) async throws {
        let isEmpty = try await vault.query("SELECT NOT EXISTS (SELECT FROM vault_check)").first?.decode(Bool.self)
        guard isEmpty == true else { return }
        let hasAccounts = try await records.query("SELECT EXISTS (SELECT FROM accounts)").first?.decode(Bool.self)
        guard hasAccounts != true else {
            throw SettingError(
                setting: "vaultDatabaseUrl",
                problem: "the vault is empty, but the records have accounts: wrong database?")
        }
    }

    /// Opens an account with its key, and credits if any.
    ///
    /// - Throws: `LedgerError`, `VaultError`, `PostgresError`
    func createAccount(name: String, limit: Int64 = 0, credits: Int64) async throws -> AccountID {
        try await pool.withTransaction { [ledger, vault] connection in
            let account = try await ledger.createAccount(name: name, limit: limit, on: connection)
            try await vault.createAccountKey(account, on: connection)
            if credits > 0 {
                try await ledger.grant(credits, to: account, key: "opening", memo: "opening credits", on: connection)
            }
            return account
        }
    }

    /// - Throws: `CommandFailure` where there is no such account: else its lists would merely look empty.
    func requireAccount(_ account: AccountID) async throws {
        let exists = try await pool.query(
            "SELECT EXISTS (SELECT FROM accounts WHERE account_id = \(account.rawValue))"
        ).only.decode(column: 0, as: Bool.self)
        guard exists else { throw CommandFailure("there is no account \(account)") }
    }

    func close() async {
        await pool.close()
        await vaultPool.close()
        await uploadPool.close()
        await databases.close()
    }
}

extension Settings {
    /// For how long outcomes can be read after the end of a campaign.
    func resultsSeconds() throws -> Int {
        try number("resultsFor", default: 86_400, in: CampaignLimits.resultsSeconds)
    }

    /// `SLUICE_DATA`, or `/var/lib/sluice` for root and `~/.local/share/sluice` for others.
    var dataDirectory: String {
        let fallback = geteuid() == 0 ? "/var/lib/sluice" : NSHomeDirectory() + "/.local/share/sluice"
        return URL(fileURLWithPath: text("data", default: fallback)).path
    }
}
