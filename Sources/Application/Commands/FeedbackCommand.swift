import ArgumentParser
import Foundation
import MailTypes
import Postgres
import ProviderWebhooks
import Vault

struct FeedbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feedback",
        abstract: "Let providers report bounces and complaints over HTTPS; show how mail fares at mailbox providers.",
        discussion: """
            For mail that goes through a provider (--routes). docs/operators/feedback.md tells for each where to enter what. \
            A running server knows a change within seconds.
            """,
        subcommands: [Add.self, Key.self, List.self, Remove.self, Test.self, Rates.self])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the address that a provider reports to; it is shown this once.",
            discussion: """
                SES: --topic. Mailgun: --key. SendGrid, Resend and others show their key once they have the address: enter it \
                there, then give the key to `sluice feedback key`; until then nothing is believed. Postmark, SparkPost, \
                Mailjet, Brevo sign nothing: a user and a password are made, or with --header the value of a header field. \
                generic: a key is made unless one is given.
                """)

        @OptionGroup var data: DataOptions
        @Argument(help: "One of \(ProviderKind.allCases.map(\.rawValue).joined(separator: ", ")).") var provider: String
        @Option(help: "For people, in lists.") var name: String?
        @Option(help: "ARN of the SNS topic.") var topic: String?
        @Option(help: "Key that verifies reports; - reads it from standard input. Several while one replaces another.")
        var key: [String] = []
        @Option(help: "Mailgun: key of the primary account, where subaccounts send.") var parentKey: [String] = []
        @Option(help: "Name of the header field that carries the secret, in place of a user and a password.")
        var header: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws { _ = try Self.kind(provider) }

        static func kind(_ text: String) throws -> ProviderKind {
            guard let kind = ProviderKind(rawValue: text) else {
                throw ValidationError("There is no provider \(text).")
            }
            return kind
        }

        func run(_ records: Records) async throws {
            let kind = try Self.kind(provider)
            let given = try Self.material(kind, topic: topic, keys: try key.map(Self.read), parentKey, header: header)
            do {
                let (id, secret) = try await records.providerSources.add(
                    kind, name: name ?? kind.rawValue, material: given.material)
                let base = try await data.settings().text(.publicURL) ?? "https://YOUR-SERVER"
                let url = "\(base)/v1/feedback/\(kind.rawValue)/\(secret.text.exposed)"
                try show(Made(id: id, provider: kind.rawValue, url: given.url(url), secrets: given.shown))
            } catch let error as ProviderSourceError {
                throw CommandFailure(error.description)
            }
        }

        private struct Made: Encodable {
            let id: Int64
            let provider, url: String
            let secrets: [String: String]
        }

        private func show(_ made: Made) throws {
            try printResult(made, asJSON: json) {
                var table = TextTable()
                table.add("source", "\(made.id)")
                table.add("address", made.url)
                for (name, value) in made.secrets.sorted(by: { $0.key < $1.key }) { table.add(name, value) }
                return table.text + "\nKeep it: it is shown this once."
            }
        }

        /// The first line of standard input in place of `-`, so that the key stands in no list of processes.
        static func read(_ text: String) throws -> String {
            guard text == "-" else { return text }
            guard let line = readLine(), !line.isEmpty else { throw CommandFailure("standard input has no key") }
            return line
        }

        /// What verifies a source's reports, and what of it the operator has to enter at the provider's.
        struct Given {
            let material: SourceMaterial
            var shown: [String: String] = [:]
            /// Stands before the host, for providers that take it there.
            var credentials: String?

            func url(_ plain: String) -> String {
                guard let credentials else { return plain }
                return plain.replacing("https://", with: "https://\(credentials)@", maxReplacements: 1)
            }
        }

        static func material(
            _ kind: ProviderKind, topic: String?, keys: [String], _ parentKeys: [String], header: String?
        ) throws -> Given {
            switch kind {
            case .ses: return Given(material: SourceMaterial(topic: topic))
            case .postmark, .sparkpost, .mailjet, .brevo:
                let secret = SourceSecret().text.exposed
                if let header {
                    guard (1...60).contains(header.utf8.count),
                        header.utf8.allSatisfy({ (0x61...0x7A).contains($0 | 0x20) || $0 == UInt8(ascii: "-") })
                    else { throw ValidationError("--header is the name of a header field.") }
                    return Given(
                        material: SourceMaterial(header: header.lowercased(), value: secret), shown: [header: secret])
                }
                return Given(
                    material: SourceMaterial(
                        header: "authorization", value: SharedSecret.basic(user: "sluice", password: secret)),
                    shown: ["user": "sluice", "password": secret], credentials: "sluice:\(secret)")
            case .generic where keys.isEmpty:
                let key = StandardWebhooks.newKey()
                return Given(material: SourceMaterial(keys: [key]), shown: ["key": key])
            case .generic, .sendgrid, .mailgun, .resend, .standard:
                return Given(material: SourceMaterial(keys: keys, parentKeys: parentKeys))
            }
        }
    }

    struct Key: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a source the keys that its provider signs with, in place of those it has.")

        @OptionGroup var data: DataOptions
        @Argument(help: "The source's id, from `sluice feedback list`.") var id: Int64
        @Argument(help: "As the provider shows it; - reads it from standard input. Several while one replaces another.")
        var keys: [String]
        @Option(help: "Mailgun: key of the primary account, where subaccounts send.") var parentKey: [String] = []

        func run(_ records: Records) async throws {
            do {
                let keys = try keys.map(Add.read)
                guard try await records.providerSources.setKeys(keys, parentKeys: parentKey, of: id) else {
                    throw CommandFailure("there is no source \(id)")
                }
                StandardOutput.print("set")
            } catch let error as ProviderSourceError {
                throw CommandFailure(error.description)
            }
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the sources, and what has come from each.",
            discussion: """
                Events that are not recognised are about mails of others, or the provider repeats nothing of ours: see \
                docs/operators/feedback.md.
                """)

        @OptionGroup var data: DataOptions
        @Flag(help: "Print JSON.") var json = false

        private struct Row: Encodable {
            let id: Int64
            let provider, name: String
            let lastAt: String?
            let bodies, events, recognised, new, waiting: Int64
        }

        func run(_ records: Records) async throws {
            let rows = try await records.providerSources.list().map { source in
                Row(
                    id: source.id, provider: source.provider, name: source.name,
                    lastAt: source.lastAt.map {
                        Date(timeIntervalSince1970: Double($0.seconds)).formatted(.iso8601)
                    }, bodies: source.payloads, events: source.events, recognised: source.recognised, new: source.noted,
                    waiting: source.waiting)
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(
                    header: ["id", "provider", "name", "bodies", "events", "recognised", "new", "waiting", "last"],
                    rightAligned: [0, 3, 4, 5, 6, 7])
                for row in rows {
                    table.add(
                        "\(row.id)", row.provider, row.name, grouped(row.bodies), grouped(row.events),
                        grouped(row.recognised), grouped(row.new), grouped(row.waiting), row.lastAt ?? "never")
                }
                return table.text
            }
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close a source's address; what it has sent and is not worked off goes too.")

        @OptionGroup var data: DataOptions
        @Argument(help: "The source's id, from `sluice feedback list`.") var id: Int64

        func run(_ records: Records) async throws {
            guard try await records.providerSources.remove(id) else { throw CommandFailure("there is no source \(id)") }
            StandardOutput.print("removed")
        }
    }

    struct Test: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a report as a provider would, through a running server, and say what became of it.",
            discussion: """
                A source of its own is made for it, with keys of its own, and goes afterwards. The report is signed, sent, \
                verified, stored, worked off and found to be about a mail of the account; then what would follow is undone, so \
                that nobody is suppressed.
                """)

        @OptionGroup var data: DataOptions
        @Argument(help: "As in `sluice feedback add`.") var provider: String
        @Option(help: "Where the server is reached.") var server = "http://127.0.0.1:8025"
        @Option(help: "Whose mail it is about; by default the first account's.") var account: Int64?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws { _ = try Add.kind(provider) }

        func run(_ records: Records) async throws {
            let trial = ProviderTrial(records: records, kind: try Add.kind(provider), server: server)
            let result = try await trial.run(for: account.map { AccountID(rawValue: $0) })
            try printResult(result, asJSON: json) { result.text }
            guard result.isRight else { throw ExitCode(1) }
        }
    }
}
