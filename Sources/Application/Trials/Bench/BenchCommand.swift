import ArgumentParser
import Foundation
import Logging

/// Measurements for operators.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure Sluice on this machine.",
        discussion: """
            Each starts what it needs on loopback with a private database, and leaves nothing behind. Use a release \
            build, and compare only figures of one machine and one hour.
            """,
        subcommands: [
            Deliver.self, Bare.self, Lone.self, Import.self, Fair.self, Faults.self, RecordsOfSize.self,
            FeedbackMails.self,
            FeedbackWebhooks.self,
            WebhookEvents.self, API.self,
        ])

    private static var logger: Logger {
        var logger = Logger(label: "sluice.bench")
        logger.logLevel = .error
        return logger
    }

    /// What all of them send.
    struct MailOptions: ParsableArguments {
        @Option(help: "Bytes of the message as sent, roughly.") var size = 4_096
        @Option(help: "Merge fields in the message.") var fields = 10
        @Option(help: "DKIM key: rsa, ed25519, both, or none, which only bench bare can: campaigns are always signed.")
        var key = Scenario.Key.rsa
        @Option(help: "RSA signatures by libcrypto, batch (eight at a time), lanes (eight of libcrypto), or auto.")
        var signer = Scenario.Signer.auto
        @Option(help: "Path of crypto_mb, which makes eight at a time.") var signerLibrary: String?
        @Flag(help: "STARTTLS to the sink.") var tls = false
        @Option(help: "Connections to the sink.") var connections = 64
        @Option(help: "Messages to send before the measurement.") var warmUp = 1_000

        init() {}

        func validate() throws {
            guard (1_024...10_485_760).contains(size) else {
                throw ValidationError("--size lies from 1 KiB to 10 MiB.")
            }
            guard (2...100).contains(fields) else { throw ValidationError("--fields lies from 2 to 100.") }
            guard (1...10_000).contains(connections) else { throw ValidationError("--connections is out of range.") }
            guard (0...1_000_000).contains(warmUp) else { throw ValidationError("--warm-up is out of range.") }
        }

        /// - Throws: `ValidationError`, where campaigns are to be sent without a signature.
        func scenario(_ messages: Int, isCampaign: Bool = true) throws -> Scenario {
            guard (1...10_000_000).contains(messages) else { throw ValidationError("--recipients is out of range.") }
            guard !isCampaign || key != .none else {
                throw ValidationError("--key none is for bench bare: campaigns are always signed.")
            }
            var scenario = Scenario(messages: messages)
            scenario.size = size
            scenario.fields = fields
            scenario.key = key
            scenario.signer = signer
            scenario.signerLibrary = signerLibrary
            scenario.tls = tls
            scenario.connections = connections
            scenario.warmUp = warmUp
            return scenario
        }
    }

    struct FeedbackMails: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "feedback", abstract: "Parse and classify returned mails from memory, on one core.")

        @Argument(help: "The mails, one a file.") var files: [String]
        @Option(help: "Seconds of the processor's time.") var seconds = 3
        @OptionGroup var report: ReportOptions

        func run() throws {
            guard (1...600).contains(seconds) else { throw ValidationError("--seconds lies from 1 to 600.") }
            let mails = try files.map { try ClassifyCommand.octets(of: $0) }
            try report.write(FeedbackBenchmark(mails: mails, seconds: seconds).run())
        }
    }

    struct Deliver: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import and deliver one campaign to a local sink; print rates, CPU and memory.")

        @Option(help: "Recipients.") var recipients = 20_000
        @OptionGroup var mail: MailOptions
        @Option(help: "Spread the mail over so many sites, found by a DNS of their own; needs nsd.") var sites: Int?
        @Option(help: "The sites are tenants of one provider, which takes so many connections in all; needs --sites.")
        var providerConnections: Int?
        @Option(help: "Accounts that send at once, each with its own key and an equal share of the recipients.")
        var accounts = 1
        @Option(help: "Share of recipients that the sink puts off once, 0…1.") var deferShare = 0.0
        @Flag(help: "Measure the same mail without the engine first, and print the ratio.") var bare = false
        @Flag(help: "Tell a webhook on this machine of every event meanwhile.") var webhook = false
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (0...1).contains(deferShare) else { throw ValidationError("--defer-share lies from 0 to 1.") }
            guard (1...min(1_000, recipients)).contains(accounts) else {
                throw ValidationError("--accounts lies from 1 to 1,000, and is not more than the recipients.")
            }
            guard accounts == 1 || !webhook else { throw ValidationError("--webhook is for one account.") }
            guard (1...100_000).contains(sites ?? 1) else { throw ValidationError("--sites lies from 1 to 100,000.") }
            guard providerConnections == nil || sites != nil else {
                throw ValidationError("--provider-connections needs --sites.")
            }
            guard (1...1_000).contains(providerConnections ?? 1) else {
                throw ValidationError("--provider-connections lies from 1 to 1,000.")
            }
            _ = try mail.scenario(recipients)
        }

        func run() async throws {
            var scenario = try mail.scenario(recipients)
            var bound: BareBenchmark.Result?
            if bare { bound = try await BareBenchmark(scenario: scenario, logger: logger).run() }
            scenario.sites = sites
            scenario.accounts = accounts
            scenario.providerConnections = providerConnections
            scenario.faults.deferShare = deferShare
            scenario.webhook = webhook
            var result = try await DeliverBenchmark(scenario: scenario, logger: logger).run()
            result.bare = bound
            try report.write(result)
        }
    }

    struct WebhookEvents: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "webhooks", abstract: "Write events to the outbox, and tell them to one endpoint.")

        @Option(help: "Events.") var events = 100_000
        @Option(help: "Events in one row of the outbox.") var packEvents = 20
        @Option(help: "Campaigns that they belong to.") var campaigns = 1
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (1...10_000_000).contains(events) else { throw ValidationError("--events is out of range.") }
            guard (1...100).contains(packEvents) else { throw ValidationError("--pack-events lies from 1 to 100.") }
            guard (1...1_000).contains(campaigns) else { throw ValidationError("--campaigns lies from 1 to 1,000.") }
        }

        func run() async throws {
            try report.write(
                try await WebhookBenchmark(
                    events: events, packEvents: packEvents, campaigns: campaigns, logger: logger
                ).run())
        }
    }

    struct Bare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Sign and send one message again and again, without the engine: the bound that delivery can reach.")

        @Option(help: "Messages.") var messages = 20_000
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let scenario = try mail.scenario(messages, isCampaign: false)
            try report.write(try await BareBenchmark(scenario: scenario, logger: logger).run())
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Upload recipients over HTTP; print rate, CPU, memory and write-ahead log.")

        @Option(help: "Recipients of each run.") var recipients = 100_000
        @Option(help: "Runs, each with a campaign of its own.") var runs = 3
        @Option(help: "Measure again while so many other accounts upload as much.") var beside = 0
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (1...100).contains(runs) else { throw ValidationError("--runs lies from 1 to 100.") }
            guard (0...100).contains(beside) else { throw ValidationError("--beside lies from 0 to 100.") }
        }

        func run() async throws {
            try report.write(
                try await ImportBenchmark(
                    scenario: mail.scenario(recipients), runs: runs, neighbours: beside, logger: logger
                ).run())
        }
    }

    struct Fair: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a small campaign while a large one is under way; print how long it takes.",
            discussion: "Two seconds after the large one, first another account sends a small one, then the same.")

        @Option(help: "Recipients of the large campaign.") var recipients = 100_000
        @Option(help: "Recipients of the small ones.") var small = 100
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (1...100_000).contains(small) else { throw ValidationError("--small lies from 1 to 100,000.") }
        }

        func run() async throws {
            try report.write(
                try await FairBenchmark(scenario: mail.scenario(recipients), small: small, logger: logger).run())
        }
    }

    struct Faults: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deliver to receivers that bounce, defer, dawdle and break off; compare with healthy ones.")

        @Option(help: "Recipients.") var recipients = 20_000
        @Option(help: "Share of recipients refused for good, 0…1.") var bounceShare = 0.03
        @Option(help: "Share of recipients put off once, 0…1.") var deferShare = 0.05
        @Option(help: "Share of recipients answered half a second late, 0…1.") var slowShare = 0.01
        @Option(help: "Share of recipients whose final dot gets no answer at first, 0…1.") var dropShare = 0.002
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard [bounceShare, deferShare, slowShare, dropShare].allSatisfy({ (0...1).contains($0) }),
                bounceShare + deferShare + slowShare + dropShare <= 1
            else { throw ValidationError("Shares lie from 0 to 1, and so does their sum.") }
        }

        func run() async throws {
            var scenario = try mail.scenario(recipients)
            scenario.faults = Scenario.Faults(
                bounceShare: bounceShare, deferShare: deferShare, slowShare: slowShare, dropShare: dropShare)
            try report.write(try await FaultsBenchmark(scenario: scenario, logger: logger).run())
        }
    }
}

extension BenchCommand {
    struct Lone: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Send messages that come alone; print how long each waits, with libcrypto and with the batch signer.",
            discussion: """
                Two servers side by side take turns, a message each. Without --signer the second one fills eight lanes of \
                libcrypto, which stand in for a library on any machine.
                """)

        @Option(help: "Messages of each server.") var messages = 200
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (20...10_000).contains(messages) else { throw ValidationError("--messages lies from 20 to 10,000.") }
            guard mail.signer != .libcrypto else {
                throw ValidationError("--signer is that of the second server; the first has libcrypto.")
            }
        }

        func run() async throws {
            var logger = Logger(label: "sluice.bench")
            logger.logLevel = .error
            var scenario = try mail.scenario(messages)
            if scenario.signer == .auto { scenario.signer = .lanes }
            try report.write(try await LoneBenchmark(scenario: scenario, logger: logger).run())
        }
    }

    struct FeedbackWebhooks: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "feedback-webhooks",
            abstract: "Take a provider's signed reports over HTTP and work them off; print rates.")

        @Option(help: "Events, each about another recipient.") var events = 100_000
        @Option(help: "Events of one body.") var perBody = 200
        @Option(help: "Connections of the provider.") var connections = 8
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (100...10_000_000).contains(events) else {
                throw ValidationError("--events lies from 100 to 10,000,000.")
            }
            guard (1...1_000).contains(perBody) else { throw ValidationError("--per-body lies from 1 to 1,000.") }
            guard (1...24).contains(connections) else { throw ValidationError("--connections lies from 1 to 24.") }
        }

        func run() async throws {
            var logger = Logger(label: "sluice.bench")
            logger.logLevel = .error
            let benchmark = ProviderWebhookBenchmark(
                events: events, perBody: perBody, connections: connections, logger: logger)
            try report.write(try await benchmark.run())
        }
    }

    struct API: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "api", abstract: "Measure reads of the API, limits, revocation, and what guards it.",
            discussion: """
                reads: small ones over keep-alive connections, and what their limit costs. fleet: three nodes against one \
                limit, and keys that are revoked. isolation: campaigns with row-level security and without. sign-ins: \
                campaigns while strangers try passwords, and without.
                """)

        @Argument(help: "What to measure: reads, fleet, isolation, sign-ins; all of them without.")
        var parts: [APIBenchmark.Part] = []
        @Option(help: "Seconds of each run of reads.") var seconds = 10
        @Option(help: "Keep-alive connections that read.") var readers = 16
        @Option(help: "Keys to revoke.") var tries = 100
        @Option(help: "Recipients of each campaign.") var recipients = 20_000
        @Option(help: "Pairs of campaigns to compare.") var pairs = 3
        @OptionGroup var mail: MailOptions
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (1...50).contains(seconds) else { throw ValidationError("--seconds lies from 1 to 50.") }
            // An account may have 3 database connections and 16 requests that wait for one.
            guard (1...19).contains(readers) else { throw ValidationError("--readers lies from 1 to 19.") }
            guard (1...1_000).contains(tries) else { throw ValidationError("--tries lies from 1 to 1,000.") }
            guard (1...20).contains(pairs) else { throw ValidationError("--pairs lies from 1 to 20.") }
            _ = try mail.scenario(recipients)
        }

        func run() async throws {
            var logger = Logger(label: "sluice.bench")
            // Strangers who find no place are told so, and the log repeats it.
            logger.logLevel = .critical
            let benchmark = APIBenchmark(
                parts: parts.isEmpty ? APIBenchmark.Part.allCases : parts, seconds: seconds, connections: readers,
                tries: tries, scenario: try mail.scenario(recipients), pairs: pairs, logger: logger)
            try report.write(try await benchmark.run())
        }
    }

    struct RecordsOfSize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "records", abstract: "Fill the tables; print what claims, pages and sweeps cost then.")

        @Option(help: "Rows of each table.") var rows = 1_000_000
        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard (10_000...100_000_000).contains(rows) else {
                throw ValidationError("--rows lies from 10,000 to 100,000,000.")
            }
        }

        func run() async throws {
            var logger = Logger(label: "sluice.bench")
            logger.logLevel = .error
            try report.write(try await RecordsBenchmark(rows: rows, logger: logger).run())
        }
    }
}

extension Scenario.Key: ExpressibleByArgument {}
extension Scenario.Signer: ExpressibleByArgument {}
extension APIBenchmark.Part: ExpressibleByArgument {}
