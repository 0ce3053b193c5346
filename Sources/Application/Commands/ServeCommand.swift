import ArgumentParser
import Foundation
import Logging
import NIOCore
import Postgres
import SMTPTransport

/// Runs a node until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the server: HTTP API, delivery, mail that comes back.",
        discussion: """
            SIGTERM or SIGINT drains: mails under way are finished, everything else stays in the database. SIGHUP reads \
            the provider rules, the smarthosts and the certificate anew.
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        // A hangup says that files have changed. While the server starts it is about to read them anyway.
        signal(SIGHUP, SIG_IGN)
        let settings = try await data.settings(server.values)
        let logger = try settings.logger("sluice")
        let configuration = try ServerConfiguration(
            settings, descriptors: .raised(logger: logger), logger: logger)
        let records = try await Records.open(settings, role: .server, logger: logger)
        do {
            try await Server(configuration, records: records, logger: logger).run { port in
                let address = Endpoint(host: configuration.http.host, port: port)
                StandardOutput.print(
                    "Sluice listens on \(configuration.certificates == nil ? "http" : "https")://\(address)")
            }
        } catch {
            await records.close()
            throw ServeFailure(error, configuration)
        }
        await records.close()
    }
}

/// Why the server ended, said for the operator.
struct ServeFailure: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error, _ configuration: ServerConfiguration) {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            let places = [configuration.http, configuration.httpRedirect, configuration.operatorEndpoint]
            let flags = zip(places, ["--http", "--http-redirect", "--operator"]).filter { $0.0 != nil }.map(\.1)
            description =
                "\(places.compactMap { $0?.description }.joined(separator: " or ")) is in use: another program listens "
                + "there; choose another with \(flags.joined(separator: " or "))"
        } else if let error = error as? SMTPListenerError {
            description = "mail cannot be taken in: \(error); choose another place with --feedback-listen"
        } else {
            description = "\(error)"
        }
    }
}
