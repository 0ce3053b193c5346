import ArgumentParser
import Campaigns
import Foundation
import MailTypes
import OperatorAPI

extension AccountCommand {
    struct Suspend: OrderCommand {
        static let action = OperatorOrder.Action.suspend
        static let configuration = CommandConfiguration(
            abstract: "Start no more mail of an account, on any node; what waits expires as usual.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: AccountOption
        @OptionGroup var order: OrderOptions
    }

    struct Drain: OrderCommand {
        static let action = OperatorOrder.Action.drain
        static let configuration = CommandConfiguration(
            abstract: "Send what nodes have at hand of an account and take nothing more.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: AccountOption
        @OptionGroup var order: OrderOptions
    }

    struct Resume: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Send an account's mail again.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption

        func run(_ records: Records) async throws {
            try await records.steering.resume(account.id)
            StandardOutput.print("active")
        }
    }

    struct Fail: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "End all campaigns of an account: what was not sent bounces, not charged.",
            discussion: "Drafts stay, and campaigns to come are not touched: suspend the account for that.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var confirmation: Confirmation

        func run(_ records: Records) async throws {
            for status in try await records.steering.fail(account.id) {
                StandardOutput.print("\(status.campaign.id) failed")
            }
        }
    }
}
