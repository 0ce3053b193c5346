import ArgumentParser
import Fleet
import HTTPAPI
import MailTypes
import Postgres

extension AccountCommand {
    struct Limits: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an account's limits at the API; set some, or take them back.",
            discussion: "Every node takes them on within a second. docs/operators/limits.md says what each bounds.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(name: .customLong("set"), help: "A limit and its value, such as drafts=200. Repeatable.")
        var changes: [String] = []
        @Option(help: "A limit that is to be as for all accounts again. Repeatable.") var reset: [String] = []
        @Flag(help: "Print JSON.") var json = false

        func validate() throws { _ = try parsed() }

        private func parsed() throws -> (set: [AccountLimit: Int], reset: Set<AccountLimit>) {
            var values: [AccountLimit: Int] = [:]
            for text in changes {
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { throw ValidationError("\(text) is not name=value.") }
                let limit = try Self.limit(String(parts[0]))
                guard let value = Int(parts[1]), limit.range.contains(value) else {
                    throw ValidationError(
                        "\(limit.rawValue) is \(grouped(limit.range.lowerBound)) to \(grouped(limit.range.upperBound)), "
                            + "not \(parts[1]).")
                }
                guard values.updateValue(value, forKey: limit) == nil else {
                    throw ValidationError("\(limit.rawValue) is set twice.")
                }
            }
            let taken = Set(try reset.map(Self.limit))
            if let both = taken.first(where: { values[$0] != nil }) {
                throw ValidationError("\(both.rawValue) is set and reset.")
            }
            return (values, taken)
        }

        private static func limit(_ name: String) throws -> AccountLimit {
            guard let limit = AccountLimit(rawValue: name) else {
                let names = AccountLimit.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("There is no limit \(name); there are \(names).")
            }
            return limit
        }

        func run(_ records: Records) async throws {
            let (values, reset) = try parsed()
            let id = account.id
            try await records.requireAccount(id)
            try await records.pool.withTransaction { connection in
                try await FleetStore.set(values, reset: reset, for: id, on: connection)
            }
            let own = try await FleetStore.limits(on: records.pool)[id] ?? [:]
            let rows = AccountLimit.allCases.map { Row($0, own: own[$0]) }
            try printResult(rows, asJSON: json) {
                var table = TextTable(
                    header: ["limit", "holds", "for all", "may be set to"], rightAligned: [1, 2, 3])
                for row in rows {
                    table.add(
                        row.name, grouped(row.value), row.isSet ? grouped(row.standard) : "the same",
                        "\(grouped(row.least)) to \(grouped(row.most))")
                }
                return table.text
            }
        }
    }

    private struct Row: Encodable {
        let name: String
        /// What holds for the account.
        let value: Int
        let standard: Int
        let isSet: Bool
        let least, most: Int

        init(_ limit: AccountLimit, own: Int?) {
            name = limit.rawValue
            value = own ?? limit.standard
            standard = limit.standard
            isSet = own != nil
            least = limit.range.lowerBound
            most = limit.range.upperBound
        }
    }
}
