import ArgumentParser
import Campaigns
import CreditLedger
import Foundation
import Identity
import MailTypes
import OperatorAPI
import Postgres

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Create and list accounts; suspend, drain, resume and fail their mail.",
        subcommands: [
            Create.self, List.self, Shape.self, Limits.self, Refunds.self, Suspend.self, Drain.self, Resume.self,
            Fail.self,
        ])

    struct Create: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Create an account with an API key.")

        @OptionGroup var data: DataOptions
        @Argument(help: "A name for the operator.") var name: String
        @Option(help: "Credits to start with.") var credits: Int64 = 0
        @Option(help: "Credits the account may go below zero.") var limit: Int64 = 0
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard credits >= 0, limit >= 0 else { throw ValidationError("Credits and limit are not negative.") }
        }

        func run(_ records: Records) async throws {
            let account = try await records.createAccount(name: name, limit: limit, credits: credits)
            let key = try await records.keys.create(account: account, name: "first").key
            struct Result: Encodable {
                let account: Int64
                let name: String
                let credits: Int64
                let key: String
            }
            try printResult(
                Result(account: account.rawValue, name: name, credits: credits, key: key.exposed), asJSON: json
            ) {
                """
                account  \(account)
                credits  \(grouped(credits))
                API key  \(key.exposed)

                The key is shown this once. Next: sluice domain add --account \(account) YOUR.DOMAIN
                """
            }
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List accounts, their credits, and what operators have ordered.")

        @OptionGroup var data: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let accounts = try await records.pool.withConnection { [ledger = records.ledger] in
                try await ledger.accounts(on: $0)
            }
            struct Row: Encodable {
                let account: Int64
                let name: String
                let posted, held, limit, available: Int64
                /// Where it was set for the account.
                let refundFor: Int?
                let order: OrderListing.Order?
            }
            let orders = OrderListing(try await records.delivery.orders())
            let refundTimes = try await records.campaigns.refundTimes()
            let rows = accounts.map {
                Row(
                    account: $0.id.rawValue, name: $0.name, posted: $0.balance.posted, held: $0.balance.held,
                    limit: $0.balance.limit, available: $0.balance.available, refundFor: refundTimes[$0.id],
                    order: orders.order(for: $0.id))
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(
                    header: ["account", "name", "posted", "held", "limit", "available", "refund for", "order"],
                    rightAligned: [0, 2, 3, 4, 5, 6])
                for row in rows {
                    table.add(
                        "\(row.account)", row.name, grouped(row.posted), grouped(row.held), grouped(row.limit),
                        grouped(row.available), row.refundFor.map { "\(grouped($0)) s" } ?? "", row.order?.text ?? "")
                }
                return table.text
            }
        }
    }
}

/// `--account NUMBER`, for commands that act on one.
struct AccountOption: ParsableArguments, OrderTarget {
    @Option(name: .customLong("account"), help: "The account's number.", transform: Self.parse)
    var id: AccountID

    var ordered: OperatorOrder.Target { .account(id) }

    private static func parse(_ text: String) throws -> AccountID {
        guard let id = AccountID(text) else { throw ValidationError("An account is named by its number.") }
        return id
    }
}
