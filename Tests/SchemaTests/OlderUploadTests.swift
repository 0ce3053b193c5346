import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Campaigns

/// A migration meets an upload that is under way.
struct OlderUploadTests {
    private let older: OlderStores
    private let account: AccountID
    private let node: OlderNode
    private let campaign: CampaignID

    init() async throws {
        older = try await OlderStores.open()
        account = try await older.account("first", credits: 100)
        node = try await OlderNode.start("older", older)
        campaign = try await node.create(account, batchSize: 3)
    }

    /// As a program does at its start.
    private func migrate(tries: Int) async throws {
        let owner = older.records.configuration(role: Databases.ownerRole)
        try await Migrations.apply(Schemas.records, as: owner, tries: tries, logger: .silent)
    }

    @Test func `a migration cannot pass an upload of an older version, names it, and comes when it has ended`()
        async throws
    {
        var configuration = older.records.configuration()
        configuration.applicationName = "older upload"
        let upload = try await PostgresConnection.connect(configuration)
        try await upload.execute(script: "BEGIN")
        try await node.upload(4, to: campaign, of: account, batchSize: 3, on: upload)
        let error = await #expect(throws: PostgresError.self) { try await migrate(tries: 2) }
        #expect(error?.message.contains("440 (campaigns say why they are paused)") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("(older upload, user sluice_app") == true, "\(error?.message ?? "")")
        // Nobody else's upload comes between, of whichever version.
        #expect(try await !UploadTurns(older.records.configuration()).take(account, campaign))
        try await upload.execute(script: "COMMIT")
        await upload.close()
        try await migrate(tries: 1)
        try await send(4)
    }

    @Test func `an upload in portions holds no migration back, and loses nothing by it`() async throws {
        try await older.migrate(upTo: 523)
        let turns = UploadTurns(older.records.configuration())
        #expect(try await turns.take(account, campaign))
        let stage = try await UploadStage.begin(
            account, campaign, records: older.records.pool, suppressions: older.stores.suppressions)
        try await stage.write([try await batch(1, of: 0..<3)])
        try await migrate(tries: 1)
        try await stage.write([try await batch(2, of: 3..<4)])
        try await older.records.pool.withTransaction { connection in
            try await stage.publish([3, 1], from: 1, on: connection)
            try await connection.query(
                "UPDATE campaigns SET recipients = 4, next_batch = 3 WHERE campaign_id = \(campaign.rawValue)")
        }
        await turns.giveBack(account, campaign)
        try await send(4)
    }

    private func batch(_ number: Int32, of indices: Range<Int32>) async throws -> SealedBatch {
        let key = try await older.vault.campaignKey(account, campaign)
        let records = try indices.map {
            RecipientRecord(index: $0, address: try EmailAddress("person\($0)@example.org"))
        }
        let id = BatchID(account: account, campaign: campaign, number: number)
        return SealedBatch(
            number: number, deliverable: Int32(records.count), sealed: try key.sealRecipients(records, of: id))
    }

    /// All recipients are there for both versions.
    private func send(_ recipients: Int) async throws {
        try await older.stores.vault.completeAccounts()
        let status = try await older.stores.campaigns.send(account, campaign)
        #expect(status.counters.recipients == recipients)
        #expect(try await node.claim(limit: 8).map(\.records.count).reduce(0, +) == recipients)
    }
}
