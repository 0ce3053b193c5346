import MailMessage
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

@testable import Campaigns

/// Outcomes that can be read for a while after the end of their campaign.
struct ResultTests {
    @Test func `outcomes can be read after the end, and nothing else is left to read`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(10, batchSize: 3)
        try await Self.end(fixture, campaign)

        let status = try await fixture.status(campaign)
        #expect(status.state == .completed)
        let completedAt = try #require(status.campaign.completedAt)
        #expect(status.campaign.resultsUntil == completedAt + 60)
        #expect(status.campaign.purgedAt == nil && status.campaign.hasEnded)
        let page = try await fixture.service.recipients(fixture.account, campaign)
        #expect(page.recipients.map(\.email) == CampaignFixture.addresses(0..<10))
        #expect(page.recipients.map(\.outcome) == (0..<10).map { $0 == 4 ? .bounced : .delivered })
        #expect(page.recipients[4].code == 550 && page.recipients[4].text == "no 4")
        let bounced = try await fixture.service.recipients(fixture.account, campaign, fate: .final(.bounced))
        #expect(bounced.recipients.map(\.index) == [4])

        let key = try await fixture.vault.campaignKey(fixture.account, campaign)
        for (number, sealed) in try await Self.stored(fixture) {
            let records = try key.openRecipients(
                sealed, of: BatchID(account: fixture.account, campaign: campaign, number: number))
            #expect(records.allSatisfy { $0.name == nil && $0.variables == [:] })
        }
        let content = try await fixture.records.owner.query("SELECT sealed, lacking FROM campaign_content").only
        #expect(try content.decode([UInt8].self, [UInt8]?.self) == ([], nil))
        await #expect(throws: CampaignError.self) { try await fixture.store.sendable(fixture.account, campaign) }
    }

    @Test func `a campaign that has ended is at rest`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(4)
        try await Self.end(fixture, campaign)
        let account = fixture.account
        #expect(try await fixture.store.complete(account, campaign) == nil)
        #expect(try await fixture.store.unfinishedCompletions().isEmpty)
        #expect(try await fixture.service.certificate(account, campaign) == nil)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
        let service = fixture.service
        await #expect(throws: CampaignError.self) { try await service.pause(account, campaign) }
        await #expect(throws: CampaignError.self) { try await service.cancel(account, campaign) }
        await #expect(throws: CampaignError.self) { try await service.deleteDraft(account, campaign) }
        #expect(try await service.failAll(of: account).isEmpty)
        #expect(try await service.quote(account, campaign).recipients == 4)
        // Nothing is sent from its domain any more.
        try await fixture.service.removeDomain(account, DomainName("shop.example"))
        // An account may have many of them: claims look past them.
        let claims = try await fixture.records.owner.query(
            """
            SELECT count(*) FROM pg_proc WHERE proname IN ('claim_batches', 'claim_expired')
                AND prosrc LIKE '%c.purged_at IS NULL%' AND prosrc NOT LIKE '%c.purged_at IS NULL AND c.results_until IS NULL%'
            """
        ).only.decode(Int64.self)
        #expect(claims == 0)
    }

    @Test func `the purge comes with its time, and is what it always was`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(10, batchSize: 3)
        try await Self.end(fixture, campaign)
        let ended = try await fixture.status(campaign)
        try await Self.lapse(fixture)
        #expect(try await fixture.store.unfinishedCompletions().map(\.campaign) == [campaign])
        let certificate = try #require(try await fixture.store.complete(fixture.account, campaign))
        #expect(certificate.completedAt == ended.campaign.completedAt)
        #expect(certificate.keyDestroyedAt >= certificate.completedAt)
        #expect(certificate.rows["batch_recipients"] == 4 && certificate.rows["campaign_content"] == 1)
        #expect(certificate.counters == ended.counters)
        #expect(try await fixture.service.certificate(fixture.account, campaign) == certificate)
        for table in ["batches", "batch_recipients", "batch_results", "journal", "campaign_content"] {
            #expect(try await fixture.rows(table, campaign) == 0, "\(table)")
        }
        await #expect(throws: VaultError.self) { try await fixture.vault.campaignKey(fixture.account, campaign) }
        await #expect(throws: CampaignError.self) { try await fixture.service.recipients(fixture.account, campaign) }
        let status = try await fixture.status(campaign)
        #expect(status.state == .completed && status.campaign.purgedAt != nil)
        #expect(status.campaign.completedAt == ended.campaign.completedAt)
        #expect(try await fixture.store.unfinishedCompletions().isEmpty)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    /// The wiping is done and the end is not: where a process can die.
    @Test func `a crash before the end loses no outcome`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(10, batchSize: 3)
        try await fixture.records.owner.query(
            """
            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'power cut'; END $$
            """)
        try await fixture.records.owner.query(
            """
            CREATE TRIGGER die BEFORE UPDATE ON campaigns FOR EACH ROW WHEN (NEW.results_until IS NOT NULL)
            EXECUTE FUNCTION die()
            """)
        await #expect(throws: PostgresError.self) { try await Self.end(fixture, campaign) }
        #expect(try await fixture.status(campaign).state == .sending)
        #expect(try await fixture.rows("campaign_content", campaign) == 1)
        try await fixture.records.owner.query("DROP TRIGGER die ON campaigns")
        for (account, left) in try await fixture.store.unfinishedCompletions() {
            #expect(try await fixture.store.complete(account, left) == nil)
        }
        #expect(try await fixture.status(campaign).state == .completed)
        let page = try await fixture.service.recipients(fixture.account, campaign)
        #expect(page.recipients.map(\.outcome) == (0..<10).map { $0 == 4 ? .bounced : .delivered })
    }

    @Test func `ending at the same time ends once`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(10, batchSize: 3)
        try await Self.settle(fixture)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 {
                group.addTask { _ = try await fixture.store.complete(fixture.account, campaign) }
            }
            try await group.waitForAll()
        }
        #expect(try await fixture.status(campaign).state == .completed)
        let page = try await fixture.service.recipients(fixture.account, campaign)
        #expect(page.recipients.count == 10)
    }

    @Test func `of a cancelled campaign the outcomes can be read too`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(10, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "n", [batch.group([batch.records[0].index: .delivered])])
        try await fixture.endLeases(of: "n")
        _ = try await fixture.service.cancel(fixture.account, campaign)
        let status = try await fixture.status(campaign)
        #expect(status.state == .cancelled && status.campaign.resultsUntil != nil)
        #expect((status.counters.delivered, status.counters.cancelled) == (1, 9))
        let page = try await fixture.service.recipients(fixture.account, campaign)
        #expect(page.recipients.count { $0.outcome == .delivered } == 1)
        #expect(page.recipients.count { $0.outcome == .cancelled } == 9)
    }

    @Test func `a draft that is given up is destroyed at once`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let deleted = try await fixture.draft(3)
        _ = try await fixture.service.deleteDraft(fixture.account, deleted)
        let status = try await fixture.status(deleted)
        #expect(status.campaign.purgedAt != nil && status.campaign.resultsUntil == nil)
        #expect(try await fixture.rows("batch_recipients", deleted) == 0)
    }

    // MARK: Steps

    /// Delivers to all but person 4, who bounces, and ends the campaign.
    private static func end(_ fixture: CampaignFixture, _ campaign: CampaignID) async throws {
        try await settle(fixture)
        _ = try await fixture.store.complete(fixture.account, campaign)
    }

    private static func settle(_ fixture: CampaignFixture) async throws {
        for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10) {
            let results = batch.records.map { record in
                record.index == 4
                    ? RecipientResult(index: 4, outcome: .bounced, code: 550, text: "no 4")
                    : RecipientResult(index: record.index, outcome: .delivered, code: 250, text: "ok")
            }
            let entries = results.flatMap { result in
                [
                    JournalEntry(index: result.index, kind: .intent),
                    JournalEntry(
                        index: result.index, kind: .outcome(result.outcome ?? .delivered), replyCode: result.code,
                        text: result.text),
                ]
            }
            _ = try await fixture.store.append(
                node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
            _ = try await fixture.store.settle(
                batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: results))
        }
    }

    private static func stored(_ fixture: CampaignFixture) async throws -> [(Int32, [UInt8])] {
        let rows = try await fixture.records.owner.query("SELECT batch_no, sealed FROM batch_recipients")
        #expect(!rows.isEmpty)
        return try rows.map { try $0.decode(Int32.self, [UInt8].self) }
    }

    /// As if the time to read outcomes had passed.
    private static func lapse(_ fixture: CampaignFixture) async throws {
        try await fixture.records.owner.query(
            "UPDATE campaigns SET results_until = clock_timestamp() - interval '1 second'")
    }
}
