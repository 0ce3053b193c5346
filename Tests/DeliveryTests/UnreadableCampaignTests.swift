import Campaigns
import CreditLedger
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import TestPeers
import TestSupport
import Testing
import Vault

@testable import Delivery

/// Campaigns of which the stored message cannot be read any more: they end, pay what was delivered, and are purged.
@Suite struct UnreadableCampaignTests {
    enum Damage: CaseIterable {
        case alteredRow, emptyRow, missingRow

        func apply(to campaign: CampaignID, _ fixture: DeliveryFixture) async throws {
            let (owner, number) = (fixture.records.owner, campaign.rawValue)
            switch self {
            case .alteredRow:
                try await owner.query(
                    """
                    UPDATE campaign_content SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))
                    WHERE campaign_id = \(number)
                    """)
            case .emptyRow:
                try await owner.query("UPDATE campaign_content SET sealed = '' WHERE campaign_id = \(number)")
            case .missingRow: try await owner.query("DELETE FROM campaign_content WHERE campaign_id = \(number)")
            }
        }
    }

    /// Runs an engine until the campaign has ended, to a server that must not see it.
    private func end(
        of campaign: CampaignID, _ fixture: DeliveryFixture
    ) async throws -> (status: CampaignStatus, ended: Int) {
        let server = MailServer { _, _ in .accept }
        let ended = try await server.run { port in
            let engine = fixture.engine("engine", port: port)
            try await RunningEngine.with(engine) { _ in try await fixture.end(of: campaign) }
            return engine.status.counts.recipientsUnsendable
        }
        #expect(server.attempts.isEmpty)
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.problemsOfBooks() == [])
        return (try await fixture.service.get(fixture.account, campaign), ended)
    }

    @Test(arguments: Damage.allCases) func `before the first claim, all is given back`(_ damage: Damage) async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(6, batchSize: 3)
        try await damage.apply(to: campaign, fixture)
        #expect(try await fixture.store.campaignProblems(limit: 10).map(\.campaign) == [campaign])
        let (status, ended) = try await end(of: campaign, fixture)
        #expect(status.state == .completed && status.counters.cancelled == 6 && ended == 6)
        #expect(try await fixture.balance().available == DeliveryFixture.credits)
    }

    @Test(arguments: Damage.allCases) func `after some outcomes these are paid, and a doubt stays one`(
        _ damage: Damage
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(6, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "dead", leaseSeconds: 60, limit: 1).first)
        let entries = [
            JournalEntry(index: 0, kind: .intent), JournalEntry(index: 0, kind: .outcome(.delivered)),
            JournalEntry(index: 1, kind: .intent),
        ]
        _ = try await fixture.store.append(
            node: "dead", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        try await fixture.endLeases(of: "dead")
        try await damage.apply(to: campaign, fixture)
        let counters = try await end(of: campaign, fixture).status.counters
        #expect((counters.delivered, counters.inDoubt, counters.cancelled) == (1, 1, 4))
    }

    @Test func `of a retry batch as well, and its recipients are listed`() async throws {
        let fixture = try await DeliveryFixture.make(resultsFor: 600)
        let campaign = try await fixture.send(3, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "dead", leaseSeconds: 60, limit: 1).first)
        let entries = (0..<3).map { index in
            JournalEntry(
                index: index, kind: index < 2 ? .outcome(.delivered) : .deferred, replyCode: index < 2 ? 250 : 451)
        }
        _ = try await fixture.store.append(
            node: "dead", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        _ = try await fixture.store.settle(
            batch.id, node: "dead", epoch: batch.epoch,
            BatchSettlement(
                results: (0..<2).map { RecipientResult(index: $0, outcome: .delivered) },
                deferred: [batch.records[2]], retryInSeconds: 0))
        try await Damage.alteredRow.apply(to: campaign, fixture)
        try await fixture.withEngine(port: 9) { _ in
            try await fixture.end(of: campaign)
        }
        let status = try await fixture.service.get(fixture.account, campaign)
        #expect((status.counters.delivered, status.counters.cancelled) == (2, 1))
        let listed = try await fixture.service.recipients(fixture.account, campaign).recipients
        #expect(listed.map(\.fate) == [.final(.delivered), .final(.delivered), .final(.cancelled)])
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test(arguments: [true, false]) func `a paused one rests until it is resumed or cancelled`(
        _ isResumed: Bool
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4, batchSize: 2)
        _ = try await fixture.service.pause(fixture.account, campaign)
        try await Damage.alteredRow.apply(to: campaign, fixture)
        if isResumed {
            _ = try await fixture.service.resume(fixture.account, campaign)
        } else {
            _ = try await fixture.service.cancel(fixture.account, campaign)
        }
        let status = try await end(of: campaign, fixture).status
        #expect(status.counters.cancelled == 4)
        #expect(status.state == (isResumed ? .completed : .cancelled))
    }

    @Test func `where the journal is damaged too, all without an outcome are in doubt`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "engine", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "engine",
            [
                JournalGroup(
                    batch: batch.id, epoch: batch.epoch, entries: [JournalEntry(index: 0, kind: .outcome(.delivered))])
            ])
        try await fixture.records.owner.query(
            "UPDATE journal SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
        let result = try await fixture.store.endUnsendable(
            batch, node: "engine", because: UnreadableContent(campaign: campaign))
        #expect(result != .lost)
        let counters = try await fixture.counters(campaign)
        #expect((counters.delivered, counters.inDoubt) == (1, 2))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    /// Say a template that another release wrote.
    @Test func `mail that cannot be made waits for somebody who mends it, to the campaign's expiry`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4, batchSize: 2)
        let content = MessageContent(
            from: try Mailbox(name: "Shop", address: EmailAddress("news@shop.example")), subject: "{{#x}}", text: "x")
        let sealed = try await fixture.vault.campaignKey(fixture.account, campaign).seal(
            content.encoded(), as: SealContext(account: fixture.account, campaign: campaign, purpose: .content))
        try await fixture.records.owner.query("UPDATE campaign_content SET sealed = \(sealed)")
        try await fixture.withEngine(port: 9) { _ in
            try await eventually("both are given back") {
                try await fixture.records.owner.query(
                    "SELECT count(*) FROM batches WHERE epoch > 0 AND lease_node IS NULL"
                ).only.decode(column: 0, as: Int64.self) == 2
            }
        }
        #expect(try await fixture.counters(campaign).pending == 4)
        try await fixture.expire(campaign)
        try await fixture.records.owner.query("UPDATE batches SET due_at = now()")
        try await fixture.records.owner.query("UPDATE account_queue SET next_due = now()")
        let status = try await end(of: campaign, fixture).status
        #expect(status.counters.expired == 4)
    }
}
