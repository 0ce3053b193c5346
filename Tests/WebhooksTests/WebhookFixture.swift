import Foundation
import Logging
import MailTypes
import NIOPosix
import Postgres
import Synchronization
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Vault

@testable import Webhooks

/// Accounts with webhooks over a database of their own, and a clock that goes when it is told to.
struct WebhookFixture: Sendable {
    let stores: Stores
    let endpoints: WebhookEndpoints
    let clock = TestTime()

    var records: PostgresPool { stores.records.pool }

    static func make() async throws -> WebhookFixture {
        let stores = try await Stores.open()
        return WebhookFixture(
            stores: stores,
            endpoints: WebhookEndpoints(records: stores.records.pool, vault: stores.vault, allowsPrivate: true))
    }

    /// Microseconds, from the system's time on.
    final class TestTime: Sendable {
        private let time = Mutex(Int64(Date().timeIntervalSince1970 * 1_000_000))

        var now: Int64 { time.withLock { $0 } }
        func advance(seconds: Double) { time.withLock { $0 += Int64(seconds * 1_000_000) } }
    }

    func account() async throws -> AccountID {
        try await stores.account("customer \(UInt64.random(in: 0 ... .max))", credits: 10)
    }

    func worker(
        node: String = "n", timeout: Duration = .seconds(15), allowsPrivate: Bool = true,
        lookup: @escaping WebhookSender.Lookup = { _ in [] }
    ) -> WebhookWorker {
        var settings = WebhookSender.Configuration()
        settings.timeout = timeout
        settings.allowsPrivateAddresses = allowsPrivate
        var world = WebhookWorker.World()
        world.lookInterval = .zero
        world.now = { [clock] in clock.now }
        world.chance = { 0.5 }
        return WebhookWorker(
            records: records, vault: stores.vault,
            sender: WebhookSender(settings, group: .singletonMultiThreadedEventLoopGroup, lookup: lookup), node: node,
            world: world, logger: .silent)
    }

    func append(
        _ events: [WebhookEvent], _ account: AccountID, campaign: CampaignID? = nil, key: SealingKey? = nil
    ) async throws {
        try await records.withTransaction {
            try await WebhookOutbox.append(events, account: account, campaign: campaign, key: key, on: $0)
        }
    }

    func count(_ table: String) async throws -> Int {
        Int(try await records.query("SELECT count(*) FROM \(identifier: table)").only.decode(Int64.self))
    }

    /// Other rows than one's own do not matter to what waits.
    func endEarlierLeases() async throws {
        try await records.query("UPDATE webhook_endpoints SET lease_until = clock_timestamp() - interval '1 s'")
    }
}

extension WebhookEvent {
    static func sample(_ number: Int, _ type: WebhookEventType = .messageDelivered) -> WebhookEvent {
        .message(
            type, index: Int32(number), fingerprint: Fingerprint(high: 7, low: UInt64(number)),
            address: try? EmailAddress("r\(number)@example.org"), code: 250,
            enhanced: EnhancedStatusCode(statusClass: 2, subject: 0, detail: 0), reply: "2.0.0 ok \(number)")
    }
}

/// What a body says, read by somebody else than its writer.
struct ReadEvent: Equatable {
    let type: String
    let id: String
    let index: Int?
    let address: String?

    static func all(_ message: HookServer.Message) -> [ReadEvent] {
        guard let body = try? JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any] else {
            return []
        }
        let data = body["data"] as? [String: Any]
        let objects = (data?["events"] as? [[String: Any]]) ?? [body]
        return objects.map { object in
            let data = object["data"] as? [String: Any] ?? [:]
            return ReadEvent(
                type: object["type"] as? String ?? "", id: data["id"] as? String ?? "", index: data["index"] as? Int,
                address: data["address"] as? String)
        }
    }
}
