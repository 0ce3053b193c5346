import Campaigns
import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

struct PurgeTests {
    private static let tables = ["batches", "batch_recipients", "batch_results", "journal", "campaign_content"]

    @Test func `completion destroys the key and the rows and certifies both`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(10, batchSize: 3)
        let content = try await fixture.records.owner.query("SELECT sealed FROM campaign_content").only
            .decode(column: 0, as: [UInt8].self)
        let key = try await fixture.vault.campaignKey(fixture.account, campaign)
        let place = SealContext(account: fixture.account, campaign: campaign, purpose: .content)
        #expect(throws: Never.self) { try key.open(content, as: place) }
        try await fixture.deliverAll()

        let status = try await fixture.status(campaign)
        #expect(status.state == .completed)
        #expect(status.campaign.purgedAt != nil)
        #expect(status.counters.delivered == 10)
        for table in Self.tables { #expect(try await fixture.rows(table, campaign) == 0, "\(table)") }
        await #expect(throws: VaultError.self) { try await fixture.vault.campaignKey(fixture.account, campaign) }
        let wrapped = try await fixture.vaultDatabase.owner.query("SELECT FROM campaign_keys WHERE wrapped IS NOT NULL")
        #expect(wrapped.isEmpty)

        let certificate = try #require(try await fixture.service.certificate(fixture.account, campaign))
        #expect(certificate.rows["batches"] == 4)
        #expect(certificate.rows["batch_recipients"] == 4)
        #expect(certificate.rows["batch_results"] == 4)
        #expect(certificate.rows["campaign_content"] == 1)
        #expect(certificate.rows["journal"] == 0)
        #expect(certificate.bytes > Int64(content.count))
        #expect(certificate.counters == status.counters)
        #expect(certificate.keyDestroyedAt <= certificate.completedAt)

        let entries = try await fixture.records.pool.withConnection { connection in
            try await fixture.ledger.entries(fixture.account, on: connection)
        }
        let purges = entries.filter { $0.kind == .purge }
        #expect(purges.map(\.campaign) == [campaign])
        #expect(purges.map(\.digest) == [certificate.digest])
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `what an earlier backup holds cannot be opened after completion`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        let backup = try await fixture.records.owner.query("SELECT batch_no, sealed FROM batch_recipients").map {
            try $0.decode(Int32.self, [UInt8].self)
        }
        try await fixture.deliverAll()
        // Put the rows back where they were, as a restore does, under a process that never had the key.
        try await fixture.records.owner.query(
            """
            INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
            SELECT \(fixture.account.rawValue), \(campaign.rawValue), b.n, b.s
            FROM unnest(\(backup.map(\.0)), \(backup.map(\.1))) AS b (n, s)
            """)
        try await fixture.records.owner.query(
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, due_at)
            VALUES (\(fixture.account.rawValue), \(campaign.rawValue), 1, 1, 4, now())
            """)
        try await fixture.records.owner.query("SELECT enqueue_account(\(fixture.account.rawValue), now())")
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).isEmpty)
        await #expect(throws: CampaignError.self) {
            try await fixture.service.recipients(fixture.account, campaign)
        }
        await #expect(throws: CampaignError.self) { try await fixture.store.sendable(fixture.account, campaign) }
    }

    @Test func `a crash between the two databases leaves a campaign that completion finds again`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        try await Self.settleAll(fixture)
        #expect(try await fixture.store.unfinishedCompletions().map(\.campaign) == [campaign])
        // The key is gone, the rows are not: where a process can die.
        #expect(try await fixture.vault.destroyCampaignKey(fixture.account, campaign))
        #expect(try await fixture.status(campaign).state == .sending)
        await #expect(throws: CampaignError.self) {
            try await fixture.service.recipients(fixture.account, campaign)
        }
        for (account, left) in try await fixture.store.unfinishedCompletions() {
            #expect(try await fixture.store.complete(account, left) != nil)
        }
        #expect(try await fixture.status(campaign).state == .completed)
        for table in Self.tables { #expect(try await fixture.rows(table, campaign) == 0, "\(table)") }
        #expect(try await fixture.store.unfinishedCompletions().isEmpty)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `completing again, also at the same time, gives the same certificate and one ledger entry`() async throws
    {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        try await Self.settleAll(fixture)
        let certificates = try await withThrowingTaskGroup(of: PurgeCertificate?.self) { group in
            for _ in 0..<6 {
                group.addTask { try await fixture.store.complete(fixture.account, campaign) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let again = try await fixture.store.complete(fixture.account, campaign)
        #expect(again != nil)
        #expect(certificates.allSatisfy { $0 == again })
        let entries = try await fixture.records.pool.withConnection { connection in
            try await fixture.ledger.entries(fixture.account, on: connection)
        }
        #expect(entries.count { $0.kind == .purge } == 1)
    }

    @Test func `a campaign with work left is not purged`() async throws {
        let fixture = try await CampaignFixture.make()
        let draft = try await fixture.draft(2)
        let campaign = try await fixture.sent(8, batchSize: 4)
        _ = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1)
        for id in [draft, campaign] {
            #expect(try await fixture.store.complete(fixture.account, id) == nil)
            #expect(try await fixture.service.certificate(fixture.account, id) == nil)
        }
        _ = try await fixture.service.cancel(fixture.account, campaign)
        #expect(try await fixture.store.complete(fixture.account, campaign) == nil)
        #expect(try await fixture.store.unfinishedCompletions().isEmpty)
        await #expect(throws: Never.self) { try await fixture.vault.campaignKey(fixture.account, campaign) }
    }

    @Test func `a finished campaign takes no more orders`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        try await Self.settleAll(fixture)
        let service = fixture.service
        let account = fixture.account
        // Done, but not yet purged.
        await #expect(throws: CampaignError.self) { try await service.pause(account, campaign) }
        await #expect(throws: CampaignError.self) { try await service.cancel(account, campaign) }
        _ = try await fixture.store.complete(account, campaign)
        await #expect(throws: CampaignError.self) { try await service.pause(account, campaign) }
        await #expect(throws: CampaignError.self) { try await service.resume(account, campaign) }
        await #expect(throws: CampaignError.self) { try await service.cancel(account, campaign) }
        await #expect(throws: CampaignError.self) { try await fixture.service.recipients(fixture.account, campaign) }
        await #expect(throws: CampaignError.self) { try await fixture.service.quote(fixture.account, campaign) }
    }

    /// Ends every batch without completing the campaign.
    private static func settleAll(_ fixture: CampaignFixture) async throws {
        for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10) {
            _ = try await fixture.store.append(node: "n", [batch.group(all: .delivered)])
            let results = batch.records.map { RecipientResult(index: $0.index, outcome: .delivered) }
            _ = try await fixture.store.settle(
                batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: results))
        }
    }
}
