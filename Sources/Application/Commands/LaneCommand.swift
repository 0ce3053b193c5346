import ArgumentParser
import Delivery
import Foundation

/// Looks at and steers lanes, accounts and campaigns of a running node.
struct LaneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lane", abstract: "List, hold, resume, empty or fail lanes of the running server.",
        discussion: """
            A lane is named by its name, its site, one of its mail hosts or its provider. With --account or --campaign,
            hold and resume act on an account (on all nodes) or a campaign instead.
            """,
        subcommands: [List.self, Hold.self, Resume.self, Empty.self, Fail.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the lanes.")

        @OptionGroup var server: OperatorOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let lanes = try await server.client().status().lanes
            try printResult(lanes, asJSON: json) {
                lanes.isEmpty ? "no lanes: no mail is under way" : TopScreen.laneTable(lanes).text
            }
        }
    }

    struct Hold: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start no more mail; what waits goes back to the store.")

        @OptionGroup var server: OperatorOptions
        @OptionGroup var target: SteeringTarget
        @Option(name: .customLong("for"), help: "Seconds after which a lane goes on by itself.") var seconds: Double?
        @Option(help: "What to show beside the lane.") var reason: String?

        func run() async throws {
            var query: [(String, String)] = []
            if let seconds { query.append(("seconds", "\(seconds)")) }
            if let reason { query.append(("reason", reason)) }
            try await target.act(target.campaign == nil ? "hold" : "pause", server, query: query)
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a hold, or a suspension.")

        @OptionGroup var server: OperatorOptions
        @OptionGroup var target: SteeringTarget

        func run() async throws { try await target.act("resume", server) }
    }

    struct Empty: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what waits in a lane back to the store, to come again in a minute.")

        @OptionGroup var server: OperatorOptions
        @Argument(help: "The lane.") var lane: String

        func run() async throws { try await SteeringTarget.tell(server.client().act("empty", on: "lanes", lane)) }
    }

    struct Fail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End what waits in a lane as bounced: not sent, not charged, not suppressed.",
            discussion: "What waits in the store or comes later is not touched. This cannot be undone.")

        @OptionGroup var server: OperatorOptions
        @Argument(help: "The lane.") var lane: String
        @Flag(help: "Yes, these mails shall never be sent.") var yes = false

        func validate() throws {
            guard yes else { throw ValidationError("These mails would never be sent: confirm with --yes.") }
        }

        func run() async throws { try await SteeringTarget.tell(server.client().act("fail", on: "lanes", lane)) }
    }
}

/// What hold and resume act on.
struct SteeringTarget: ParsableArguments {
    @Argument(help: "A lane.") var lane: String?
    @Option(help: "An account's number.") var account: String?
    @Option(help: "A campaign.") var campaign: String?

    init() {}

    func validate() throws {
        guard [lane, account, campaign].compactMap(\.self).count == 1 else {
            throw ValidationError("Name one lane, --account or --campaign.")
        }
    }

    func act(_ action: String, _ server: OperatorOptions, query: [(String, String)] = []) async throws {
        let client = try await server.client()
        if let lane {
            try await Self.tell(client.act(action, on: "lanes", lane, query: query))
        } else if let account {
            try await Self.tell(client.act(action, on: "accounts", account))
        } else if let campaign {
            try await Self.tell(client.act(action, on: "campaigns", campaign))
        }
    }

    static func tell(_ done: OperatorRoutes.Done) {
        for lane in done.lanes { print(lane + (done.failed[lane].map { ": \($0) mails ended" } ?? "")) }
        if !done.state.isEmpty { print(done.state) }
    }
}
