import ArgumentParser
import Feedback
import Foundation
import HTTPAPI
import MailTypes
import Postgres
import Vault

struct SuppressionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suppression", abstract: "Add, list and remove addresses that must not be mailed.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Suppress addresses, given or one a line on standard input.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "Addresses; none reads standard input.") var addresses: [String] = []
        @Option(help: "Why.") var reason = "manual"

        func run(_ records: Records) async throws {
            guard let reason = SuppressionReason(rawValue: reason) else {
                throw CommandFailure("there is no reason \(reason)")
            }
            var added = 0
            var chunk: [EmailAddress] = []
            func flush() async throws {
                guard !chunk.isEmpty else { return }
                added += try await records.suppressions.add(
                    chunk, account: account.id, reason: reason, origin: .operator, note: nil)
                chunk = []
            }
            var number = 0
            var given = addresses.makeIterator()
            while let text = addresses.isEmpty ? readLine() : given.next() {
                number += 1
                guard !text.isEmpty else { continue }
                do {
                    chunk.append(try EmailAddress(text))
                } catch {
                    throw CommandFailure("address \(number): \(error)")
                }
                if chunk.count == 10_000 { try await flush() }
            }
            try await flush()
            print("\(grouped(added)) added")
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List suppressions. The list holds fingerprints, not addresses; ask for one with --address.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(help: "Tell whether this address is suppressed.") var address: String?
        @Option(help: "How many.") var limit = 100
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let found: [Suppression]
            if let address {
                found =
                    try await records.suppressions.find(try EmailAddress(address), account: account.id)
                    .map { [$0] } ?? []
            } else {
                found = try await records.suppressions.list(
                    account.id, after: nil, limit: max(1, min(limit, 10_000)))
            }
            struct Row: Encodable {
                let fingerprint, reason, origin, createdAt: String
            }
            let rows = found.map {
                Row(
                    fingerprint: $0.fingerprint.bytes.hexadecimal, reason: $0.reason.rawValue,
                    origin: $0.origin.rawValue,
                    createdAt: Date(timeIntervalSince1970: Double($0.createdAt.seconds)).formatted(.iso8601))
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(header: ["fingerprint", "reason", "origin", "since"])
                for row in rows { table.add(row.fingerprint, row.reason, row.origin, row.createdAt) }
                return table.text
            }
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Let an address be mailed again.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The address.") var address: String

        func run(_ records: Records) async throws {
            guard try await records.suppressions.remove(try EmailAddress(address), account: account.id) else {
                throw CommandFailure("the address is not on the list")
            }
            print("removed")
        }
    }
}
