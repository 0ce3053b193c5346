import Foundation
import Logging
import MailTypes
import NIOHTTP1
import NIOPosix
import OperatorAPI
import Postgres
import Synchronization
import Vault
import Webhooks

/// How fast the outbox is written, and one endpoint on this machine is told, durable and signed.
struct WebhookBenchmark {
    let events: Int
    /// Events in one row, as a journal group of a busy campaign has them.
    let packEvents: Int
    let campaigns: Int
    let logger: Logger

    struct Result: BenchReport {
        let machine: Machine
        let events, packEvents, campaigns: Int
        let durable = true
        let appendedPerSecond: Double
        let deliveredPerSecond: Double
        let messages: Int
        /// Of this process, which is worker and endpoint, and nothing of PostgreSQL.
        let cpuSecondsPerThousand: Double
        let bytesPerEvent: Double

        var title: String { "Webhooks: \(grouped(events)) events to one endpoint" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable()
            table.add("events", "\(grouped(events)) of \(campaigns) campaigns, \(packEvents) a row, durable")
            table.add("written to the outbox", "\(grouped(Int(appendedPerSecond)))/s, one commit a row")
            table.add("delivered", "\(grouped(Int(deliveredPerSecond)))/s in \(grouped(messages)) messages")
            table.add("bytes an event", String(format: "%.0f", bytesPerEvent))
            table.add("CPU for 1,000, worker and endpoint", String(format: "%.3f s", cpuSecondsPerThousand))
            table.add("machine", machine.text)
            return table.text
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        let directory = try Rig.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let settings = Settings(isolated: [.data: directory + "/data", .allowPrivateDestinations: "true"])
        let records = try await Records.open(settings, role: .server, logger: logger)
        do {
            let result = try await measure(records, machine)
            await records.close()
            return result
        } catch {
            await records.close()
            throw error
        }
    }

    /// What the endpoint has got.
    private struct Got: Sendable {
        var messages = 0
        var bytes = 0
        var unverified = 0
    }

    private func measure(_ records: Records, _ machine: Machine) async throws -> Result {
        let account = try await records.createAccount(name: "bench", credits: 1)
        let got = Mutex(Got())
        let verifier = Mutex<WebhookVerifier?>(nil)
        let receiver = try await WebhookReceiver(port: 0, group: MultiThreadedEventLoopGroup.singleton) { message in
            let isRight = verifier.withLock { $0 }.map { Self.verifies(message, $0) } ?? false
            got.withLock { got in
                got.messages += 1
                got.bytes += message.body.count
                if !isRight { got.unverified += 1 }
            }
            return .noContent
        }
        let (_, secret) = try await records.webhooks.create(
            account, url: "http://127.0.0.1:\(receiver.port)/", types: .all)
        verifier.withLock { $0 = WebhookVerifier(secret) }
        let appendSeconds = try await append(records, account)

        var sending = WebhookSender.Configuration()
        sending.allowsPrivateAddresses = true
        let worker = WebhookWorker(
            records: records.pools.webhooks, vault: records.vault,
            sender: WebhookSender(sending, group: MultiThreadedEventLoopGroup.singleton) { _ in [] }, node: "bench",
            logger: logger)
        let cpu = ProcessUsage.cpuSeconds()
        let start = ContinuousClock.now
        _ = try await worker.drain()
        let seconds = (ContinuousClock.now - start).inSeconds
        let spent = ProcessUsage.cpuSeconds() - cpu
        await receiver.close()
        let told = got.withLock { $0 }
        guard worker.tally.counts.eventsDelivered == events, told.unverified == 0 else {
            throw RigError(
                problem: "\(worker.tally.counts.eventsDelivered) of \(events) events came, "
                    + "\(told.unverified) messages did not verify")
        }
        return Result(
            machine: machine.atEnd, events: events, packEvents: packEvents, campaigns: campaigns,
            appendedPerSecond: Double(events) / appendSeconds, deliveredPerSecond: Double(events) / seconds,
            messages: told.messages, cpuSecondsPerThousand: spent / Double(events) * 1_000,
            bytesPerEvent: Double(told.bytes) / Double(events))
    }

    private static func verifies(_ message: WebhookReceiver.Message, _ verifier: WebhookVerifier) -> Bool {
        (try? verifier.verify(
            id: message.headers.first(name: "webhook-id"),
            timestamp: message.headers.first(name: "webhook-timestamp"),
            signatures: message.headers.first(name: "webhook-signature"), body: message.body,
            now: Int64(Date().timeIntervalSince1970))) != nil
    }

    /// - Returns: seconds.
    private func append(_ records: Records, _ account: AccountID) async throws -> Double {
        var keys: [(campaign: CampaignID, key: SealingKey)] = []
        for number in 1...campaigns {
            let campaign = CampaignID(rawValue: Int64(number))
            keys.append((campaign, try await records.vault.createCampaignKey(account, campaign)))
        }
        let start = ContinuousClock.now
        var written = 0
        var row = 0
        while written < events {
            let count = min(packEvents, events - written)
            let (campaign, key) = keys[row % campaigns]
            let pack = try (written..<written + count).map { number in
                WebhookEvent.message(
                    .messageDelivered, index: Int32(number), fingerprint: Fingerprint(high: 1, low: UInt64(number)),
                    address: try EmailAddress("recipient\(number)@example.org"), code: 250,
                    enhanced: EnhancedStatusCode(statusClass: 2, subject: 0, detail: 0), reply: "2.0.0 Ok: queued")
            }
            try await records.pools.journal.withTransaction {
                try await WebhookOutbox.append(pack, account: account, campaign: campaign, key: key, on: $0)
            }
            written += count
            row += 1
        }
        return (ContinuousClock.now - start).inSeconds
    }
}
