import ArgumentParser
import Foundation
import HTTPAPI
import Identity
import MailTypes
import Postgres

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Create, list, limit and revoke API keys.",
        subcommands: [Create.self, List.self, Limit.self, Revoke.self])

    struct Create: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an API key; it is shown this once.",
            discussion: "Scopes: " + Scope.allCases.map(\.rawValue).joined(separator: ", ")
                + "; resource:* is all of a resource. What a key is for cannot be changed later.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "What the key is for.") var name: String
        @Option(
            name: .customLong("scope"),
            help: "What it may do, such as campaigns:read; repeat it. Everything by default.")
        var scopes: [String] = []
        @Option(
            name: .customLong("network"),
            help:
                "Where its requests may come from, an address or such as 192.0.2.0/24; repeat it. Anywhere by default.")
        var networks: [String] = []
        @Flag(help: "A test key: its mail reaches nobody and costs nothing.") var test = false
        @Option(help: "Days until it ends by itself. Never by default.") var days: Int?
        @Option(help: "Requests in a minute. As serve's --requests-per-minute by default.") var requestsPerMinute: Int?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            if let days, !(1...36_500).contains(days) { throw ValidationError("Days are 1 to 36500.") }
        }

        func run(_ records: Records) async throws {
            let made = try await records.keys.create(
                account: test ? account.id.test : account.id, name: name, terms: try terms(),
                requestsPerMinute: requestsPerMinute)
            StandardOutput.print(json ? made.record.json(key: .some(made.key)) : made.key.exposed)
        }

        private func terms() throws -> KeyTerms {
            KeyTerms(
                scopes: scopes.isEmpty ? .all : try KeyScopes(scopes), networks: try KeyTerms.networks(networks),
                expiresAt: days.map {
                    PostgresTimestamp(seconds: Int64(Date().timeIntervalSince1970) + Int64($0) * 86_400)
                })
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List an account's API keys, newest first, test keys behind.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            var keys: [APIKeyRecord] = []
            for account in account.withTest { keys += try await records.keys.list(account: account) }
            guard !json else {
                StandardOutput.print("[" + keys.map { $0.json() }.joined(separator: ",\n") + "]")
                return
            }
            var table = TextTable(header: ["id", "name", "starts with", "scopes", "from", "state", "last used"])
            for key in keys {
                table.add(
                    "\(key.id)", key.name, key.displayPrefix, key.terms.scopes.names.joined(separator: " "),
                    key.terms.networks.isEmpty
                        ? "anywhere" : key.terms.networks.map(\.description).joined(separator: " "),
                    Self.state(key), key.lastUsedAt?.text ?? "never")
            }
            StandardOutput.print(table.text)
        }

        private static func state(_ key: APIKeyRecord) -> String {
            if key.revokedAt != nil { return "revoked" }
            guard let end = key.terms.expiresAt else { return "valid" }
            return end.seconds <= Int64(Date().timeIntervalSince1970) ? "expired" : "valid until \(end.text)"
        }
    }

    struct Limit: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how many requests a key has in a minute; every node knows within a second.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var key: KeyOption
        @Option(help: "How many. As serve's --requests-per-minute by default.") var requestsPerMinute: Int?

        func run(_ records: Records) async throws {
            var isLimited = false
            for account in account.withTest where !isLimited {
                isLimited = try await records.keys.limit(
                    key.id, account: account, requestsPerMinute: requestsPerMinute)
            }
            guard isLimited else { throw key.missing(account) }
            StandardOutput.print(
                requestsPerMinute.map { "\(grouped(Int64($0))) requests a minute" } ?? "as for all keys")
        }
    }

    struct Revoke: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an API key for good; every node refuses it within a second.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var key: KeyOption

        func run(_ records: Records) async throws {
            var isRevoked = false
            for account in account.withTest where !isRevoked {
                isRevoked = try await records.keys.revoke(key.id, account: account)
            }
            guard isRevoked else { throw key.missing(account) }
            StandardOutput.print("revoked")
        }
    }
}

extension AccountOption {
    /// The account and its test account, whose keys are named by it as well.
    fileprivate var withTest: [AccountID] { id.isTest ? [id] : [id, id.test] }
}

/// Which key of an account.
struct KeyOption: ParsableArguments {
    @Argument(help: "The key's id, from `sluice key list`.", transform: Self.parse) var id: APIKeyID

    private static func parse(_ text: String) throws -> APIKeyID {
        guard let id = APIKeyID(text) else { throw ValidationError("A key is named by its id, such as key_7.") }
        return id
    }

    func missing(_ account: AccountOption) -> CommandFailure {
        CommandFailure("account \(account.id) has no valid key \(id)")
    }
}

/// A refusal of a command, said for the operator.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
