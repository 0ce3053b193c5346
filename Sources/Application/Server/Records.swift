import ACME
import Campaigns
import CreditLedger
import DNSResolution
import Feedback
import Fleet
import Foundation
import HTTPAPI
import Identity
import Logging
import MailTypes
import Passwords
import Postgres
import ProviderWebhooks
import SendingDomains
import TLSPolicies
import Vault
import Webhooks

/// The opened databases and the services over them: what every command but `sink` works with. They see all accounts;
/// what the API works with is ``customers``.
final class Records: Sendable {
    let pools: Pools
    let vault: Vault
    let ledger: CreditLedger
    let keys: APIKeys
    let users: Users
    let sessions: Sessions
    let signIn: SignIn
    let factors: SecondFactors
    let passwordReset: PasswordReset
    /// Nil where strangers may not open accounts.
    let signUp: SignUp?
    let invitations: Invitations
    let joining: Joining
    /// Who sends the mail of this installation; nil where nobody is named.
    let installationMail: InstallationMail?
    let idempotency: IdempotencyStore
    let suppressions: SuppressionList
    /// Takes in what is said of mails that were sent.
    let feedback: FeedbackIntake
    let refunds: Refunds
    let domains: SendingDomains
    let campaigns: CampaignService
    let delivery: DeliveryStore
    let fleet: FleetStore
    let mtaSTSPolicies: MTASTSPolicyTable
    let tlsReports: TLSReportTable
    /// The same for one account at a time.
    let customers: CustomerRecords
    let providerSources: ProviderSources
    let providerIntake: ProviderIntake
    let providerPayloads: PayloadWorker
    let webhooks: WebhookEndpoints
    /// What operators have set for accounts; kept fresh by a server.
    let limits: AccountLimits
    /// Those that are ordered for the listeners of this installation.
    let certificates: ACMEStore
    /// Which accounts want to be told of what; kept fresh by a server.
    let webhookInterest = WebhookInterest()

    /// Where people reach this installation; nil where nobody has said so.
    let peopleURL: String?

    private let databases: Databases
    private let dns: ResolverConfiguration
    private let logger: Logger

    /// Of commands.
    var pool: PostgresPool { pools.housekeeping }

    /// For trials: where further nodes find the private database; nil where it is an operator's own.
    var privateDatabaseURL: String? {
        databases.embedded.map { embedded in
            let folder = embedded.endpoint.socketDirectory.replacingOccurrences(of: "/", with: "%2F")
            return "postgresql:///sluice?host=\(folder)&port=\(ServerEndpoint.port)&user=\(ServerEndpoint.superuser)"
        }
    }

    /// For trials: works as the owner of the tables.
    func withOwner<Value: Sendable>(_ work: (PostgresConnection) async throws -> Value) async throws -> Value {
        let connection = try await PostgresConnection.connect(databases.records.owner)
        do {
            let value = try await work(connection)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Opens or creates the databases, brings them up to date, and checks the master key.
    ///
    /// - Parameter role: `.server` holds the data directory for itself; `.client` joins a running server or starts the
    ///   private cluster for its own duration.
    static func open(_ settings: Settings, role: EmbeddedPostgres.Role, logger: Logger) async throws -> Records {
        let directory = settings.dataDirectory
        try settings.refusePlainDatabases(logger)
        let source: Databases.Source =
            settings.text(.databaseURL).map { .server(url: $0, vaultURL: settings.text(.vaultDatabaseURL)) }
            ?? .embedded(dataDirectory: directory, role: role)
        let databases = try await Databases.open(source, logger: logger)
        do {
            try await refuseUnsafe(databases, settings, role, logger)
            try await migrate(databases, logger)
            // The private database makes its directory itself.
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
            let masterKey = try MasterKey.load(
                environment: settings.text(.masterKey),
                file: settings.text(.masterKeyFile) ?? directory + "/master.key")
            // What DNS advice names as the bounce host.
            let bounceHost = settings.text(.helo).flatMap { try? DomainName($0) }
            let resultsFor = try settings.resultsSeconds()
            let refundFor = try settings.refundSeconds()
            let pools =
                role == .server ? Pools(databases, logger: logger) : Pools(ofCommand: databases, logger: logger)
            return try await Records(
                databases, pools, masterKey: masterKey, bounceHost: bounceHost,
                trustsDomains: settings.flag(.trustDomains), dns: ServerConfiguration.resolver(settings),
                resultsFor: resultsFor, refundFor: refundFor,
                allowsPrivate: settings.flag(.allowPrivateDestinations),
                installationMail: try settings.installationMail(),
                asksForCodes: try settings.flag(.newDeviceCodes), signUpsPerDay: try settings.signUpsPerDay(),
                peopleURL: try settings.peopleURL(), logger: logger)
        } catch {
            await databases.close()
            throw error
        }
    }

    /// What a server answers for must be on its disk.
    ///
    /// - Throws: ``SettingError``, unless the operator insists.
    private static func refuseUnsafe(
        _ databases: Databases, _ settings: Settings, _ role: EmbeddedPostgres.Role, _ logger: Logger
    ) async throws {
        let isServer = role == .server
        let problems = try await databases.problems(
            records: isServer ? Pools.ofRecords : 1, vault: isServer ? Pools.ofVault : 1)
        guard !problems.isEmpty else { return }
        guard try settings.flag(.allowUnsafeDatabase) else {
            throw SettingError(
                setting: .databaseURL,
                problem: "the PostgreSQL server is not safe: " + problems.map(\.description).joined(separator: "; ")
                    + ". --allow-unsafe-database insists")
        }
        for problem in problems {
            logger.critical(
                "THE DATABASE IS NOT SAFE, and used all the same", metadata: ["setting": "\(problem.description)"])
        }
    }

    private static func migrate(_ databases: Databases, _ logger: Logger) async throws {
        let records =
            CreditLedger.migrations + IdentitySchema.migrations + FeedbackSchema.migrations + CampaignSchema.migrations
            + Vault.recordsMigrations + FleetSchema.migrations + TLSPolicySchema.migrations
            + SendingDomainsSchema.migrations + ProviderWebhooksSchema.migrations + WebhookSchema.migrations
            + ACMESchema.migrations
        for (migrations, access) in [(records, databases.records), (Vault.migrations, databases.vault)] {
            try await Migrations.apply(migrations, as: access.owner, logger: logger)
        }
    }

    private init(
        _ databases: Databases, _ pools: Pools, masterKey: MasterKey, bounceHost: DomainName?, trustsDomains: Bool,
        dns: ResolverConfiguration, resultsFor: Int, refundFor: Int, allowsPrivate: Bool,
        installationMail: InstallationMail?, asksForCodes: Bool, signUpsPerDay: Int, peopleURL: String?,
        logger: Logger
    ) async throws {
        self.installationMail = installationMail
        self.peopleURL = peopleURL
        self.databases = databases
        self.pools = pools
        self.dns = dns
        self.logger = logger
        let vault = Vault(pool: pools.vault, records: pools.settlement, masterKey: masterKey)
        self.vault = vault
        try await Self.refuseEmptyVault(pools.vault, pools.housekeeping)
        _ = try await vault.checkMasterKey()
        try await vault.completeAccounts()
        let ledger = CreditLedger(chainKey: vault.ledgerChainKey)
        self.ledger = ledger
        let limits = AccountLimits()
        limits.replace(by: try await FleetStore.limits(on: pools.housekeeping))
        self.limits = limits
        let openTestAccount: APIKeys.TestAccountOpening = { account, connection in
            let isNew = try await ledger.openTestAccount(account, on: connection)
            try await vault.createAccountKey(account, on: connection)
            if isNew { try await FleetStore.keepStrangersLimits(of: account.test, on: connection) }
        }
        keys = APIKeys(pool: pools.intake, limits: limits, openTestAccount: openTestAccount)
        let passwords = PasswordHasher()
        users = Users(pool: pools.housekeeping, hasher: passwords)
        sessions = Sessions(pool: pools.intake, vault: vault)
        factors = SecondFactors(pool: pools.intake, vault: vault)
        signIn = SignIn(
            pool: pools.intake, sessions: sessions, hasher: passwords, factors: factors, vault: vault,
            asksForCodes: asksForCodes && installationMail != nil)
        passwordReset = PasswordReset(pool: pools.intake, sessions: sessions, hasher: passwords, vault: vault)
        signUp =
            signUpsPerDay == 0
            ? nil
            : SignUp(
                pool: pools.intake, sessions: sessions, hasher: passwords, vault: vault, perDay: signUpsPerDay
            ) { name, connection in
                let account = try await Self.openAccount(name, ledger, vault, on: connection)
                try await FleetStore.set(AccountLimit.ofStrangers, reset: [], for: account, on: connection)
                return account
            }
        invitations = Invitations(pool: pools.housekeeping)
        joining = Joining(pool: pools.intake, sessions: sessions, hasher: passwords)
        idempotency = IdempotencyStore(limits: limits)
        let suppressions = SuppressionList(records: pools.intake, vault: vault, limits: limits)
        self.suppressions = suppressions
        let refunds = Refunds(records: pools.housekeeping, ledger: ledger, logger: logger)
        self.refunds = refunds
        // Refunds lock accounts, which come before everything else: see `RefundFollower`.
        let feedback = FeedbackIntake(
            records: pools.intake,
            followers: [
                RefundFollower(refunds), SuppressionFollower(suppressions: suppressions), WebhookFollower(),
                BrakeFollower(),
            ])
        self.feedback = feedback
        let domains = SendingDomains(
            records: pools.intake, signing: pools.settlement, vault: vault, bounceHost: bounceHost,
            trusts: trustsDomains, limits: limits)
        self.domains = domains
        campaigns = CampaignService(
            records: pools.housekeeping, vault: vault, ledger: ledger, suppressions: suppressions, domains: domains,
            resultsFor: resultsFor, refundFor: refundFor, limits: limits, logger: logger)
        customers = CustomerRecords(
            pools, vault: vault, ledger: ledger, sessions: sessions, domains: domains, feedback: feedback,
            openTestAccount: openTestAccount, resultsFor: resultsFor, refundFor: refundFor,
            allowsPrivate: allowsPrivate, limits: limits, logger: logger)
        delivery = DeliveryStore(
            records: pools.settlement, journal: pools.journal, housekeeping: pools.housekeeping, vault: vault,
            ledger: ledger, suppressions: suppressions, feedback: feedback, webhooks: webhookInterest, logger: logger)
        webhooks = WebhookEndpoints(records: pools.intake, vault: vault, allowsPrivate: allowsPrivate, limits: limits)
        fleet = FleetStore(records: pools.settlement, urgent: pools.journal, logger: logger)
        mtaSTSPolicies = MTASTSPolicyTable(pools.settlement)
        tlsReports = TLSReportTable(pools.housekeeping)
        certificates = ACMEStore(pool: pools.journal, vault: vault)
        providerSources = ProviderSources(records: pools.housekeeping, vault: vault)
        providerIntake = ProviderIntake(records: pools.intake, vault: vault, logger: logger)
        providerPayloads = PayloadWorker(
            records: pools.housekeeping, vault: vault, intake: feedback, logger: logger)
    }

    /// Records that were restored without their vault would get new keys silently, and no suppression would match.
    private static func refuseEmptyVault(_ vault: PostgresPool, _ records: PostgresPool) async throws {
        let isEmpty = try await vault.query("SELECT NOT EXISTS (SELECT FROM vault_check)").first?.decode(Bool.self)
        guard isEmpty == true else { return }
        let hasAccounts = try await records.query("SELECT EXISTS (SELECT FROM accounts)").first?.decode(Bool.self)
        guard hasAccounts != true else {
            throw SettingError(
                setting: .vaultDatabaseURL,
                problem: "the vault is empty, but the records have accounts: wrong database?")
        }
    }

    /// Opens an account with its key, and credits if any.
    ///
    /// - Throws: `LedgerError`, `VaultError`, `PostgresError`
    func createAccount(name: String, limit: Int64 = 0, credits: Int64) async throws -> AccountID {
        try await pool.withTransaction { [ledger, vault] connection in
            let account = try await Self.openAccount(name, limit: limit, ledger, vault, on: connection)
            if credits > 0 {
                try await ledger.grant(credits, to: account, key: "opening", memo: "opening credits", on: connection)
            }
            return account
        }
    }

    /// Opens an account with its key, by whoever it is asked for.
    private static func openAccount(
        _ name: String, limit: Int64 = 0, _ ledger: CreditLedger, _ vault: Vault, on connection: PostgresConnection
    ) async throws -> AccountID {
        let account = try await ledger.createAccount(name: name, limit: limit, on: connection)
        try await vault.createAccountKey(account, on: connection)
        return account
    }

    /// Asks the DNS of the settings. Answers are kept for seconds only: who has just published a record asks at once.
    ///
    /// - Parameter domains: whose; all if nil.
    func domainVerifier(of domains: SendingDomains? = nil) throws -> DomainVerifier {
        var configuration = dns
        configuration.longestKept = 5
        return DomainVerifier(
            domains: domains ?? self.domains, examiner: DomainExaminer(resolver: try Resolver(configuration)),
            logger: logger)
    }

    /// Makes the mails of this installation; nil where nobody sends them.
    func installationMailer() -> InstallationMailer? {
        guard let installationMail else { return nil }
        // Not the sweeps' sessions: somebody waits for these mails.
        let campaigns = CampaignService(
            records: pools.intake, housekeeping: pools.housekeeping, vault: vault, ledger: ledger,
            suppressions: suppressions, domains: domains, limits: limits, logger: logger)
        return InstallationMailer(
            installationMail, pending: PendingMails(pool: pools.intake, vault: vault), campaigns: campaigns,
            logger: logger)
    }

    /// - Throws: `CommandFailure` where there is no such account: else its lists would merely look empty.
    func requireAccount(_ account: AccountID) async throws {
        let exists = try await pool.query(
            "SELECT EXISTS (SELECT FROM accounts WHERE account_id = \(account.rawValue))"
        ).only.decode(column: 0, as: Bool.self)
        guard exists else { throw CommandFailure("there is no account \(account)") }
    }

    func close() async {
        await pools.close()
        await databases.close()
    }
}

extension Settings {
    /// What goes to a database on another machine, addresses among it, goes over TLS.
    ///
    /// - Throws: ``SettingError``, unless the operator insists.
    func refusePlainDatabases(_ logger: Logger) throws {
        for setting in [Setting.databaseURL, .vaultDatabaseURL] {
            guard let url = text(setting), let parameters = try? ConnectionParameters(url),
                let host = parameters.hostWithoutTLS(environment: ProcessInfo.processInfo.environment)
            else { continue }
            guard try flag(.allowUnsafeDatabase) else {
                throw SettingError(
                    setting: setting,
                    problem: "the connection to \(host) may go without TLS: add sslmode=verify-full, or at least "
                        + "sslmode=require. --allow-unsafe-database insists")
            }
            logger.critical(
                "THE DATABASE MAY BE REACHED WITHOUT TLS, and is used all the same", metadata: ["host": "\(host)"])
        }
    }

    /// For how long outcomes can be read after the end of a campaign.
    func resultsSeconds() throws -> Int {
        try number(.resultsFor, in: CampaignLimits.resultsSeconds)
    }

    /// For how long after the end of a campaign a bounce is refunded.
    func refundSeconds() throws -> Int {
        try number(.refundFor, in: CampaignLimits.refundSeconds)
    }

    /// Path of the operator's socket.
    var operatorSocket: String { text(.operatorSocket) ?? dataDirectory + "/operator.sock" }

    /// `SLUICE_DATA`, or `/var/lib/sluice` for root and `~/.local/share/sluice` for others.
    var dataDirectory: String {
        let fallback = geteuid() == 0 ? "/var/lib/sluice" : NSHomeDirectory() + "/.local/share/sluice"
        return URL(fileURLWithPath: text(.data) ?? fallback).path
    }
}
