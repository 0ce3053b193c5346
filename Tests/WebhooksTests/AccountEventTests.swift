import Campaigns
import Feedback
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Webhooks

/// What suppression lists and refunds write to the outbox, in their own transactions.
struct AccountEventTests {
    private static func events(_ fixture: WebhookFixture) async throws -> [WebhookEvent] {
        let rows = try await fixture.records.query("SELECT facts FROM webhook_events ORDER BY event_no")
        return try rows.flatMap {
            try WebhookPack(facts: try $0.decode([UInt8].self), privateOctets: nil).events
        }
    }

    private static func text(_ event: WebhookEvent) throws -> String {
        guard case .members(let text) = event.detail else { throw WebhookError.malformed }
        return text
    }

    @Test func `who comes onto an account's suppression list and leaves it is told once`() async throws {
        let fixture = try await WebhookFixture.make()
        let list = fixture.stores.suppressions
        let (account, other) = (try await fixture.account(), try await fixture.account())
        _ = try await fixture.endpoints.create(account, url: "https://hooks.example.org/", types: .all)
        let addresses = try ["one@example.org", "two@example.org"].map { try EmailAddress($0) }
        for _ in 0..<2 {
            for owner in [account, other, Vault.installation] {
                try await list.add(addresses, account: owner, reason: .manual, origin: .customer)
            }
        }
        // A stronger reason is no new entry.
        try await list.add([addresses[0]], account: account, reason: .complaint, origin: .feedback)
        for _ in 0..<2 {
            for owner in [account, other] { _ = try await list.remove(addresses[1], account: owner) }
        }
        await #expect(throws: SuppressionError.protected) { try await list.remove(addresses[0], account: account) }
        let told = try await Self.events(fixture)
        #expect(told.map(\.type) == [.suppressionAdded, .suppressionAdded, .suppressionRemoved])
        #expect(try Self.text(told[0]).contains("\"reason\":\"manual\",\"origin\":\"customer\""))
        let fingerprint = try await fixture.stores.vault.accountKeys(account).fingerprinter.fingerprint(addresses[1])
        #expect(try Self.text(told[2]).contains(fingerprint.bytes.hexadecimal))
    }

    @Test func `a suppression that is undone tells nothing`() async throws {
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        _ = try await fixture.endpoints.create(account, url: "https://hooks.example.org/", types: .all)
        struct Undone: Error {}
        await #expect(throws: Undone.self) {
            try await fixture.stores.suppressions.add(
                [try EmailAddress("one@example.org")], account: account, reason: .manual, origin: .customer
            ) { _, _ in throw Undone() }
        }
        #expect(try await fixture.count("webhook_events") == 0)
    }

    @Test func `a refund is told with its credit, once`() async throws {
        let stores = try await Stores.open(refundFor: 3_600)
        let fixture = WebhookFixture(
            stores: stores,
            endpoints: WebhookEndpoints(records: stores.records.pool, vault: stores.vault, allowsPrivate: true))
        let account = try await stores.accountWithDomain("first", credits: 10)
        _ = try await fixture.endpoints.create(account, url: "https://hooks.example.org/", types: .all)
        let content = MessageContent(
            from: try Mailbox(name: nil, address: EmailAddress("news@shop.example")), subject: "Hello", text: "Hello")
        let campaign = try await stores.campaigns.create(account, CampaignRequest(content: content)).id
        _ = try await stores.campaigns.importRecipients(
            account, campaign, format: .ndjson,
            source: AsyncStream { continuation in
                continuation.yield(Array("{\"email\": \"one@example.org\"}\n".utf8))
                continuation.finish()
            })
        _ = try await stores.campaigns.send(account, campaign)
        let store = DeliveryStore(
            records: stores.records.pool, vault: stores.vault, ledger: stores.ledger,
            suppressions: stores.suppressions, feedback: stores.feedback, logger: .silent)
        let batch = try #require(try await store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let result = RecipientResult(index: 0, outcome: .delivered, code: 250)
        let entry = JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250)
        _ = try await store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: [entry])])
        _ = try await store.settle(batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: [result]))
        _ = try await store.complete(account, campaign)
        let fingerprint = try await stores.vault.accountKeys(account).fingerprinter.fingerprint(
            try EmailAddress("one@example.org"))
        let token = RecipientToken(account: account, campaign: campaign, fingerprint: fingerprint)
        for channel in [FeedbackChannel.notice, .provider("ses"), .notice] {
            try await stores.feedback.take([FeedbackEvent(token, .hardBounce, by: channel, reason: "userunknown")])
        }
        let refunded = try await Self.events(fixture).filter { $0.type == .creditsRefunded }
        #expect(refunded.count == 1)
        #expect(try Self.text(refunded[0]).contains("\"credits\":1"))
    }
}
