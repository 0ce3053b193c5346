import ArgumentParser
import CreditLedger
import Foundation
import Logging

/// A whole campaign on this machine: server, sink, credits, bounces, a retry, the purge, and the sums.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Deliver a campaign to a local sink and show that everything adds up.",
        discussion: """
            Starts a private database, a server, and a sink that bounces some 3 % and defers some 5 % of the mails; \
            submits a campaign over HTTP, waits for its end and checks every count and credit. Nothing is left running. \
            Exits with 0 only if all of it adds up.
            """)

    @Option(help: "Recipients of the campaign, 100 to 1,000,000.")
    var recipients = 10_000

    @Flag(help: "Print the result as JSON.")
    var json = false

    @Option(help: "Log level; the demo is quiet by default.")
    var logLevel = "error"

    func validate() throws {
        guard (100...1_000_000).contains(recipients) else {
            throw ValidationError("--recipients lies between 100 and 1,000,000.")
        }
    }

    func run() async throws {
        var logger = Logger(label: "sluice.demo")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .error
        let result = try await Demo(recipients: recipients, logger: logger, isQuiet: json).run()
        StandardOutput.print(json ? try result.json() : result.table)
        if !result.problems.isEmpty { throw ExitCode.failure }
    }
}
