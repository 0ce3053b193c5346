import MailTypes
import NIOHTTP1
import NIOPosix
import Synchronization
import Webhooks

/// A webhook of a rig's account on this machine, which counts what it is told of messages.
final class ToldEvents: Sendable {
    private let count: Counter
    private let receiver: WebhookReceiver

    private final class Counter: Sendable {
        let delivered = Atomic(0)
    }

    init(_ rig: Rig) async throws {
        let count = Counter()
        self.count = count
        receiver = try await WebhookReceiver(port: 0, group: MultiThreadedEventLoopGroup.singleton) { message in
            count.delivered.add(Self.deliveries(message.body), ordering: .relaxed)
            return .noContent
        }
        _ = try await rig.records.webhooks.create(
            rig.account, url: "http://127.0.0.1:\(receiver.port)/", types: .all)
        // The server's snapshot of who wants what is 2 s old at most.
        try await Task.sleep(for: .seconds(3))
    }

    private static func deliveries(_ body: [UInt8]) -> Int {
        let name = Array("\"message.delivered\"".utf8)
        var found = 0
        var position = 0
        while position + name.count <= body.count {
            if body[position] == name[0], body[position..<position + name.count].elementsEqual(name) {
                found += 1
                position += name.count
            } else {
                position += 1
            }
        }
        return found
    }

    /// Waits until it was told of so many delivered messages.
    func secondsUntil(_ messages: Int) async throws -> Double {
        let start = ContinuousClock.now
        while count.delivered.load(ordering: .relaxed) < messages {
            let told = count.delivered.load(ordering: .relaxed)
            guard ContinuousClock.now - start < .seconds(120) else {
                throw RigError(
                    problem: "the webhook was told of \(told) of \(messages) messages")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        await receiver.close()
        return (ContinuousClock.now - start).inSeconds
    }
}
