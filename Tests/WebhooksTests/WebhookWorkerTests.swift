import Foundation
import MailTypes
import NIOHTTP1
import Postgres
import Synchronization
import TestPeers
import TestStores
import TestSupport
import Testing
import Vault

@testable import Webhooks

struct WebhookWorkerTests {
    private static let campaign = CampaignID("cmp_0000000000001")!

    @Test func `what is sent verifies, and says what happened`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, secret) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        let key = try await fixture.stores.vault.createCampaignKey(account, Self.campaign)
        try await fixture.append([.sample(3, .messageBounced)], account, campaign: Self.campaign, key: key)
        _ = try await fixture.worker().drain()
        let message = try #require(server.messages.first)
        try WebhookVerifier(secret).verify(
            id: message.header("webhook-id"), timestamp: message.header("webhook-timestamp"),
            signatures: message.header("webhook-signature"), body: message.body, now: fixture.clock.now / 1_000_000)
        #expect(message.header("content-type") == "application/json")
        let body = try #require(JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any])
        #expect(body["type"] as? String == "message.bounced")
        #expect((body["timestamp"] as? String)?.hasSuffix("Z") == true)
        let data = try #require(body["data"] as? [String: Any])
        #expect(data["campaign"] as? String == "cmp_0000000000001")
        #expect(data["index"] as? Int == 3)
        #expect(data["recipient"] as? String == "00000000000000070000000000000003")
        #expect(data["address"] as? String == "r3@example.org")
        #expect(data["code"] as? Int == 250 && data["enhanced"] as? String == "2.0.0")
        #expect(data["reply"] as? String == "2.0.0 ok 3")
        #expect((data["id"] as? String)?.hasPrefix("evt_") == true)
        let attempts = try await fixture.endpoints.attempts(account, endpoint.id, limit: 10)
        #expect(attempts.map(\.status) == [204] && attempts[0].message == message.header("webhook-id"))
        #expect(try await fixture.endpoints.get(account, endpoint.id).delivered == 1)
        try await server.close()
    }

    @Test func `events come in messages of the size that the webhook wants, in order`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        for start in stride(from: 0, to: 330, by: 30) {
            try await fixture.append((start..<start + 30).map { .sample($0) }, account)
        }
        try await fixture.append((330..<570).map { .sample($0) }, account)
        _ = try await fixture.worker().drain()
        let told = server.messages.map(ReadEvent.all)
        #expect(told.flatMap { $0.map(\.index) } == (0..<570).map { $0 })
        #expect(told.allSatisfy { (1...100).contains($0.count) } && told.count <= 8)
        #expect(Set(told.flatMap { $0.map(\.id) }).count == 570)

        var change = WebhookEndpoints.Change()
        change.batchSize = 7
        _ = try await fixture.endpoints.update(account, endpoint.id, change)
        try await fixture.append((0..<30).map { .sample($0) }, account)
        _ = try await fixture.worker().drain()
        let small = server.messages.dropFirst(told.count).map(ReadEvent.all)
        #expect(small.map(\.count) == [7, 7, 7, 7, 2])
        #expect(small.flatMap { $0.map(\.index) } == (0..<30).map { $0 })
        #expect(try await fixture.count("webhook_deliveries") == 0)
        try await server.close()
    }

    @Test func `a webhook is told only what it wants`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        _ = try await fixture.endpoints.create(account, url: server.url, types: .init(.messageBounced))
        try await fixture.append([.sample(0), .sample(1, .messageBounced), .sample(2)], account)
        _ = try await fixture.worker().drain()
        #expect(server.messages.flatMap(ReadEvent.all).map(\.index) == [1])
        try await server.close()
    }

    @Test func `a campaign's events come in order whatever fails on the way`() async throws {
        let dice = Mutex(SeededGenerator(seed: 5))
        let taken = Mutex<[HookServer.Message]>([])
        let server = try await HookServer { message in
            let status = dice.withLock {
                HTTPResponseStatus(statusCode: [204, 204, 204, 500, 503].randomElement(using: &$0)!)
            }
            if status == .noContent { taken.withLock { $0.append(message) } }
            return .init(status)
        }
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(
            account, url: server.url, types: .all, batchSize: 5)
        let campaigns = (1...3).map { CampaignID(rawValue: $0) }
        for round in 0..<20 {
            for campaign in campaigns {
                try await fixture.append([.sample(2 * round), .sample(2 * round + 1)], account, campaign: campaign)
            }
        }
        let worker = fixture.worker()
        for _ in 0..<2_000 {
            _ = try await worker.drain()
            guard try await fixture.count("webhook_deliveries") > 0 else { break }
            fixture.clock.advance(seconds: 120)
        }
        var order: [String: [Int]] = [:]
        for message in taken.withLock(\.self) {
            let body = try #require(JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any])
            let events = ((body["data"] as? [String: Any])?["events"] as? [[String: Any]]) ?? [body]
            for event in events {
                let data = try #require(event["data"] as? [String: Any])
                order[data["campaign"] as? String ?? "", default: []].append(data["index"] as? Int ?? -1)
            }
        }
        #expect(order.count == 3)
        for (_, indices) in order { #expect(indices == Array(0..<40)) }
        let failed = try await fixture.endpoints.get(account, endpoint.id).failed
        #expect(failed > 5)
        try await server.close()
    }

    @Test func `an endpoint that fails for a day gets all events once it is back`() async throws {
        let isBack = Atomic(false)
        let server = try await HookServer { _ in
            .init(isBack.load(ordering: .relaxed) ? .ok : .internalServerError)
        }
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        try await fixture.append((0..<10).map { .sample($0) }, account, campaign: Self.campaign)
        let worker = fixture.worker()
        for _ in 0..<(24 * 6) {
            _ = try await worker.drain()
            fixture.clock.advance(seconds: 600)
        }
        let tries = server.messages
        #expect((6...9).contains(tries.count))
        #expect(Set(tries.map { $0.header("webhook-id") }).count == 1)
        #expect(Set(tries.map(\.body)).count == 1)
        // Each try has a signature of its own time.
        #expect(Set(tries.map { $0.header("webhook-timestamp") }).count == tries.count)
        var found = try await fixture.endpoints.get(account, endpoint.id)
        #expect(found.disabledReason == nil && found.failingSince != nil && found.failed == Int64(tries.count))
        isBack.store(true, ordering: .relaxed)
        fixture.clock.advance(seconds: 86_400)
        _ = try await worker.drain()
        #expect(server.messages.last.map(ReadEvent.all)?.map(\.index) == (0..<10).map { $0 })
        found = try await fixture.endpoints.get(account, endpoint.id)
        #expect(found.failingSince == nil && found.delivered == 10 && found.dropped == 0)
        try await server.close()
    }

    @Test func `an endpoint that fails for three days is disabled`() async throws {
        let server = try await HookServer { _ in .init(.badGateway) }
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        try await fixture.append([.sample(1)], account)
        let worker = fixture.worker()
        for _ in 0...(3 * 24 * 2) {
            _ = try await worker.drain()
            fixture.clock.advance(seconds: 1_800)
        }
        #expect(
            try await fixture.endpoints.get(account, endpoint.id).disabledReason
                == "no message was taken for three days")
        #expect(worker.tally.counts.endpointsDisabled == 1)
        try await server.close()
    }

    @Test func `410 disables, and a disabled webhook is told nothing until it is enabled`() async throws {
        let isGone = Atomic(true)
        let server = try await HookServer { _ in .init(isGone.load(ordering: .relaxed) ? .gone : .ok) }
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        try await fixture.append([.sample(1)], account)
        let worker = fixture.worker()
        _ = try await worker.drain()
        fixture.clock.advance(seconds: 3_600)
        _ = try await worker.drain()
        #expect(server.messages.count == 1)
        let reason = try await fixture.endpoints.get(account, endpoint.id).disabledReason
        #expect(reason == "the endpoint answered 410 Gone")
        await #expect(throws: WebhookError.self) { try await fixture.endpoints.test(account, endpoint.id) }
        isGone.store(false, ordering: .relaxed)
        var change = WebhookEndpoints.Change()
        change.isActive = true
        _ = try await fixture.endpoints.update(account, endpoint.id, change)
        _ = try await worker.drain()
        #expect(server.messages.count == 2)
        #expect(try await fixture.count("webhook_deliveries") == 0)
        try await server.close()
    }

    @Test func `what was sent and not written down is sent again under its name, with the same content`() async throws {
        let isSlow = Atomic(true)
        let server = try await HookServer { _ in
            if isSlow.load(ordering: .relaxed) { try? await Task.sleep(for: .seconds(30)) }
            return .init()
        }
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        _ = try await fixture.endpoints.create(account, url: server.url, types: .all)
        try await fixture.append([.sample(1), .sample(2)], account, campaign: Self.campaign)
        let killed = Task { try await fixture.worker(node: "killed").drain() }
        try await eventually("the message is there") { server.messages.count == 1 }
        killed.cancel()
        _ = try? await killed.value
        // More has happened meanwhile, and must not slip into a message that the receiver may know already.
        try await fixture.append([.sample(3)], account, campaign: Self.campaign)
        isSlow.store(false, ordering: .relaxed)
        let other = fixture.worker(node: "other")
        try await fixture.endEarlierLeases()
        fixture.clock.advance(seconds: 30)
        _ = try await other.drain()
        let messages = server.messages
        try #require(messages.count == 3)
        #expect(messages[0].header("webhook-id") == messages[1].header("webhook-id"))
        #expect(messages[0].body == messages[1].body)
        #expect(messages[2].header("webhook-id") != messages[1].header("webhook-id"))
        #expect(messages.dropFirst().flatMap(ReadEvent.all).map(\.index) == [1, 2, 3])
        try await server.close()
    }

    @Test(.timeLimit(.minutes(1))) func `several nodes tell each event once`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        for _ in 0..<4 { _ = try await fixture.endpoints.create(account, url: server.url, types: .all) }
        for number in 0..<50 {
            try await fixture.append([.sample(number)], account, campaign: CampaignID(rawValue: Int64(number % 5 + 1)))
        }
        try await withThrowingTaskGroup(of: Void.self) { nodes in
            for number in 0..<4 {
                nodes.addTask {
                    let worker = fixture.worker(node: "n\(number)")
                    while try await fixture.count("webhook_deliveries") > 0 { _ = try await worker.drain() }
                }
            }
            try await nodes.waitForAll()
        }
        let told = server.messages.flatMap(ReadEvent.all)
        #expect(told.count == 200)
        #expect(Set(told.map(\.id)).count == 50)
        try await server.close()
    }

    @Test func `a test event comes to the webhook that it is asked for`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(
            account, url: server.url, types: .init(.creditsLow))
        let event = try await fixture.endpoints.test(account, endpoint.id)
        _ = try await fixture.worker().drain()
        #expect(server.messages.flatMap(ReadEvent.all).map(\.type) == ["webhook.test"])
        #expect(server.messages.flatMap(ReadEvent.all).map(\.id) == [event])
        try await server.close()
    }

    @Test func `what was told is told again from a time on`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        try await fixture.append([.sample(1)], account)
        let between = try await fixture.records.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
        try await fixture.append([.sample(2), .sample(3)], account)
        let worker = fixture.worker()
        _ = try await worker.drain()
        #expect(try await fixture.endpoints.replay(account, endpoint.id, .since(between)) == 1)
        _ = try await worker.drain()
        #expect(server.messages.flatMap(ReadEvent.all).map(\.index) == [1, 2, 3, 2, 3])
        for text in ["evt_000000000zzzz_0", "evt_x", "evt_zzzzzzzzzzzzz_0", ""] {
            await #expect(throws: WebhookError.self) {
                try await fixture.endpoints.replay(account, endpoint.id, .event(text))
            }
        }
        let stranger = try await fixture.account()
        await #expect(throws: WebhookError.self) {
            try await fixture.endpoints.replay(stranger, endpoint.id, .since(between))
        }
        try await server.close()
    }

    @Test func `after the purge events are told without addresses`() async throws {
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        _ = try await fixture.endpoints.create(account, url: server.url, types: .all)
        let key = try await fixture.stores.vault.createCampaignKey(account, Self.campaign)
        try await fixture.append([.sample(1)], account, campaign: Self.campaign, key: key)
        _ = try await fixture.stores.vault.destroyCampaignKey(account, Self.campaign)
        _ = try await fixture.worker().drain()
        #expect(server.messages.flatMap(ReadEvent.all).map(\.index) == [1])
        #expect(!server.messages[0].text.contains("example.org"))
        try await server.close()
    }
}
