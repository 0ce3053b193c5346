import Campaigns
import CreditLedger
import Feedback
import Fleet
import Logging
import MailMessage
import MailSigning
import MailTypes
import Postgres
import SendingDomains
import TLSPolicies
import TestDatabases
import TestStores
import TestSupport
import Testing
import TrafficShaping
import Vault

@testable import Delivery

/// The real services over fresh databases, with one account that has credits and a sending domain.
struct DeliveryFixture: Sendable {
    let stores: Stores
    let account: AccountID

    var records: TestDatabase { stores.records }
    var vault: Vault { stores.vault }
    var ledger: CreditLedger { stores.ledger }
    var suppressions: SuppressionList { stores.suppressions }
    var domains: SendingDomains { stores.domains }
    var service: CampaignService { stores.campaigns }
    var store: DeliveryStore { stores.delivery }
    var fleet: FleetStore { stores.fleet }
    var tlsReports: TLSReportTable { TLSReportTable(records.pool) }

    static let credits: Int64 = 1_000

    /// - Parameters:
    ///   - resultsFor: seconds for which outcomes can be read after the end.
    ///   - trustsDomains: registered domains count as proven.
    static func make(resultsFor: Int = 0, trustsDomains: Bool = true) async throws -> DeliveryFixture {
        let stores = try await Stores.open(resultsFor: resultsFor, trustsDomains: trustsDomains)
        let account = try await stores.account("shop", credits: credits)
        _ = try await stores.domains.add(account, DomainName("shop.example"), algorithms: [.ed25519SHA256])
        return DeliveryFixture(stores: stores, account: account)
    }

    /// An account beside the first, with a sending domain of its own.
    func anotherAccount(domain: String) async throws -> AccountID {
        let account = try await stores.account("other", credits: Self.credits)
        _ = try await domains.add(account, DomainName(domain), algorithms: [.ed25519SHA256])
        return account
    }

    // MARK: Campaigns

    static func address(_ number: Int) -> String { "person\(number)@example.org" }

    static func addresses(_ count: Int) -> [String] { (0..<count).map(address) }

    /// A campaign on its way to `count` recipients, or to those given.
    func send(
        _ count: Int, batchSize: Int = 4, inDoubt: InDoubtPolicy = .resend, text: String = "Hello.",
        requiresTLS: Bool = false, sourcePool: String? = nil, ratePerHour: Int? = nil, of other: AccountID? = nil,
        from domain: String = "shop.example", to recipients: [String]? = nil
    ) async throws -> CampaignID {
        let account = other ?? account
        let content = MessageContent(
            from: try Mailbox(name: "Shop", address: EmailAddress("news@\(domain)")), subject: "Offer", text: text)
        let campaign = try await service.create(
            account,
            CampaignRequest(
                content: content, inDoubt: inDoubt, requiresTLS: requiresTLS, sourcePool: sourcePool,
                ratePerHour: ratePerHour,
                batchSize: batchSize)
        ).id
        return try await send(campaign, to: recipients ?? Self.addresses(count), of: account)
    }

    /// A plain campaign on its way to these addresses.
    func send(to addresses: [String]) async throws -> CampaignID {
        let content = MessageContent(
            from: try Mailbox(name: "Shop", address: EmailAddress("news@shop.example")), subject: "Offer",
            text: "Hello.")
        let campaign = try await service.create(account, CampaignRequest(content: content)).id
        return try await send(campaign, to: addresses, of: account)
    }

    private func send(
        _ campaign: CampaignID, to addresses: [String], of account: AccountID
    ) async throws -> CampaignID {
        let lines = addresses.map { #"{"email": "\#($0)"}"# + "\n" }.joined()
        let upload = AsyncStream { continuation in
            continuation.yield(Array(lines.utf8))
            continuation.finish()
        }
        _ = try await service.importRecipients(account, campaign, format: .ndjson, source: upload)
        _ = try await service.send(account, campaign)
        return campaign
    }

    func counters(_ campaign: CampaignID) async throws -> CampaignCounters {
        try await service.get(account, campaign).counters
    }

    /// Waits until the campaign has ended, and checks that recipients and credits add up.
    ///
    /// - Parameter suppressedBefore: recipients that were suppressed at their import; nothing was held for them.
    @discardableResult
    func end(
        of campaign: CampaignID, suppressedBefore: Int64 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> CampaignStatus {
        try await eventually("the campaign ends", sourceLocation: sourceLocation) {
            try await service.get(account, campaign).campaign.hasEnded
        }
        let status = try await service.get(account, campaign)
        let counters = status.counters
        #expect(counters.finished == counters.recipients, sourceLocation: sourceLocation)
        #expect(counters.deferred == 0, sourceLocation: sourceLocation)
        let charged = Int64(counters.delivered)
        #expect(
            status.credits
                == CampaignCredits(
                    held: 0, charged: charged, released: Int64(counters.recipients) - suppressedBefore - charged),
            sourceLocation: sourceLocation)
        return status
    }

    func balance() async throws -> CreditBalance {
        try await records.pool.withConnection { try await ledger.balance(account, on: $0) }
    }

    func problemsOfBooks() async throws -> [String] {
        try await records.pool.withConnection { try await ledger.verify(on: $0).problems } + store.bookProblems()
    }

    func suppression(of number: Int) async throws -> Suppression? {
        try await suppressions.find(EmailAddress(Self.address(number)), account: account)
    }

    func suppress(_ number: Int) async throws {
        try await suppressions.add(
            [EmailAddress(Self.address(number))], account: account, reason: .unsubscribe, origin: .recipient)
    }

    /// The campaign gives up on whom it has not reached by now.
    func expire(_ campaign: CampaignID) async throws {
        try await records.owner.query(
            """
            UPDATE campaigns SET expires_at = clock_timestamp() - interval '1 second'
            WHERE campaign_id = \(campaign.rawValue)
            """)
    }

    // MARK: Batches

    /// Begins an incarnation of the node, as an engine does.
    func begin(_ local: LocalJournal, of node: String = "node") async throws {
        try await NodeRecovery(node: node, store: store, fleetStore: fleet, vault: vault, logger: .silent).begin(local)
    }

    /// Batches under a lease that holds.
    func leases() async throws -> Int64 {
        try await records.owner.query("SELECT count(*) FROM batches WHERE lease_until > clock_timestamp()").only
            .decode(column: 0, as: Int64.self)
    }

    /// Lets the leases of a node run out, as if it had stood still for long.
    func endLeases(of node: String) async throws {
        try await records.pool.query("SELECT free_leases(\(node))")
    }

    /// - Parameter sealing: for a node with files of its own.
    func runtime(of campaign: CampaignID, sealing: Bool = false) async throws -> CampaignRuntime {
        let sendable = try await store.sendable(account, campaign)
        return try CampaignRuntime(
            account: account, campaign: campaign, sendable: sendable,
            signer: try await domains.signer(account, sendable.fromDomain), keys: try await vault.accountKeys(account),
            sealer: sealing ? JournalSealer(key: try await vault.campaignKey(account, campaign)) : nil, publicURL: nil)
    }

    /// Claims one batch for `node` and puts it to work.
    func claimRun(_ node: String) async throws -> BatchRun {
        let batch = try #require(try await store.claim(node: node, leaseSeconds: 60, limit: 1).first)
        let runtime = try await runtime(of: batch.id.campaign)
        return BatchRun(
            batch, runtime: runtime,
            fingerprints: batch.records.map { runtime.keys.fingerprinter.fingerprint($0.address) },
            leaseEnd: DeliveryClock.after(60), clock: .system)
    }

    /// Runs `body` while another session holds the rows of all batches locked, so that no journal group commits.
    func withBatchesLocked(_ body: (PostgresConnection) async throws -> Void) async throws {
        try await records.owner.withTransaction { connection in
            try await connection.query("SELECT FROM batches FOR UPDATE")
            try await body(connection)
        }
    }
}
