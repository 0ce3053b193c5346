import ArgumentParser
import Foundation
import Identity
import MailTypes
import Postgres

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Create, list and revoke API keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Create an API key; it is shown this once.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "What the key is for.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let key = try await records.keys.create(account: account.id, name: name).key
            try printResult(["name": name, "key": key.exposed], asJSON: json) { key.exposed }
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's API keys.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let keys = try await records.keys.list(account: account.id)
            struct Row: Encodable {
                let id: Int64
                let name, prefix: String
                let isRevoked: Bool
            }
            let rows = keys.map {
                Row(id: $0.id, name: $0.name, prefix: $0.displayPrefix, isRevoked: $0.revokedAt != nil)
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(header: ["id", "name", "starts with", "state"], rightAligned: [0])
                for row in rows { table.add("\(row.id)", row.name, row.prefix, row.isRevoked ? "revoked" : "valid") }
                return table.text
            }
        }
    }

    struct Revoke: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke an API key.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The key's id, from `sluice key list`.") var id: Int64

        func run(_ records: Records) async throws {
            guard try await records.keys.revoke(id, account: account.id) else {
                throw CommandFailure("account \(account.id) has no valid key \(id)")
            }
            StandardOutput.print("revoked")
        }
    }
}

/// A refusal of a command, said for the operator.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
