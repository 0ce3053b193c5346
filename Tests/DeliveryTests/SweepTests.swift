import Campaigns
import Logging
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing

@testable import Delivery

/// The sweep that ends campaigns whose last batch was settled by a node that died.
@Suite struct SweepTests {
    /// Delivers a campaign to one recipient, and leaves its end to others.
    private func settled(_ fixture: DeliveryFixture, of account: AccountID, from domain: String) async throws
        -> CampaignID
    {
        let campaign = try await fixture.send(1, of: account, from: domain)
        let batch = try #require(try await fixture.store.claim(node: "dead", leaseSeconds: 60, limit: 1).first)
        #expect(batch.id.campaign == campaign)
        _ = try await fixture.store.append(
            node: "dead",
            [
                JournalGroup(
                    batch: batch.id, epoch: batch.epoch, entries: [JournalEntry(index: 0, kind: .outcome(.delivered))])
            ])
        _ = try await fixture.store.settle(
            batch.id, node: "dead", epoch: batch.epoch,
            BatchSettlement(results: [RecipientResult(index: 0, outcome: .delivered)]))
        return campaign
    }

    @Test func `campaigns of others end while somebody holds an account, which is tried once`() async throws {
        let fixture = try await DeliveryFixture.make()
        let other = try await fixture.anotherAccount(domain: "club.example")
        var held: [CampaignID] = []
        for _ in 0..<3 { held.append(try await settled(fixture, of: fixture.account, from: "shop.example")) }
        let free = try await settled(fixture, of: other, from: "club.example")
        var configuration = fixture.records.configuration()
        configuration.limits.lock = .milliseconds(300)
        let records = PostgresPool(configuration: configuration, logger: .silent)
        let store = DeliveryStore(
            records: records, vault: fixture.vault, ledger: fixture.ledger, suppressions: fixture.suppressions,
            logger: .silent)
        let log = Log()
        let sweeps = fixture.engine(port: 9, store: store, logger: log.logger).sweeps
        func ended(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
            try await fixture.service.get(account, campaign).campaign.hasEnded
        }
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM accounts WHERE account_id = \(fixture.account.rawValue) FOR UPDATE")
            try await sweeps.completeCampaigns()
            let hasEnded = try await ended(other, free)
            #expect(hasEnded)
        }
        #expect(log.lines.count { $0.text.hasPrefix("completions put off") } == 1)
        try await sweeps.completeCampaigns()
        for campaign in held { #expect(try await ended(fixture.account, campaign)) }
        await records.close()
    }

    @Test func `a campaign that cannot be read keeps none behind it from its end`() async throws {
        let fixture = try await DeliveryFixture.make()
        var campaigns: [CampaignID] = []
        for _ in 0..<3 { campaigns.append(try await settled(fixture, of: fixture.account, from: "shop.example")) }
        campaigns.sort { $0.rawValue < $1.rawValue }
        // As another release might have written it.
        try await fixture.records.owner.query(
            "ALTER TABLE campaigns DROP CONSTRAINT campaigns_in_doubt_policy_check")
        try await fixture.records.owner.query(
            "UPDATE campaigns SET in_doubt_policy = 'toss' WHERE campaign_id = \(campaigns[0].rawValue)")
        let log = Log()
        let sweeps = fixture.engine(port: 9, logger: log.logger).sweeps
        try await sweeps.completeCampaigns()
        for campaign in campaigns.dropFirst() {
            #expect(try await fixture.service.get(fixture.account, campaign).campaign.hasEnded)
        }
        #expect(log.lines.contains { $0.level == .warning && $0.text.contains("\(campaigns[0])") })
    }
}
