import Campaigns
import CreditLedger
import Crypto
import Foundation
import MailTypes
import Postgres
import TestDatabases
import Testing

/// What campaigns say of themselves against what the books say of them.
@Suite struct BookComparisonTests {
    /// Two campaigns of one account, delivered and purged.
    private func purged(_ fixture: CampaignFixture) async throws -> [CampaignID] {
        let campaigns = [try await fixture.sent(6), try await fixture.sent(3)]
        try await fixture.deliverAll()
        for campaign in campaigns { #expect(try await fixture.status(campaign).campaign.purgedAt != nil) }
        #expect(try await fixture.problemsOfBooks() == [])
        return campaigns
    }

    @Test func `a campaign whose counters were changed differs from what was charged`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await purged(fixture)[0]
        // As the program itself might.
        try await fixture.records.pool.query(
            "UPDATE campaigns SET delivered = 4, bounced = 2 WHERE campaign_id = \(campaign.rawValue)")
        #expect(
            try await fixture.problemsOfBooks() == [
                "account \(fixture.account), campaign \(campaign): 4 recipients count as delivered, 6 were charged"
            ])
    }

    @Test func `books that were cut off differ from the campaigns that are still there`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await purged(fixture)[1]
        let account = fixture.account.rawValue
        try await fixture.records.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    ALTER TABLE ledger_entries DISABLE TRIGGER USER; ALTER TABLE holds DISABLE TRIGGER USER;
                    ALTER TABLE accounts DISABLE TRIGGER USER;
                    DELETE FROM holds WHERE campaign_id = \(campaign.rawValue);
                    DELETE FROM ledger_entries WHERE entry_no >= (
                        SELECT min(entry_no) FROM ledger_entries WHERE campaign_id = \(campaign.rawValue));
                    DELETE FROM holds h WHERE NOT EXISTS (
                        SELECT FROM ledger_entries e WHERE e.campaign_id = h.campaign_id);
                    UPDATE accounts SET (posted, held, entry_count, chain_head) = (
                        SELECT posted_after, held_after, entry_no, chain FROM ledger_entries ORDER BY entry_no DESC LIMIT 1)
                    WHERE account_id = \(account)
                    """)
        }
        let problems = try await fixture.problemsOfBooks()
        let prefix = "account \(fixture.account), campaign \(campaign): "
        #expect(problems.contains(prefix + "3 recipients count as delivered, 0 were charged"))
        #expect(problems.contains(prefix + "the purge certificate is not the one that the books noted"))
    }

    @Test func `a certificate that was made up is given to nobody, whatever its digest`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await purged(fixture)[0]
        let genuine = try #require(try await fixture.service.certificate(fixture.account, campaign))
        let members = genuine.canonicalText.dropLast().replacing(#""bounced":0"#, with: #""bounced":2"#)
            .replacing(#""delivered":6"#, with: #""delivered":4"#)
        let digest = SHA256.hash(data: Data((members + "}").utf8)).map { String(format: "%02x", $0) }.joined()
        let forged = members + #","digest":"\#(digest)"}"#
        try await fixture.records.pool.query(
            "UPDATE campaigns SET certificate = \(String(forged)) WHERE campaign_id = \(campaign.rawValue)")
        let error = await #expect(throws: CampaignError.self) {
            try await fixture.service.certificate(fixture.account, campaign)
        }
        #expect(error?.code == .malformedRecord)
        #expect(
            try await fixture.problemsOfBooks() == [
                "account \(fixture.account), campaign \(campaign): "
                    + "the purge certificate is not the one that the books noted"
            ])
        try await fixture.records.owner.query("ALTER TABLE campaigns DROP CONSTRAINT campaigns_purge_is_last")
        try await fixture.records.pool.query(
            "UPDATE campaigns SET certificate = NULL WHERE campaign_id = \(campaign.rawValue)")
        #expect(
            try await fixture.problemsOfBooks() == [
                "account \(fixture.account), campaign \(campaign): "
                    + "the books note a purge that the campaign knows nothing of"
            ])
    }

    /// Their credits are on their way from the hold to the charge.
    @Test func `campaigns under way are not compared`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(8)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "n", [batch.group(all: .delivered)])
        #expect(try await fixture.problemsOfBooks() == [])
    }
}
