import ArgumentParser
import Campaigns
import Foundation
import HTTPAPI
import MailTypes
import OperatorAPI

struct CampaignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "campaign", abstract: "Look at campaigns and steer them.",
        discussion: """
            pause and cancel do what the customer can do, who may also resume a paused campaign. suspend, drain and fail \
            are the operator's: only sluice campaign resume ends the first two.
            """,
        subcommands: [
            List.self, Show.self, Recipients.self, Outcomes.self, Suspend.self, Drain.self, Fail.self, Pause.self,
            Resume.self,
            Cancel.self,
        ])

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List an account's campaigns, newest first, with what operators have ordered.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Option(help: "How many.") var limit = 20
        @Flag(help: "Print JSON, one campaign a line.") var json = false

        func validate() throws {
            guard (1...1_000).contains(limit) else { throw ValidationError("--limit is from 1 to 1,000.") }
        }

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            let found = try await records.campaigns.list(account.id, before: nil, limit: limit)
            let orders = OrderListing(try await records.delivery.orders())
            func order(_ campaign: Campaign) -> OrderListing.Order? { orders.order(for: campaign, of: account.id) }
            if json {
                for campaign in found {
                    StandardOutput.print(campaign.json(credits: nil, order: OrderListing.Order.json(order(campaign))))
                }
                return
            }
            var table = TextTable(
                header: ["campaign", "state", "recipients", "delivered", "bounced", "waiting", "order"],
                rightAligned: [2, 3, 4, 5])
            for campaign in found {
                let counters = campaign.counters
                table.add(
                    campaign.id.description, campaign.state.rawValue, grouped(counters.recipients),
                    grouped(counters.delivered), grouped(counters.bounced),
                    grouped(counters.pending + counters.deferred),
                    order(campaign).map { ($0.kind == "account" ? "account " : "") + $0.text } ?? "")
            }
            StandardOutput.print(table.text)
        }
    }

    struct Show: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Show a campaign as the API tells it.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.campaigns.get(target.account.id, target.id).json)
        }
    }

    struct Recipients: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List a campaign's recipients, one JSON object a line, while its data lives.",
            discussion: "These are personal data of the customer's recipients.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget
        @Option(help: "Only those that stand so: pending, deferred, delivered, bounced, …", transform: Self.fate)
        var outcome: RecipientFate?
        @Flag(help: "Only those with a mail whose answer was lost, whether or not it was sent again.")
        var inDoubt = false

        private static func fate(_ name: String) throws -> RecipientFate {
            guard let fate = RecipientFate(name: name) else { throw ValidationError("There is no outcome \(name).") }
            return fate
        }

        func run(_ records: Records) async throws {
            var cursor: RecipientCursor?
            repeat {
                let page = try await records.campaigns.recipients(
                    target.account.id, target.id, fate: outcome, inDoubtOnly: inDoubt, after: cursor,
                    limit: CampaignLimits.pageSize.upperBound)
                for recipient in page.recipients { StandardOutput.print(recipient.json) }
                cursor = page.next
            } while cursor != nil && StandardOutput.isOpen
        }
    }

    struct Outcomes: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List who got a campaign's mail and who did not, and why, one JSON object a line.",
            discussion: """
                In the order in which outcomes came, those of batches at work included. Each line has a cursor; --after it the \
                list goes on, so nothing has to be read twice. These are personal data of the customer's recipients.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget
        @Option(help: "Only this outcome; may be given several times.", transform: Self.outcome)
        var outcome: [Outcome] = []
        @Option(help: "The cursor of the last line that was read.", transform: Self.cursor)
        var after: OutcomeCursor = .start

        private static func outcome(_ name: String) throws -> Outcome {
            guard let outcome = Outcome(name: name) else { throw ValidationError("There is no outcome \(name).") }
            return outcome
        }

        private static func cursor(_ text: String) throws -> OutcomeCursor {
            guard let cursor = OutcomeCursor(text) else { throw ValidationError("That is no cursor of outcomes.") }
            return cursor
        }

        func run(_ records: Records) async throws {
            let wanted = outcome.isEmpty ? nil : Set(outcome)
            var cursor = after
            while StandardOutput.isOpen {
                let page = try await records.campaigns.outcomes(target.account.id, target.id, wanted, after: cursor)
                for outcome in page.outcomes { StandardOutput.print(outcome.json) }
                cursor = page.next
                if page.isAtEnd { return }
            }
        }
    }

    struct Suspend: OrderCommand {
        static let action = OperatorOrder.Action.suspend
        static let configuration = CommandConfiguration(
            abstract: "Start no more mail, on any node; what waits expires as usual.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget
        @OptionGroup var order: OrderOptions
    }

    struct Drain: OrderCommand {
        static let action = OperatorOrder.Action.drain
        static let configuration = CommandConfiguration(
            abstract: "Send what nodes have at hand and take nothing more.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget
        @OptionGroup var order: OrderOptions
    }

    struct Fail: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a campaign: what was not sent bounces, not charged.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget
        @OptionGroup var confirmation: Confirmation

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.campaigns.fail(target.account.id, target.id).json)
        }
    }

    struct Pause: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Stop sending until resumed.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.campaigns.pause(target.account.id, target.id).json)
        }
    }

    struct Resume: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send on, after a pause, a suspend or a drain.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.steering.resume(target.account.id, target.id).json)
        }
    }

    struct Cancel: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "End a campaign and give the unused credits back.")

        @OptionGroup var data: DataOptions
        @OptionGroup var target: CampaignTarget

        func run(_ records: Records) async throws {
            StandardOutput.print(try await records.campaigns.cancel(target.account.id, target.id).json)
        }
    }
}

/// `--account NUMBER CAMPAIGN`
struct CampaignTarget: ParsableArguments, OrderTarget {
    @OptionGroup var account: AccountOption
    @Argument(help: "The campaign, cmp_….", transform: Self.parse) var id: CampaignID

    var ordered: OperatorOrder.Target { .campaign(account.id, id) }

    private static func parse(_ text: String) throws -> CampaignID {
        guard let id = CampaignID(text) else { throw ValidationError("A campaign looks like cmp_….") }
        return id
    }
}
