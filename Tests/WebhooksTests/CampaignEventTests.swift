import Campaigns
import Feedback
import Logging
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Webhooks

/// What campaigns, domains and feedback write to the outbox, in their own transactions.
struct CampaignEventTests {
    /// An account with a webhook for everything, and a store that knows of it.
    private struct Fixture {
        let webhooks: WebhookFixture
        let account: AccountID
        let store: DeliveryStore
        var stores: Stores { webhooks.stores }

        static func make() async throws -> Fixture {
            let webhooks = try await WebhookFixture.make()
            let stores = webhooks.stores
            let account = try await stores.accountWithDomain("first", credits: 1_000)
            _ = try await webhooks.endpoints.create(account, url: "https://hooks.example.org/", types: .all)
            let interest = WebhookInterest()
            try await interest.refresh(stores.records.pool)
            return Fixture(
                webhooks: webhooks, account: account,
                store: DeliveryStore(
                    records: stores.records.pool, vault: stores.vault, ledger: stores.ledger,
                    suppressions: stores.suppressions, webhooks: interest, logger: .silent))
        }

        func sent(_ count: Int, inDoubt: InDoubtPolicy = .resend) async throws -> CampaignID {
            let content = MessageContent(
                from: try Mailbox(name: nil, address: EmailAddress("news@shop.example")), subject: "Hello",
                text: "Hello")
            let campaign = try await stores.campaigns.create(
                account, CampaignRequest(content: content, inDoubt: inDoubt, batchSize: 100)
            ).id
            let lines = (0..<count).flatMap { Array("{\"email\": \"person\($0)@example.org\"}\n".utf8) }
            _ = try await stores.campaigns.importRecipients(
                account, campaign, format: .ndjson,
                source: AsyncStream { continuation in
                    continuation.yield(lines)
                    continuation.finish()
                })
            _ = try await stores.campaigns.send(account, campaign)
            return campaign
        }

        /// All events of the outbox, with what is sealed where the key is still there.
        func events() async throws -> [WebhookEvent] {
            var events: [WebhookEvent] = []
            let rows = try await webhooks.records.query(
                "SELECT campaign_id, facts, private FROM webhook_events ORDER BY event_no")
            for row in rows {
                let (number, facts, names) = try row.decode(Int64.self, [UInt8].self, [UInt8]?.self)
                let campaign = CampaignID(rawValue: number)
                var opened: [UInt8]?
                if let names, let key = try? await stores.vault.campaignKey(account, campaign) {
                    opened = try key.open(names, as: WebhookOutbox.sealing(of: account, campaign))
                }
                events += try WebhookPack(facts: facts, privateOctets: opened).events
            }
            return events
        }
    }

    private static func group(_ batch: ClaimedBatch, _ entries: [JournalEntry]) -> JournalGroup {
        JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)
    }

    @Test func `each answer is told with the journal group that holds it, once`() async throws {
        let fixture = try await Fixture.make()
        let campaign = try await fixture.sent(6)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        var requeued = JournalEntry(index: 5, kind: .deferred, text: "its turn has not come")
        requeued.wasTried = false
        let group = Self.group(
            batch,
            (0..<6).map { JournalEntry(index: $0, kind: .intent) } + [
                JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250, text: "ok"),
                JournalEntry(
                    index: 1, kind: .outcome(.bounced), replyCode: 550,
                    enhanced: EnhancedStatusCode(statusClass: 5, subject: 1, detail: 1),
                    text: "<person1@example.org> unknown"),
                JournalEntry(index: 2, kind: .deferred, replyCode: 450, text: "later"),
                JournalEntry(index: 3, kind: .outcome(.suppressed)),
                JournalEntry(index: 4, kind: .outcome(.inDoubt)), requeued,
            ])
        let people: RecipientLookUp = { index in
            (batch.records[Int(index)].address, Fingerprint(high: 0, low: UInt64(index)))
        }
        for _ in 0..<2 { _ = try await fixture.store.append(node: "n", [group], people: [batch.id: people]) }
        let events = try await fixture.events().filter { $0.type != .campaignQueued }
        #expect(
            events.map(\.type) == [
                .messageDelivered, .messageBounced, .messageDeferred, .messageSuppressed, .messageInDoubt,
            ])
        #expect(events.map(\.address) == (0..<5).map { "person\($0)@example.org" })
        #expect(events[1].reply == "<…@…> unknown")
        guard case .message(let facts) = events[1].detail else { throw WebhookError.malformed }
        #expect(facts.index == 1 && facts.code == 550 && facts.enhanced?.description == "5.1.1")
        #expect(facts.fingerprint == Fingerprint(high: 0, low: 1))
        // One row for the group, and another for the queued campaign.
        #expect(try await fixture.webhooks.count("webhook_events") == 2)
        _ = campaign
    }

    @Test func `a group that is not committed tells nothing`() async throws {
        let fixture = try await Fixture.make()
        _ = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let stale = JournalGroup(
            batch: batch.id, epoch: batch.epoch - 1,
            entries: [JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250)])
        #expect(try await fixture.store.append(node: "n", [stale]) == [batch.id: .lost])
        #expect(try await fixture.events().map(\.type) == [.campaignQueued])
    }

    @Test func `of groups that are committed in part, those that are committed are told`() async throws {
        let fixture = try await Fixture.make()
        var groups: [JournalGroup] = []
        var people: [BatchID: RecipientLookUp] = [:]
        for lost in [false, true, false] {
            _ = try await fixture.sent(1)
            let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
            groups.append(
                JournalGroup(
                    batch: batch.id, epoch: lost ? batch.epoch - 1 : batch.epoch,
                    entries: [JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250)]))
            people[batch.id] = { _ in (batch.records[0].address, Fingerprint(high: 0, low: lost ? 1 : 0)) }
        }
        let states = try await fixture.store.append(node: "n", groups, people: people)
        #expect(groups.map { states[$0.batch]?.committed != nil } == [true, false, true])
        let told = try await fixture.events().compactMap { event -> Fingerprint? in
            guard event.type == .messageDelivered, case .message(let facts) = event.detail else { return nil }
            return facts.fingerprint
        }
        #expect(told == [Fingerprint(high: 0, low: 0), Fingerprint(high: 0, low: 0)])
        #expect(
            try await fixture.webhooks.records.query("SELECT sum(delivered) FROM campaigns").only.decode(Int64.self)
                == 2)
    }

    @Test func `recipients whom nobody looks up are read from the batch`() async throws {
        let fixture = try await Fixture.make()
        _ = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let group = Self.group(batch, [JournalEntry(index: 1, kind: .outcome(.delivered), replyCode: 250)])
        _ = try await fixture.store.append(node: "n", [group])
        let told = try #require(try await fixture.events().last)
        #expect(told.address == "person1@example.org")
        let fingerprinter = try await fixture.stores.vault.accountKeys(fixture.account).fingerprinter
        guard case .message(let facts) = told.detail else { throw WebhookError.malformed }
        #expect(facts.fingerprint == fingerprinter.fingerprint(try EmailAddress("person1@example.org")))
    }

    @Test func `a campaign tells of its way from the queue to the purge, in order`() async throws {
        let fixture = try await Fixture.make()
        let campaign = try await fixture.sent(2)
        _ = try await fixture.stores.campaigns.pause(fixture.account, campaign)
        _ = try await fixture.stores.campaigns.resume(fixture.account, campaign)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let results = [Int32(0), 1].map { RecipientResult(index: $0, outcome: .delivered, code: 250) }
        _ = try await fixture.store.append(
            node: "n",
            [
                Self.group(
                    batch, results.map { JournalEntry(index: $0.index, kind: .outcome(.delivered), replyCode: 250) })
            ])
        _ = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: results))
        _ = try await fixture.store.complete(fixture.account, campaign)
        let events = try await fixture.events()
        #expect(
            events.map(\.type) == [
                .campaignQueued, .campaignPaused, .messageDelivered, .messageDelivered, .campaignCompleted,
                .campaignPurged,
            ])
        guard case .members(let text) = events[4].detail else { throw WebhookError.malformed }
        #expect(text.contains("\"recipients\":2,\"delivered\":2,\"bounced\":0"))
        // P6: after the purge nobody can read who it was.
        #expect(events.allSatisfy { $0.address == nil })
    }

    @Test func `a cancellation tells who is in doubt, and completes nothing`() async throws {
        let fixture = try await Fixture.make()
        let campaign = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n", [Self.group(batch, [JournalEntry(index: 1, kind: .intent)])])
        _ = try await fixture.stores.campaigns.cancel(fixture.account, campaign)
        _ = try await fixture.store.settle(batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: []))
        _ = try await fixture.store.complete(fixture.account, campaign)
        #expect(
            try await fixture.events().map(\.type)
                == [.campaignQueued, .campaignCancelled, .messageInDoubt, .campaignPurged])
    }

    @Test func `what comes back later is told by the feedback's own transaction`() async throws {
        let fixture = try await Fixture.make()
        let intake = FeedbackIntake(records: fixture.webhooks.records, followers: [WebhookFollower()])
        let token = RecipientToken(
            account: fixture.account, campaign: CampaignID(rawValue: 9), fingerprint: Fingerprint(high: 1, low: 2))
        let facts: [(FeedbackFact, FeedbackChannel)] = [
            (.hardBounce, .notice), (.complaint, .report), (.unsubscribe, .link), (.delay, .provider("ses")),
            (.softBounce, .reply),
        ]
        for _ in 0..<2 {
            _ = try await intake.take(facts.map { FeedbackEvent(token, $0.0, by: $0.1, reason: "other") })
        }
        #expect(
            Set(try await fixture.events().map(\.type)) == [
                .messageBounced, .messageComplained, .messageUnsubscribed, .messageDeferred,
            ])
        #expect(try await fixture.events().count == 4)
    }

    @Test func `an account without a webhook has no outbox`() async throws {
        let fixture = try await Fixture.make()
        try await fixture.webhooks.records.query("DELETE FROM webhook_endpoints")
        let campaign = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n", [Self.group(batch, [JournalEntry(index: 1, kind: .outcome(.delivered), replyCode: 250)])])
        _ = try await fixture.stores.campaigns.cancel(fixture.account, campaign)
        #expect(try await fixture.webhooks.count("webhook_events") == 0)
    }
}
