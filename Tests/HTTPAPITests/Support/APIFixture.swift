import Campaigns
import CreditLedger
import DNSResolution
import Feedback
import Fleet
import HTTPAPI
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import MailTypes
import Passwords
import Postgres
import ProviderWebhooks
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Vault
import Webhooks

/// A customer with credits, a sending domain and a key.
struct Customer: Sendable {
    let account: AccountID
    let key: String
    let keyID: APIKeyID
}

/// The API over fresh databases, in sessions that see one account's rows as a server's do. Tests share one and make
/// customers of their own, since accounts see nothing of each other.
struct APIFixture: Sendable {
    let stores: Stores
    var services: APIServices
    let users: Users
    /// What the routes take their connections from.
    let pool: PostgresPool
    let examiner: DomainExaminer

    var records: TestDatabase { stores.records }
    var vaultDatabase: TestDatabase { stores.vaultDatabase }
    var vault: Vault { stores.vault }
    var ledger: CreditLedger { stores.ledger }
    var store: DeliveryStore { stores.delivery }
    var fleet: FleetStore { stores.fleet }

    static func shared() async throws -> APIFixture { try await task.value }
    private static let task = Task { try await make() }
    private static let passwords = PasswordHasher(.cheap)

    /// - Parameters:
    ///   - resultsFor: seconds for which outcomes can be read after the end of a campaign.
    ///   - nameServer: is asked for the proof of domains; nil trusts them.
    static func make(resultsFor: Int = 0, nameServer: DNSServer? = nil) async throws -> APIFixture {
        let stores = try await Stores.open(
            adding: IdentitySchema.migrations, resultsFor: resultsFor, trustsDomains: nameServer == nil)
        var dns = ResolverConfiguration(
            forwarders: [nameServer ?? DNSServer("127.0.0.1:9")!], timeout: .seconds(nameServer == nil ? 1 : 20))
        dns.longestKept = 0
        let pool = PostgresPool(configuration: confined(stores.records), logger: .silent)
        let examiner = DomainExaminer(resolver: try Resolver(dns))
        return APIFixture(
            stores: stores, services: services(stores, over: pool, examiner, resultsFor: resultsFor),
            users: Users(pool: stores.records.pool, hasher: passwords), pool: pool, examiner: examiner)
    }

    /// - Parameter account: whose rows the sessions see, whoever asks; nil: those of the account that asks.
    static func confined(
        _ records: TestDatabase, to account: AccountID? = nil
    ) -> PostgresConfiguration {
        var configuration = records.configuration(role: Databases.apiRole)
        configuration.confinement = { owner in account?.rawValue ?? owner?.account }
        return configuration
    }

    /// - Parameter pool: what the routes take their connections from.
    static func services(
        _ stores: Stores, over pool: PostgresPool, _ examiner: DomainExaminer, resultsFor: Int = 0
    ) -> APIServices {
        let suppressions = SuppressionList(records: pool, vault: stores.vault, limits: stores.limits)
        let domains = stores.domains.over(pool)
        let sessions = Sessions(pool: stores.records.pool, vault: stores.vault, cacheSeconds: 0)
        let factors = SecondFactors(pool: stores.records.pool, vault: stores.vault)
        let verifier = DomainVerifier(domains: domains, examiner: examiner, logger: .silent)
        return APIServices(
            records: pool,
            campaigns: CampaignService(
                records: pool, housekeeping: stores.records.pool, vault: stores.vault, ledger: stores.ledger,
                suppressions: suppressions, domains: domains, resultsFor: resultsFor, limits: stores.limits,
                logger: .silent),
            ledger: stores.ledger, suppressions: suppressions, domains: domains, verifier: verifier,
            keys: APIKeys(
                pool: pool, lookups: stores.records.pool, limits: stores.limits,
                openTestAccount: stores.openTestAccount),
            limiter: RequestLimiter(pool: pool, perMinute: nil),
            userLimiter: RequestLimiter(pool: stores.records.pool, perMinute: nil), sessions: sessions,
            signIn: SignIn(
                pool: stores.records.pool, sessions: sessions, hasher: passwords, factors: factors, vault: stores.vault),
            factors: factors,
            passwordReset: PasswordReset(
                pool: stores.records.pool, sessions: sessions, hasher: passwords, vault: stores.vault),
            signUp: SignUp(
                pool: stores.records.pool, sessions: sessions, hasher: passwords, vault: stores.vault, perDay: 1_000,
                openAccount: stores.openAccount),
            members: Members(pool: pool, sessions: sessions),
            memberSessions: MemberSessions(pool: pool, sessions: sessions), invitations: Invitations(pool: pool),
            joining: Joining(pool: stores.records.pool, sessions: sessions, hasher: passwords), hasMail: true,
            idempotency: IdempotencyStore(limits: stores.limits),
            unsubscriber: Unsubscriber(
                records: pool, vault: stores.vault, suppressions: suppressions, feedback: stores.feedback),
            providers: ProviderIntake(records: stores.records.pool, vault: stores.vault, logger: .silent),
            webhooks: WebhookEndpoints(records: pool, vault: stores.vault, allowsPrivate: false, limits: stores.limits),
            openAPI: OpenAPIDocument.text, limits: stores.limits)
    }

    /// Works for an account, as its requests do.
    func acting<Value>(for account: AccountID, _ body: () async throws -> Value) async throws -> Value {
        try await ConnectionOwner.$current.withValue(.account(account.rawValue)) { try await body() }
    }

    /// - Parameter asksForCodes: of browsers that are new to their user
    func signIn(asksForCodes: Bool) -> SignIn {
        SignIn(
            pool: stores.records.pool, sessions: services.sessions, hasher: Self.passwords, factors: services.factors,
            vault: stores.vault, asksForCodes: asksForCodes)
    }

    /// - Parameters:
    ///   - perDay: requests of strangers that are taken within a day
    ///   - places: of passwords that wait to be hashed
    func signUp(perDay: Int = 1_000, places: Int = 32) -> SignUp {
        var hashing = PasswordHasher.Configuration.cheap
        hashing.places = places
        return SignUp(
            pool: stores.records.pool, sessions: services.sessions, hasher: PasswordHasher(hashing),
            vault: stores.vault,
            perDay: perDay, openAccount: stores.openAccount)
    }

    func customer(credits: Int64 = 1_000) async throws -> Customer {
        let name = "customer \(UInt64.random(in: .min ... .max))"
        let account = try await stores.accountWithDomain(name, credits: credits)
        let (key, record) = try await acting(for: account) {
            try await services.keys.create(account: account, name: "test")
        }
        return Customer(account: account, key: key.exposed, keyID: record.id)
    }

    /// A further key of the customer.
    func key(of customer: Customer, _ scopes: [String], networks: [String] = []) async throws -> String {
        let terms = KeyTerms(scopes: try KeyScopes(scopes), networks: try KeyTerms.networks(networks))
        return try await acting(for: customer.account) {
            try await services.keys.create(account: customer.account, name: "further", terms: terms).key.exposed
        }
    }

    /// Requests that go to the router without a socket.
    func withAPI<Value>(_ key: String? = nil, _ body: @Sendable (API) async throws -> Value) async throws -> Value {
        let application = Application(router: APIServer.router(services), logger: .silent)
        return try await application.test(.router) { client in try await body(API(client: client, key: key)) }
    }

    /// Requests over a socket of this machine, for what depends on where they come from.
    func withAPI<Value>(
        behind exposure: APIExposure, _ body: @Sendable (API) async throws -> Value
    ) async throws -> Value {
        let application = Application(router: APIServer.router(services, exposure: exposure), logger: .silent)
        return try await application.test(.live) { client in try await body(API(client: client)) }
    }

    /// A fresh customer with the API.
    static func withCustomer<Value>(
        credits: Int64 = 1_000, _ body: @Sendable (APIFixture, Customer, API) async throws -> Value
    ) async throws -> Value {
        let fixture = try await shared()
        let customer = try await fixture.customer(credits: credits)
        return try await fixture.withAPI(customer.key) { try await body(fixture, customer, $0) }
    }

    /// As ``withCustomer(credits:_:)``, for tests that deliver: workers claim the batches of all accounts.
    static func withOwnDatabase<Value>(
        credits: Int64 = 1_000, resultsFor: Int = 0, _ body: @Sendable (APIFixture, Customer, API) async throws -> Value
    ) async throws -> Value {
        let fixture = try await make(resultsFor: resultsFor)
        let customer = try await fixture.customer(credits: credits)
        let value = try await fixture.withAPI(customer.key) { try await body(fixture, customer, $0) }
        await fixture.records.close()
        await fixture.vaultDatabase.close()
        return value
    }

    /// A server that listens on a port of this machine.
    ///
    /// - Parameter publicURL: where its pages are; nil: where requests say.
    func withServer<Value>(
        publicURL: String? = nil, _ body: @Sendable (Int) async throws -> Value
    ) async throws -> Value {
        let application = try APIServer.application(
            services, host: "localhost", port: 0, tls: nil, publicURL: publicURL,
            group: EventLoopGroupProvider.singleton.eventLoopGroup, logger: .silent, onStart: { _ in })
        return try await application.test(.live) { client in
            guard let port = client.port else { throw NoPort() }
            return try await body(port)
        }
    }

    struct NoPort: Error {}
}

extension APIFixture {
    /// Everything that the account has in the records, and its campaign keys: equal states are equal texts. Keys of the
    /// API and sessions are left out, because using one marks it.
    func state(_ account: AccountID) async throws -> [String: String] {
        let tables = try await records.owner.query(
            """
            SELECT DISTINCT table_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'account_id' AND table_name NOT LIKE 'api_key%'
                AND table_name NOT IN ('request_windows', 'user_request_windows', 'sessions')
            """
        ).map { try $0.decode(String.self) }
        var state: [String: String] = [:]
        for table in tables {
            state[table] = try await records.owner.query(
                """
                SELECT coalesce(string_agg(md5(t::text), ' ' ORDER BY md5(t::text)), '')
                FROM \(identifier: table) t WHERE account_id = \(account.rawValue)
                """
            ).only.decode(column: 0, as: String.self)
        }
        state["keys"] = try await vaultDatabase.owner.query(
            """
            SELECT coalesce(string_agg(campaign_id::text, ' ' ORDER BY campaign_id), '') FROM campaign_keys
            WHERE account_id = \(account.rawValue) AND wrapped IS NOT NULL
            """
        ).only.decode(column: 0, as: String.self)
        return state
    }

    /// Rows of the account in a table.
    func count(_ table: String, _ account: AccountID) async throws -> Int64 {
        try await records.owner.query(
            "SELECT count(*) FROM \(identifier: table) WHERE account_id = \(account.rawValue)"
        ).only.decode(column: 0, as: Int64.self)
    }

    /// Locks that uploads hold while they run.
    func advisoryLocks() async throws -> Int64 {
        try await records.owner.query(
            """
            SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE l.locktype = 'advisory' AND d.datname = current_database()
            """
        ).only.decode(column: 0, as: Int64.self)
    }

    func grant(_ amount: Int64, to account: AccountID, key: String) async throws {
        _ = try await records.pool.withTransaction { connection in
            try await ledger.grant(amount, to: account, key: key, memo: "test", on: connection)
        }
    }

    func balance(_ account: AccountID) async throws -> CreditBalance {
        try await records.pool.withConnection { try await ledger.balance(account, on: $0) }
    }

    /// Delivers everything of the account's campaign and completes it.
    func deliver(_ campaign: String, of account: AccountID, outcome: Outcome = .delivered) async throws {
        let id = CampaignID(campaign)
        while try await !stores.campaigns.get(account, try require(id)).campaign.hasEnded {
            for batch in try await store.claim(node: "worker", leaseSeconds: 60, limit: 8) {
                let entries = batch.records.flatMap { record in
                    [
                        JournalEntry(index: record.index, kind: .intent),
                        JournalEntry(index: record.index, kind: .outcome(outcome), replyCode: 250, text: "ok"),
                    ]
                }
                _ = try await store.append(
                    node: "worker", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
                let settled = try await store.settle(
                    batch.id, node: "worker", epoch: batch.epoch,
                    BatchSettlement(results: batch.records.map { RecipientResult(index: $0.index, outcome: outcome) }))
                if settled == .settled(campaignDone: true) {
                    _ = try await store.complete(batch.id.account, batch.id.campaign)
                }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func require(_ id: CampaignID?) throws -> CampaignID {
        guard let id else { throw NoCampaign() }
        return id
    }

    struct NoCampaign: Error {}
}

extension PasswordHasher.Configuration {
    /// As few rounds as bcrypt has: tests make many users.
    static var cheap: Self {
        var configuration = Self()
        configuration.cost = 4
        configuration.share = 1
        return configuration
    }
}
