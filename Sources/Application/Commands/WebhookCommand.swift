import ArgumentParser
import Foundation
import HTTPAPI
import MailTypes
import NIOHTTP1
import NIOPosix
import Postgres
import Webhooks

struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Tell a customer's server what happens, and look at what it is told.",
        subcommands: [
            Add.self, List.self, Remove.self, Rotate.self, Enable.self, Disable.self, Attempts.self, Replay.self,
            Test.self, Listen.self,
        ])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Add a webhook and print its secret.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "Where messages go: https://…") var url: String
        @Option(
            name: .customLong("event"), help: "An event to tell of, such as message.bounced; repeat it. All by default."
        )
        var events: [String] = []
        @Option(help: "The most events in one message.") var batchSize = WebhookLimits.batchSize
        @Option(help: "What it is for.") var description = ""
        @Flag(.allowPrivateDestinations) var allowPrivateDestinations = false
        @Flag(help: "Print JSON.") var json = false

        var settings: [Setting: String] { .init(given: [.allowPrivateDestinations: allowPrivateDestinations]) }

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            let types = try events.map { name in
                guard let type = WebhookEventType(name: name) else {
                    throw ValidationError("There is no event \(name).")
                }
                return type
            }
            let (added, secret) = try await records.webhooks.create(
                account.id, url: url, types: types.isEmpty ? .all : WebhookEventTypes(types), batchSize: batchSize,
                description: description)
            StandardOutput.print(
                json ? added.json(secret: secret) : "\(added.id)\n\nThe secret is shown this once:\n\(secret.text)")
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's webhooks.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            let found = try await records.webhooks.list(account.id)
            guard !json else { return StandardOutput.print("[" + found.map { $0.json() }.joined(separator: ",") + "]") }
            var table = TextTable(
                header: ["webhook", "state", "delivered", "failed", "dropped", "url"], rightAligned: [2, 3, 4])
            for webhook in found {
                table.add(
                    webhook.id.description, webhook.disabledReason.map { "disabled: \($0)" } ?? "active",
                    grouped(webhook.delivered), grouped(webhook.failed), grouped(webhook.dropped), webhook.url)
            }
            StandardOutput.print(table.text)
        }
    }

    /// Which webhook of which account.
    struct WebhookOption: ParsableArguments {
        @Argument(help: "The webhook: whk_….") var webhook: String

        init() {}

        /// - Throws: `ValidationError`
        func id() throws -> WebhookID {
            guard let id = WebhookID(webhook) else { throw ValidationError("There is no webhook \(webhook).") }
            return id
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a webhook; what it was to be told is dropped.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption

        func run(_ records: Records) async throws {
            guard try await records.webhooks.remove(account.id, webhook.id()) else {
                throw CommandFailure("there is no such webhook")
            }
            StandardOutput.print("removed")
        }
    }

    struct Rotate: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new secret; the one before signs beside it for a day.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption
        @Option(help: "Seconds for which both sign.") var overlap = WebhookLimits.overlapSeconds

        func run(_ records: Records) async throws {
            let (_, secret) = try await records.webhooks.rotate(account.id, webhook.id(), overlap: overlap)
            StandardOutput.print(secret.text)
        }
    }

    struct Enable: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Deliver to a disabled webhook again.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption

        func run(_ records: Records) async throws {
            try await records.setActive(true, webhook.id(), of: account.id)
        }
    }

    struct Disable: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Deliver nothing to a webhook.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption

        func run(_ records: Records) async throws {
            try await records.setActive(false, webhook.id(), of: account.id)
        }
    }

    struct Attempts: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Show what became of the latest messages.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption
        @Option(help: "How many.") var limit = 50
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let found = try await records.webhooks.attempts(
                account.id, webhook.id(), limit: max(1, min(limit, WebhookLimits.attempts)))
            guard !json else { return StandardOutput.print("[" + found.map(\.json).joined(separator: ",") + "]") }
            var table = TextTable(
                header: ["message", "attempt", "events", "status", "ms", "error"], rightAligned: [1, 2, 3, 4])
            for attempt in found {
                table.add(
                    attempt.message, "\(attempt.attempt)", "\(attempt.events)", attempt.status.map { "\($0)" } ?? "-",
                    "\(attempt.milliseconds)", attempt.error ?? "")
            }
            StandardOutput.print(table.text)
        }
    }

    struct Replay: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Tell events again, as far as they are kept.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption
        @Option(help: "One event: evt_….") var event: String?
        @Option(help: "All since so many seconds ago.") var sinceSecondsAgo: Int64?

        func validate() throws {
            guard (event == nil) != (sinceSecondsAgo == nil) else {
                throw ValidationError("Name either --event or --since-seconds-ago.")
            }
        }

        func run(_ records: Records) async throws {
            let now = Int64(Date().timeIntervalSince1970)
            let since = max(0, min(sinceSecondsAgo ?? 0, WebhookLimits.lifetimeSeconds))
            let queued = try await records.webhooks.replay(
                account.id, webhook.id(),
                event.map { .event($0) } ?? .since(PostgresTimestamp(seconds: now - since)))
            StandardOutput.print("\(grouped(Int64(queued))) packs of events are queued")
        }
    }

    struct Test: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Send a webhook.test event.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var webhook: WebhookOption

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.webhooks.test(account.id, webhook.id()))
        }
    }

    struct Listen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take webhooks on loopback, verify them and print them, one JSON body a line.",
            discussion: "A message that does not verify gets 401, and nothing of it is printed.")

        @Option(help: "Port on 127.0.0.1.") var port = 8_090
        @Option(help: "The webhook's secret: whsec_….") var secret: String

        func run() async throws {
            guard let secret = WebhookSecret(secret) else {
                throw ValidationError("The secret is whsec_ and base64, as it was shown.")
            }
            guard (0...65_535).contains(port) else { throw ValidationError("There is no such port.") }
            let verifier = WebhookVerifier(secret)
            let receiver = try await WebhookReceiver(
                port: port, group: MultiThreadedEventLoopGroup.singleton
            ) { message in
                do throws(WebhookVerifier.Failure) {
                    try verifier.verify(
                        id: message.headers.first(name: "webhook-id"),
                        timestamp: message.headers.first(name: "webhook-timestamp"),
                        signatures: message.headers.first(name: "webhook-signature"), body: message.body,
                        now: Int64(Date().timeIntervalSince1970))
                    StandardOutput.print(String(decoding: message.body, as: UTF8.self))
                    return .noContent
                } catch {
                    StandardOutput.print("refused: \(error)")
                    return .unauthorized
                }
            }
            StandardOutput.print("listening on http://127.0.0.1:\(receiver.port)/")
            await receiver.untilClosed()
        }
    }
}

extension Records {
    /// Delivers to a webhook again, or no more.
    fileprivate func setActive(_ isActive: Bool, _ webhook: WebhookID, of account: AccountID) async throws {
        var change = WebhookEndpoints.Change()
        change.isActive = isActive
        _ = try await webhooks.update(account, webhook, change)
        StandardOutput.print(isActive ? "active" : "disabled")
    }
}
