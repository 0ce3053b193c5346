import ArgumentParser
import Feedback
import Foundation
import MailTypes
import Postgres

extension FeedbackCommand {
    struct Rates: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show complaints and hard bounces of the last hours by mailbox provider.",
            discussion: "Mail that leaves by a smarthost is not in here: nobody knows who has the mailbox.")

        @OptionGroup var data: DataOptions
        @Option(help: "Of one account; by default of all.") var account: Int64?
        @Option(help: "Hours to look back, 1 to \(FeedbackHours.keptHours).") var hours = 24
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...FeedbackHours.keptHours).contains(hours) else {
                throw ValidationError("--hours is 1 to \(FeedbackHours.keptHours).")
            }
        }

        private struct Row: Encodable {
            let provider: String
            let delivered, hardBounces, complaints: Int64
            let hardBounceRate, complaintRate: Double
        }

        func run(_ records: Records) async throws {
            let (account, hours) = (account.map { AccountID(rawValue: $0) }, hours)
            let found = try await records.pool.withConnection {
                try await ProviderHours.sums(of: account, hours: hours, on: $0)
            }
            let rows = found.map { provider, counts in
                Row(
                    provider: provider, delivered: counts.delivered, hardBounces: counts.hardBounces,
                    complaints: counts.complaints, hardBounceRate: counts.hardBounceRate,
                    complaintRate: counts.complaintRate)
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(
                    header: ["provider", "delivered", "hard bounces", "", "complaints", ""],
                    rightAligned: [1, 2, 3, 4, 5])
                for row in rows {
                    table.add(
                        row.provider, grouped(row.delivered), grouped(row.hardBounces),
                        Self.percent(row.hardBounceRate), grouped(row.complaints), Self.percent(row.complaintRate))
                }
                return table.text
            }
        }

        private static func percent(_ rate: Double) -> String { String(format: "%.2f %%", rate * 100) }
    }
}
