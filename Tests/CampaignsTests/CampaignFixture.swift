import Campaigns
import CreditLedger
import Feedback
import Logging
import MailMessage
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import Vault

/// A whole set of record keepers over fresh databases, with one account that has a domain and credits.
struct CampaignFixture: Sendable {
    let stores: Stores
    let account: AccountID

    var records: TestDatabase { stores.records }
    var vaultDatabase: TestDatabase { stores.vaultDatabase }
    var vault: Vault { stores.vault }
    var ledger: CreditLedger { stores.ledger }
    var suppressions: SuppressionList { stores.suppressions }
    var domains: SendingDomains { stores.domains }
    var service: CampaignService { stores.campaigns }
    var store: DeliveryStore { stores.delivery }

    /// - Parameter resultsFor: seconds for which outcomes can be read after the end.
    static func make(credits: Int64 = 1_000, resultsFor: Int = 0) async throws -> CampaignFixture {
        let stores = try await Stores.open(resultsFor: resultsFor)
        return CampaignFixture(
            stores: stores, account: try await stores.accountWithDomain("first", credits: credits))
    }

    func account(_ name: String, credits: Int64) async throws -> AccountID {
        try await stores.accountWithDomain(name, credits: credits)
    }

    static func content(from domain: String = "shop.example") throws -> MessageContent {
        MessageContent(
            from: try Mailbox(name: "Shop", address: EmailAddress("news@\(domain)")), subject: "Hello {{name|friend}}",
            text: "A secret offer for {{name|friend}}.")
    }

    static func lines(_ addresses: some Sequence<String>) -> [UInt8] {
        addresses.flatMap { Array(#"{"email": "\#($0)", "name": "N"}"#.utf8) + [UInt8(ascii: "\n")] }
    }

    static func stream(_ bytes: [UInt8]) -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            for start in stride(from: 0, to: bytes.count, by: 100) {
                continuation.yield(Array(bytes[start..<min(start + 100, bytes.count)]))
            }
            continuation.finish()
        }
    }

    static func addresses(_ range: Range<Int>) -> [String] { range.map { "person\($0)@example.org" } }

    /// A draft with `count` recipients.
    func draft(
        _ count: Int, batchSize: Int = 4, inDoubt: InDoubtPolicy = .resend, account: AccountID? = nil
    ) async throws -> CampaignID {
        let account = account ?? self.account
        let campaign = try await service.create(
            account, CampaignRequest(content: Self.content(), inDoubt: inDoubt, batchSize: batchSize))
        if count > 0 {
            _ = try await service.importRecipients(
                account, campaign.id, format: .ndjson,
                source: Self.stream(Self.lines(Self.addresses(0..<count))))
        }
        return campaign.id
    }

    func sent(
        _ count: Int, batchSize: Int = 4, inDoubt: InDoubtPolicy = .resend, account: AccountID? = nil
    ) async throws -> CampaignID {
        let campaign = try await draft(count, batchSize: batchSize, inDoubt: inDoubt, account: account)
        _ = try await service.send(account ?? self.account, campaign)
        return campaign
    }

    func status(_ campaign: CampaignID) async throws -> CampaignStatus {
        try await service.get(account, campaign)
    }

    func balance(_ account: AccountID? = nil) async throws -> CreditBalance {
        try await records.pool.withConnection { connection in
            try await ledger.balance(account ?? self.account, on: connection)
        }
    }

    /// Rows of a table that belong to the campaign.
    func rows(_ table: String, _ campaign: CampaignID) async throws -> Int64 {
        try await records.owner.query(
            "SELECT count(*) FROM \(identifier: table) WHERE campaign_id = \(campaign.rawValue)"
        ).only.decode(column: 0, as: Int64.self)
    }

    /// Lets the leases of a node run out, as if it had stopped long ago.
    func endLeases(of node: String) async throws {
        try await records.pool.query("SELECT free_leases(\(node))")
    }

    func problemsOfBooks() async throws -> [String] { try await stores.problemsOfBooks() }
}

extension ClaimedBatch {
    /// Journals an intent and an outcome for each of some recipients.
    func group(_ outcomes: [Int32: Outcome]) -> JournalGroup {
        JournalGroup(
            batch: id, epoch: epoch,
            entries: outcomes.sorted { $0.key < $1.key }.flatMap { index, outcome in
                [
                    JournalEntry(index: index, kind: .intent),
                    JournalEntry(
                        index: index, kind: .outcome(outcome), replyCode: 250, text: "ok \(index)",
                        wasDeferred: isRetry),
                ]
            })
    }

    func group(all outcome: Outcome) -> JournalGroup {
        group(Dictionary(uniqueKeysWithValues: records.map { ($0.index, outcome) }))
    }

    func results(_ outcomes: [Int32: Outcome]) -> [RecipientResult] {
        outcomes.map { RecipientResult(index: $0.key, outcome: $0.value) }
    }
}

extension CampaignFixture {
    /// Delivers everything that is due, in the name of `node`, and completes what is done.
    func deliverAll(_ node: String = "worker", outcome: Outcome = .delivered) async throws {
        while true {
            let batches = try await store.claim(node: node, leaseSeconds: 60, limit: 8)
            if batches.isEmpty { return }
            for batch in batches {
                _ = try await store.append(node: node, [batch.group(all: outcome)])
                let result = try await store.settle(
                    batch.id, node: node, epoch: batch.epoch,
                    BatchSettlement(results: batch.records.map { RecipientResult(index: $0.index, outcome: outcome) }))
                if result == .settled(campaignDone: true) {
                    _ = try await store.complete(batch.id.account, batch.id.campaign)
                }
            }
        }
    }
}
