import MailTypes
import Postgres
import TestPeers
import TestStores
import Testing
import Vault

@testable import Webhooks

struct OutboxTests {
    @Test func `event and change are committed together or not at all`() async throws {
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        _ = try await fixture.endpoints.create(account, url: "https://hooks.example.org/", types: .all)
        struct Undone: Error {}
        await #expect(throws: Undone.self) {
            try await fixture.records.withTransaction { connection in
                try await WebhookOutbox.append([.sample(1)], account: account, on: connection)
                throw Undone()
            }
        }
        #expect(try await fixture.count("webhook_events") == 0)
        try await fixture.append([.sample(1)], account)
        #expect(try await fixture.count("webhook_events") == 1)
        #expect(try await fixture.count("webhook_deliveries") == 1)
    }

    @Test func `nothing is kept for an account whose webhooks want none of it`() async throws {
        let fixture = try await WebhookFixture.make()
        let (account, other) = (try await fixture.account(), try await fixture.account())
        let (endpoint, _) = try await fixture.endpoints.create(
            account, url: "https://hooks.example.org/", types: .init(.messageBounced))
        try await fixture.append([.sample(1), .sample(2, .messageExpired)], account)
        try await fixture.append([.sample(1, .messageBounced)], other)
        #expect(try await fixture.count("webhook_events") == 0)
        try await fixture.append([.sample(1), .sample(2, .messageBounced)], account)
        #expect(try await fixture.count("webhook_deliveries") == 1)
        var change = WebhookEndpoints.Change()
        change.isActive = false
        _ = try await fixture.endpoints.update(account, endpoint.id, change)
        try await fixture.append([.sample(1, .messageBounced)], account)
        #expect(try await fixture.count("webhook_deliveries") == 1)

        let interest = WebhookInterest()
        #expect(interest.types(of: other) == .all)
        try await interest.refresh(fixture.records)
        #expect(interest.types(of: other) == [] && interest.types(of: account) == [])
        change.isActive = true
        _ = try await fixture.endpoints.update(account, endpoint.id, change)
        try await interest.refresh(fixture.records)
        #expect(interest.types(of: account) == .init(.messageBounced))
    }

    @Test func `what a commit tells of one campaign is one pack`() async throws {
        let fixture = try await WebhookFixture.make()
        let (account, other) = (try await fixture.account(), try await fixture.account())
        for owner in [account, other] {
            _ = try await fixture.endpoints.create(owner, url: "https://hooks.example.org/", types: .all)
        }
        let (first, second) = (CampaignID(rawValue: 7), CampaignID(rawValue: 8))
        let groups: [WebhookOutbox.Group] = [
            .init([.sample(1)], account: account, campaign: first),
            .init([.sample(2)], account: other, campaign: first),
            .init([.sample(3), .sample(4)], account: account, campaign: first),
            .init([.sample(5)], account: account, campaign: second),
        ]
        try await fixture.records.withTransaction { try await WebhookOutbox.append(groups, on: $0) }
        let packs = try await fixture.records.query(
            "SELECT account_id, campaign_id, events FROM webhook_events ORDER BY event_no"
        ).map { try $0.decode(Int64.self, Int64.self, Int16.self) }
        #expect(packs.map(\.0) == [account, other, account].map(\.rawValue))
        #expect(packs.map(\.1) == [7, 7, 8])
        #expect(packs.map(\.2) == [3, 1, 1])
    }

    @Test func `the oldest events of an account that has too many are dropped, and counted`() async throws {
        let fixture = try await WebhookFixture.make()
        let (account, other) = (try await fixture.account(), try await fixture.account())
        for owner in [account, other] {
            _ = try await fixture.endpoints.create(owner, url: "https://hooks.example.org/", types: .all)
        }
        for number in 0..<12 { try await fixture.append([.sample(number), .sample(number)], account) }
        try await fixture.append([.sample(1)], other)
        var sweep = WebhookSweep(records: fixture.records)
        #expect(try await sweep.sweep(now: fixture.clock.now) == 0)
        sweep.rows = 5
        #expect(try await sweep.sweep(now: fixture.clock.now) == 14)
        #expect(try await fixture.count("webhook_events") == 6)
        #expect(try await fixture.count("webhook_deliveries") == 6)
        #expect(try await fixture.endpoints.list(account)[0].dropped == 14)
        sweep.rows = 100
        sweep.octets = 200
        #expect(try await sweep.sweep(now: fixture.clock.now) > 0)
        #expect(try await fixture.endpoints.list(other)[0].dropped == 0)
    }

    @Test func `events are gone after three days, also those of a disabled webhook`() async throws {
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(
            account, url: "https://hooks.example.org/", types: .all)
        try await fixture.append([.sample(1)], account)
        var change = WebhookEndpoints.Change()
        change.isActive = false
        _ = try await fixture.endpoints.update(account, endpoint.id, change)
        let sweep = WebhookSweep(records: fixture.records)
        fixture.clock.advance(seconds: 3 * 86_400 - 60)
        #expect(try await sweep.sweep(now: fixture.clock.now) == 0)
        #expect(try await fixture.count("webhook_events") == 1)
        fixture.clock.advance(seconds: 120)
        #expect(try await sweep.sweep(now: fixture.clock.now) == 1)
        #expect(try await fixture.count("webhook_events") == 0)
        #expect(try await fixture.count("webhook_deliveries") == 0)
        #expect(try await fixture.endpoints.get(account, endpoint.id).dropped == 1)
    }

    @Test func `at rest no address can be read, and none is left once it was told`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, secret) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        let key = try await fixture.stores.vault.accountKeys(account).sealing
        try await fixture.append([.sample(42)], account, key: key)
        let stored = try await fixture.records.query("SELECT facts, private FROM webhook_events").only.decode(
            [UInt8].self, [UInt8].self)
        for bytes in [stored.0, stored.1] {
            #expect(!String(decoding: bytes, as: UTF8.self).contains("example.org"))
        }
        let row = try await fixture.records.query("SELECT sealed FROM webhook_endpoints").only.decode([UInt8].self)
        #expect(!String(decoding: row, as: UTF8.self).contains("127.0.0.1"))
        #expect(!String(decoding: row, as: UTF8.self).contains(secret.text))
        _ = try await fixture.worker().drain()
        #expect(server.messages.flatMap(ReadEvent.all).map(\.address) == ["r42@example.org"])
        #expect(
            try await fixture.records.query("SELECT private IS NULL FROM webhook_events").only.decode(Bool.self))
        // Told again it comes without an address.
        let event = ReadEvent.all(server.messages[0])[0].id
        #expect(try await fixture.endpoints.replay(account, endpoint.id, .event(event)) == 1)
        _ = try await fixture.worker().drain()
        let again = server.messages.flatMap(ReadEvent.all)
        #expect(again.map(\.id) == [event, event] && again[1].address == nil)
        #expect(server.messages[0].header("webhook-id") != server.messages[1].header("webhook-id"))
        try await server.close()
    }

    @Test func `an account has at most twenty webhooks, also when all are made at once`() async throws {
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let made = await withTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<26 {
                tasks.addTask {
                    do {
                        _ = try await fixture.endpoints.create(
                            account, url: "https://hooks.example.org/", types: .all)
                        return true
                    } catch {
                        return (error as? WebhookError)?.code != .tooManyWebhooks
                    }
                }
            }
            return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == WebhookLimits.endpoints)
        #expect(try await fixture.endpoints.list(account).count == WebhookLimits.endpoints)
    }
}
