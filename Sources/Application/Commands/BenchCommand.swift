import ArgumentParser
import Foundation
import Logging
import MailSigning

/// Measurements for operators.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure Sluice on this machine.", subcommands: [Deliver.self])

    struct Deliver: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import and deliver one campaign to a local sink; print rates, CPU and memory.")

        @Option(help: "Recipients.") var recipients = 20_000
        @Option(help: "Bytes of the message as sent, roughly.") var size = 4_096
        @Option(help: "Merge fields in the message.") var fields = 10
        @Option(help: "DKIM key: rsa, ed25519.") var key = "rsa"
        @Flag(help: "STARTTLS to the sink.") var tls = false
        @Option(help: "Connections to the sink.") var connections = 64
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000_000).contains(recipients) else { throw ValidationError("--recipients is out of range.") }
            guard (1_024...10_485_760).contains(size) else {
                throw ValidationError("--size lies from 1 KiB to 10 MiB.")
            }
            guard (2...100).contains(fields) else { throw ValidationError("--fields lies from 2 to 100.") }
            guard ["rsa", "ed25519"].contains(key) else { throw ValidationError("--key is rsa or ed25519.") }
        }

        func run() async throws {
            var logger = Logger(label: "sluice.bench")
            logger.logLevel = .error
            let result = try await DeliverBenchmark(
                recipients: recipients, size: size, fields: fields,
                algorithm: key == "rsa" ? .rsaSHA256 : .ed25519SHA256, tls: tls, connections: connections,
                logger: logger
            ).run()
            try printResult(result, asJSON: json) { result.table }
        }
    }
}
