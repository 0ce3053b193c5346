import Campaigns
import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

/// Test campaigns beside live ones: free, and claimed from a queue of their own (decisions 0125 and 0127).
@Suite struct TestQueueTests {
    private static func queue(_ fixture: CampaignFixture) async throws -> [Int64] {
        try await fixture.records.owner.query("SELECT account_id FROM test_queue ORDER BY account_id").map {
            try $0.decode(Int64.self)
        }
    }

    private func deliver(_ batch: ClaimedBatch, _ fixture: CampaignFixture) async throws -> SettleResult {
        let entries = batch.records.flatMap { record in
            [
                JournalEntry(index: record.index, kind: .intent),
                JournalEntry(index: record.index, kind: .outcome(.delivered), replyCode: 250, text: "ok"),
            ]
        }
        _ = try await fixture.store.append(
            node: "node", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        return try await fixture.store.settle(
            batch.id, node: "node", epoch: batch.epoch,
            BatchSettlement(results: batch.records.map { RecipientResult(index: $0.index, outcome: .delivered) }))
    }

    @Test func `live claims give no test batches, and test claims no live ones`() async throws {
        let fixture = try await CampaignFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account)
        let live = try await fixture.sent(2)
        let trial = try await fixture.sent(3, account: test)
        #expect(try await Self.queue(fixture) == [test.rawValue])

        let claimed = try await fixture.store.claim(node: "node", leaseSeconds: 60, limit: 8)
        #expect(claimed.map(\.id.campaign) == [live])
        // Nor where an account's rate keeps it waiting, and only expired mail is looked for.
        #expect(
            try await fixture.store.claim(node: "node", leaseSeconds: 60, limit: 8, waiting: [test]).isEmpty)
        let batch = try #require(try await fixture.store.claimTest(node: "node", leaseSeconds: 60))
        #expect(batch.id == BatchID(account: test, campaign: trial, number: 1) && batch.records.count == 3)
        #expect(try await fixture.store.claimTest(node: "node", leaseSeconds: 60) == nil)
        #expect(try await fixture.service.get(test, trial).state == .sending)
    }

    @Test func `test accounts take turns, and one that has nothing leaves the queue`() async throws {
        let fixture = try await CampaignFixture.make()
        let one = try await fixture.stores.testAccount(of: fixture.account)
        let other = try await fixture.stores.testAccount(of: fixture.account("other", credits: 0))
        let first = try await fixture.sent(8, account: one)
        let second = try await fixture.sent(4, account: other)
        var turns: [CampaignID] = []
        while let batch = try await fixture.store.claimTest(node: "node", leaseSeconds: 60) {
            turns.append(batch.id.campaign)
            _ = try await deliver(batch, fixture)
        }
        #expect(turns == [first, second, first])
        #expect(try await Self.queue(fixture).isEmpty)
    }

    @Test func `a test campaign holds, costs and gives back nothing, and the books fit`() async throws {
        let fixture = try await CampaignFixture.make(credits: 10)
        let test = try await fixture.stores.testAccount(of: fixture.account)
        // More than anybody has paid for.
        let campaign = try await fixture.draft(30, batchSize: 100, account: test)
        let quote = try await fixture.service.quote(test, campaign)
        #expect(quote.credits == 0 && quote.deliverable == 30)
        let sent = try await fixture.service.send(test, campaign)
        #expect(sent.credits == CampaignCredits(held: 0, charged: 0, released: 0))
        let batch = try #require(try await fixture.store.claimTest(node: "node", leaseSeconds: 60))
        #expect(try await deliver(batch, fixture) == .settled(campaignDone: true))
        _ = try await fixture.store.complete(test, campaign)
        let ended = try await fixture.service.get(test, campaign)
        #expect(ended.counters.delivered == 30 && ended.campaign.purgedAt != nil)
        #expect(ended.credits == CampaignCredits(held: 0, charged: 0, released: 0))
        #expect(try await fixture.service.certificate(test, campaign)?.counters.delivered == 30)
        let cancelled = try await fixture.sent(3, account: test)
        #expect(try await fixture.service.cancel(test, cancelled).counters.cancelled == 3)
        #expect(try await fixture.stores.balance(fixture.account) == CreditBalance(posted: 10, held: 0, limit: 0))
        #expect(
            try await fixture.records.owner.query("SELECT count(*) FROM ledger_entries").only.decode(Int.self) == 1)
        #expect(try await fixture.stores.problemsOfBooks().isEmpty)
    }

    @Test func `a test campaign has fewer recipients, and an account fewer of them`() async throws {
        let fixture = try await CampaignFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account)
        let campaign = try await fixture.draft(0, account: test)
        let addresses = CampaignFixture.addresses(0..<(ImportLimits.recipientsPerTest + 1))
        let error = await #expect(throws: ImportError.self) {
            try await fixture.service.importRecipients(
                test, campaign, format: .ndjson, source: CampaignFixture.stream(CampaignFixture.lines(addresses)))
        }
        #expect(error?.code == .tooManyRecipients)
        _ = try await fixture.service.importRecipients(
            test, campaign, format: .ndjson,
            source: CampaignFixture.stream(CampaignFixture.lines(addresses.dropLast())))
        for _ in 1..<CampaignLimits.testDrafts {
            try await fixture.records.owner.query(
                """
                INSERT INTO campaigns (account_id, campaign_id, from_domain, in_doubt_policy, expiry_seconds, batch_size)
                VALUES (\(test.rawValue), \(Int64.random(in: 1 ... .max)), 'shop.example', 'resend', 60, 1)
                """)
        }
        let refused = await #expect(throws: CampaignError.self) { try await fixture.draft(0, account: test) }
        #expect(refused?.code == .tooManyDrafts)
        _ = try await fixture.draft(0)
    }
}
