import Foundation
import MailTypes
import NIOHTTP1
import Postgres
import Synchronization
import TestPeers
import TestSupport
import Testing

@testable import Webhooks

/// Nobody's server reaches the inside through a webhook, and nobody's slow server keeps another waiting.
struct WebhookGuardTests {
    /// The error of the only attempt.
    private func error(
        of url: String, _ worker: (WebhookFixture) -> WebhookWorker
    ) async throws -> String? {
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, _) = try await fixture.endpoints.create(account, url: url, types: .all)
        try await fixture.append([.sample(1)], account)
        _ = try await worker(fixture).drain()
        let attempts = try await fixture.endpoints.attempts(account, endpoint.id, limit: 10)
        #expect(attempts.count == 1)
        return attempts.first?.error
    }

    @Test func `a redirect is not followed`() async throws {
        let inside = try await HookServer()
        let server = try await HookServer { _ in
            .init(.temporaryRedirect, headers: ["Location": inside.url])
        }
        #expect(try await error(of: server.url) { $0.worker() } == "a redirect, which is not followed")
        #expect(server.messages.count == 1 && inside.messages.isEmpty)
        let metadata = try await HookServer { _ in
            .init(.found, headers: ["Location": "http://169.254.169.254/latest/meta-data/"])
        }
        #expect(try await error(of: metadata.url) { $0.worker() } == "a redirect, which is not followed")
        for each in [inside, server, metadata] { try await each.close() }
    }

    @Test(arguments: [
        "127.0.0.1", "169.254.169.254", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0", "::1",
        "fd00::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ])
    func `a name that leads to a private address is not connected to`(address: String) async throws {
        let server = try await HookServer()
        let found = try await error(of: "https://inside.example.org:\(server.port)/") {
            $0.worker(allowsPrivate: false) { _ in [IPAddress(address)].compactMap(\.self) }
        }
        #expect(found == "the address is not one of the public Internet")
        #expect(server.messages.isEmpty)
        try await server.close()
    }

    /// The first answer is asked for and checked; a second look-up, which could tell another address, does not happen.
    @Test func `the address that was checked is the one that is connected to`() async throws {
        let server = try await HookServer()
        let asked = Atomic(0)
        let found = try await error(of: "http://rebinding.example.org:\(server.port)/") {
            $0.worker { _ in
                asked.add(1, ordering: .relaxed)
                return [IPAddress("127.0.0.1")].compactMap(\.self)
            }
        }
        // No resolver of the system knows the name: it came by the address it was given.
        #expect(found == nil)
        #expect(server.messages.count == 1 && asked.load(ordering: .relaxed) == 1)
        #expect(server.messages.first?.header("host") == "rebinding.example.org:\(server.port)")
        try await server.close()
    }

    @Test func `plain HTTP is refused where private addresses are`() async throws {
        let found = try await error(of: "http://hooks.example.org/") {
            $0.worker(allowsPrivate: false) { _ in [IPAddress("8.8.8.8")].compactMap(\.self) }
        }
        #expect(found == "the address is not https")
    }

    @Test func `an endless answer is read no further than its bound`() async throws {
        let server = try await HookServer { _ in
            .init(.ok, body: String(repeating: "a", count: 1 << 12), isEndless: true)
        }
        #expect(try await error(of: server.url) { $0.worker(timeout: .seconds(10)) } == nil)
        try await server.close()
    }

    @Test func `an answer that does not come is waited for no longer than the time-out`() async throws {
        let server = try await HookServer { _ in
            try? await Task.sleep(for: .seconds(60))
            return .init()
        }
        let start = ContinuousClock.now
        let found = try await error(of: server.url) { $0.worker(timeout: .seconds(1)) }
        #expect(found == "no answer within 1 seconds")
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(WebhookLimits.timeout == .seconds(15))
    }

    @Test func `a slow endpoint keeps no other waiting, not even twenty of one account`() async throws {
        let slow = try await HookServer { _ in
            try? await Task.sleep(for: .seconds(60))
            return .init()
        }
        let fast = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let (account, other) = (try await fixture.account(), try await fixture.account())
        for _ in 0..<WebhookLimits.endpoints {
            _ = try await fixture.endpoints.create(account, url: slow.url, types: .all)
        }
        _ = try await fixture.endpoints.create(other, url: fast.url, types: .all)
        try await fixture.append([.sample(1)], account)
        let worker = fixture.worker(timeout: .seconds(20))
        let run = Task { await worker.run() }
        try await eventually("the slow ones are called") { slow.messages.count == WebhookLimits.runsPerAccount }
        let start = ContinuousClock.now
        try await fixture.append([.sample(2)], other)
        try await eventually("the fast one is called") { fast.messages.count == 1 }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(slow.messages.count == WebhookLimits.runsPerAccount)
        run.cancel()
        await run.value
        let leases = try await fixture.records.query(
            "SELECT count(*) FROM webhook_endpoints WHERE lease_node IS NOT NULL"
        ).only.decode(Int64.self)
        #expect(leases == 0)
        try await fast.close()
    }
}
