import ArgumentParser
import CreditLedger
import Fleet
import Foundation
import MailTypes
import Postgres

extension AccountCommand {
    struct Shape: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set an account's share, rate and source addresses; what is not named goes back to its default.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(help: "Its share where accounts compete, 1 to 1000.") var weight = 1
        @Option(help: "Mails a second, all sites together.") var rate: Double?
        @Option(help: "Pool of source addresses (see --sources of serve).") var pool: String?
        @Option(help: "A further pool that its campaigns may ask for by source_pool. Repeatable.")
        var campaignPool: [String] = []
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...1_000).contains(weight) else { throw ValidationError("A weight is 1 to 1000.") }
            guard rate.map({ $0 >= 0.001 && $0 <= 1_000_000 }) ?? true else {
                throw ValidationError("A rate is 0.001 to 1,000,000 messages a second.")
            }
            guard pool != "", !campaignPool.contains("") else { throw ValidationError("A pool has a name.") }
        }

        func run(_ records: Records) async throws {
            let shaping = AccountShaping(
                weight: weight, rate: rate, pool: pool, campaignPools: Set(campaignPool).sorted())
            let id = account.id
            try await records.pool.withConnection { [ledger = records.ledger] connection in
                _ = try await ledger.balance(id, on: connection)
                try await FleetStore.set(shaping, for: id, on: connection)
            }
            struct Result: Encodable {
                let account: Int64
                let weight: Int
                let rate: Double?
                let pool: String?
                let campaign_pools: [String]
            }
            try printResult(
                Result(
                    account: id.rawValue, weight: weight, rate: rate, pool: pool,
                    campaign_pools: shaping.campaignPools), asJSON: json
            ) {
                let others = shaping.campaignPools.joined(separator: ", ")
                return
                    "account \(id): weight \(weight), rate \(rate.map { "\($0)/s" } ?? "not capped"), pool \(pool ?? "default")"
                    + (others.isEmpty ? "" : ", campaigns also \(others)")
            }
        }
    }
}
