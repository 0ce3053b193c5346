package import ArgumentParser
import Foundation
import Logging

/// `sluice`
package struct SluiceCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Email delivery with credit metering.",
        version: "0.1.0",
        subcommands: [
            DemoCommand.self, ServeCommand.self, SendCommand.self, SinkCommand.self, BenchCommand.self,
            AccountCommand.self, KeyCommand.self, UserCommand.self, OperatorCommand.self, SessionCommand.self,
            CreditsCommand.self, DomainCommand.self, SuppressionCommand.self,
            WebhookCommand.self, CampaignCommand.self, LedgerCommand.self, TopCommand.self, LaneCommand.self,
            TraceCommand.self, NodesCommand.self, ClassifyCommand.self, FeedbackCommand.self, CertificateCommand.self,
            ConfigCommand.self, DoctorCommand.self,
        ])

    package init() {}

    /// Parses the arguments and runs; ends the process with the command's exit status.
    package static func run() async {
        StandardOutput.prepare()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        await main()
        let status = StandardOutput.finish()
        if status != 0 { Foundation.exit(status) }
    }
}
