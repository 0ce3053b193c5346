import ArgumentParser
import Delivery
import Foundation
import OperatorAPI

/// Looks at lanes, and steers them on all nodes through a running one.
struct LaneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lane", abstract: "List, suspend, drain, resume, fail or empty lanes.",
        discussion: """
            A lane is named by its name, its site, one of its mail hosts or its provider; all lanes so named are meant, on \
            all nodes, also those still to be made. For accounts and campaigns see sluice account and sluice campaign.
            """,
        subcommands: [List.self, Suspend.self, Drain.self, Resume.self, Fail.self, Empty.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the lanes of a node, and what operators have ordered anywhere.")

        @OptionGroup var server: OperatorOptions
        @Flag(help: "Print the lanes as JSON.") var json = false

        func run() async throws {
            let status = try await server.client().status()
            try printResult(status.lanes, asJSON: json) {
                let lanes =
                    status.lanes.isEmpty ? "no lanes: no mail is under way" : TopScreen.laneTable(status.lanes).text
                return status.orders.isEmpty ? lanes : lanes + "\n\n" + Self.table(status.orders).text
            }
        }

        static func table(_ orders: [OrderReport]) -> TextTable {
            var table = TextTable(header: ["ORDER", "FOR", "", "ENDS", "REASON"])
            for order in orders {
                table.add(
                    order.action, order.kind, order.name, order.endsInSeconds.map { "in \(Int($0)) s" } ?? "",
                    order.reason)
            }
            return table
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start no more mail; what waits goes back to the database and expires as usual.")

        @OptionGroup var target: LaneTarget
        @OptionGroup var order: OrderOptions

        func run() async throws { try await target.act("suspend", order) }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what waits in the lane and take nothing new; that goes back to the database.")

        @OptionGroup var target: LaneTarget
        @OptionGroup var order: OrderOptions

        func run() async throws { try await target.act("drain", order) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lift orders, end rests, and bring back at once what had to wait.")

        @OptionGroup var target: LaneTarget

        func run() async throws { try await target.act("resume") }
    }

    struct Fail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End mail of a lane as bounced: not sent, not charged, not suppressed.",
            discussion: """
                Mail that waits in the lane or for it ends now, and what comes in the next 5 minutes, or as long as --for \
                says. This cannot be undone.
                """)

        @OptionGroup var target: LaneTarget
        @OptionGroup var order: OrderOptions
        @OptionGroup var confirmation: Confirmation

        func run() async throws { try await target.act("fail", order) }
    }

    struct Empty: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what waits in this node's lane back to the database, to come again in a minute.")

        @OptionGroup var target: LaneTarget

        func run() async throws { try await target.act("empty") }
    }
}

/// `LANE`, on a running server.
struct LaneTarget: ParsableArguments {
    @OptionGroup var server: OperatorOptions
    @Argument(help: "The lane.") var lane: String

    func act(_ action: String, _ order: OrderOptions? = nil) async throws {
        try await server.client().act(action, on: "lanes", lane, query: order?.query ?? []).tell()
    }
}

/// How long an order stands, and why.
struct OrderOptions: ParsableArguments {
    @Option(name: .customLong("for"), help: "Seconds after which it ends by itself.") var seconds: Double?
    @Option(help: "What to show beside it.") var reason: String?

    func validate() throws {
        guard seconds.map({ Steering.seconds.contains($0) }) ?? true else {
            throw ValidationError("--for takes 1 to 31536000 seconds.")
        }
    }

    var query: [(String, String)] {
        [("seconds", seconds.map { "\($0)" }), ("reason", reason)].compactMap { name, value in
            value.map { (name, $0) }
        }
    }
}

/// `--yes`, for what cannot be undone.
struct Confirmation: ParsableArguments {
    @Flag(help: "Yes, these messages shall never be sent.") var yes = false

    func validate() throws {
        guard yes else { throw ValidationError("These messages would never be sent: confirm with --yes.") }
    }
}

extension OperatorRoutes.Done {
    func tell() {
        for lane in lanes { StandardOutput.print(lane + (failed[lane].map { ": \($0) messages ended" } ?? "")) }
        if !state.isEmpty { StandardOutput.print(state) }
    }
}
