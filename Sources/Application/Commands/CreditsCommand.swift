import ArgumentParser
import Campaigns
import CreditLedger
import Foundation
import HTTPAPI
import MailTypes
import Postgres

struct CreditsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credits", abstract: "Grant credits, set a limit, show a balance and its entries.",
        subcommands: [Grant.self, Limit.self, Balance.self, Entries.self])

    struct Grant: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Add credits to an account.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "How many.") var amount: Int64
        @Option(help: "Idempotency key: the same key grants once.") var key: String?
        @Option(help: "What it is for.") var memo = "granted by the operator"
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let (account, amount, memo, ledger) = (account.id, amount, memo, records.ledger)
            let key = key ?? "grant-" + UUID().uuidString
            let entry = try await records.pool.withTransaction {
                try await ledger.grant(amount, to: account, key: key, memo: memo, on: $0)
            }
            try printResult(EntryRow(entry), asJSON: json) {
                "granted \(grouped(amount)); the account has \(grouped(entry.postedAfter)) credits, \(grouped(entry.heldAfter)) of them held"
            }
        }
    }

    struct Limit: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how far an account may go below zero.",
            discussion: """
                To set what holds already confirms it, where `sluice ledger verify` says that somebody has changed it.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "Credits, 0 for none.") var limit: Int64
        @Option(help: "What it is for.") var memo = "set by the operator"
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let (account, limit, memo, ledger) = (account.id, limit, memo, records.ledger)
            let change = try await records.pool.withTransaction {
                try await ledger.setLimit(limit, of: account, memo: memo, on: $0)
            }
            struct Result: Encodable {
                let limit, change: Int64
            }
            try printResult(Result(limit: change.limit, change: change.number), asJSON: json) {
                "the account may go \(grouped(change.limit)) credits below zero"
            }
        }
    }

    struct Balance: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Show posted, held, limit and available credits.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let balance = try await records.pool.withConnection { [ledger = records.ledger, account] in
                try await ledger.balance(account.id, on: $0)
            }
            struct Result: Encodable {
                let posted, held, limit, available: Int64
            }
            let result = Result(
                posted: balance.posted, held: balance.held, limit: balance.limit, available: balance.available)
            try printResult(result, asJSON: json) {
                var table = TextTable(rightAligned: [1])
                table.add("posted", grouped(result.posted))
                table.add("held", grouped(result.held))
                table.add("limit", grouped(result.limit))
                table.add("available", grouped(result.available))
                return table.text
            }
        }
    }

    struct Entries: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List the latest ledger entries, newest first.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(help: "How many.") var limit = 50
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let limit = max(1, min(limit, 10_000))
            let entries = try await records.pool.withConnection { [ledger = records.ledger, account] in
                try await ledger.entries(account.id, before: nil, limit: limit, on: $0)
            }
            let rows = entries.map(EntryRow.init)
            try printResult(rows, asJSON: json) {
                var table = TextTable(
                    header: ["entry", "kind", "amount", "posted", "held", "campaign", "memo"],
                    rightAligned: [0, 2, 3, 4])
                for row in rows {
                    table.add(
                        "\(row.number)", row.kind, grouped(row.amount), grouped(row.postedAfter),
                        grouped(row.heldAfter), row.campaign ?? "", row.memo)
                }
                return table.text
            }
        }
    }
}

/// A ledger entry as commands print it.
struct EntryRow: Encodable {
    let number: Int64
    let kind: String
    let amount, postedBefore, postedAfter, heldBefore, heldAfter: Int64
    let campaign: String?
    let batch: Int32?
    let memo: String

    init(_ entry: LedgerEntry) {
        number = entry.number
        kind = entry.kind.rawValue
        amount = entry.amount
        postedBefore = entry.postedBefore
        postedAfter = entry.postedAfter
        heldBefore = entry.heldBefore
        heldAfter = entry.heldAfter
        campaign = entry.campaign?.description
        batch = entry.batch
        memo = entry.memo
    }
}

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Check the ledger.", subcommands: [Verify.self])

    struct Verify: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Recompute every balance from the entries; exits with 1 on any difference.",
            discussion: """
                Also says where triggers, policies, constraints or grants of the databases are not what migrations have made \
                them: who owns the tables can switch off what guards them.
                """)

        @OptionGroup var data: DataOptions
        @Flag(help: "Print JSON.") var json = false
        @Option(help: "File of anchors noted before: each entry that it names must be there as it was.") var anchors:
            String?
        @Option(help: "Where to note the last entry of each book; keep it outside the database.") var noteAnchors:
            String?

        func run(_ records: Records) async throws {
            let earlier = try anchors.map { try LedgerAnchors(text: String(contentsOfFile: $0, encoding: .utf8)) }
            let result = try await records.pool.withConnection { [ledger = records.ledger] in
                try await ledger.verify(against: earlier ?? LedgerAnchors(), on: $0)
            }
            let problems = try await result.problems + records.delivery.bookProblems() + records.guardProblems()
            if problems.isEmpty, let noteAnchors {
                try result.anchors.text.write(toFile: noteAnchors, atomically: true, encoding: .utf8)
            }
            let anchor = result.anchor.hexadecimal
            struct Result: Encodable {
                let accounts, entries: Int
                let anchor: String
                let problems: [String]
            }
            try printResult(
                Result(
                    accounts: result.accounts, entries: result.entries, anchor: anchor, problems: problems),
                asJSON: json
            ) {
                let summary = "\(grouped(result.entries)) entries of \(grouped(result.accounts)) accounts recomputed"
                return problems.isEmpty
                    ? summary + ": no difference\nanchor \(anchor)"
                    : summary + ":\n" + problems.map { "  " + $0 }.joined(separator: "\n")
            }
            if !problems.isEmpty { throw ExitCode.failure }
        }
    }
}
