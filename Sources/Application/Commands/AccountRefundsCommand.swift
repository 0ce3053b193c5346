import ArgumentParser
import Campaigns
import MailTypes
import OperatorAPI

extension AccountCommand {
    struct Refunds: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set for how long bounces that come back are refunded to an account.",
            discussion: "For campaigns that it sends from now on: those that were sent keep what held then.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(name: .customLong("for"), help: "Seconds after a campaign's end; 0: none is refunded.")
        var seconds: Int?
        @Flag(name: .customLong("default"), help: "As for all accounts (--refund-for of serve).") var isDefault = false

        func validate() throws {
            guard (seconds == nil) == isDefault else { throw ValidationError("Give one of --for and --default.") }
            let bounds = CampaignLimits.refundSeconds
            guard seconds.map(bounds.contains) ?? true else {
                throw ValidationError("--for is \(bounds.lowerBound) to \(bounds.upperBound) seconds.")
            }
        }

        func run(_ records: Records) async throws {
            try await records.steering.refund(within: seconds, of: account.id)
            StandardOutput.print(seconds.map { "refunds for \($0) seconds" } ?? "refunds as by default")
        }
    }
}
