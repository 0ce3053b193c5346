import ArgumentParser
import Configuration
import Foundation
import Logging
import NIOCore
import Postgres

/// Runs a node until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the server: HTTP API and delivery.",
        discussion: "SIGTERM or SIGINT drains: mails under way are finished, everything else stays in the database.")

    @OptionGroup var data: DataOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        let settings = try await Settings(
            flags: data.values.merging(server.values) { $1 }, file: data.configurationFile)
        let logger = try settings.logger("sluice")
        let records = try await Records.open(settings, role: .server, logger: logger)
        do {
            let endpoint = try settings.endpoint("http", default: "127.0.0.1:8025")
            try await Server(settings: settings, records: records, logger: logger).run { port in
                let address = Endpoint(host: endpoint.host, port: port)
                FileHandle.standardOutput.write(Data("Sluice listens on http://\(address)\n".utf8))
            }
        } catch {
            await records.close()
            throw ServeFailure(error, settings: settings)
        }
        await records.close()
    }
}

/// Why the server ended, said for the operator.
struct ServeFailure: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error, settings: Settings) {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            let endpoint = settings.text("http", default: "127.0.0.1:8025")
            description = "\(endpoint) is in use: another program listens there; choose another with --http"
        } else {
            description = "\(error)"
        }
    }
}
