import Foundation
import TestDatabases

@testable import Postgres

/// What `pg_dump` says of the schema of a database, without what changes from run to run.
enum SchemaDump {
    /// Other versions of PostgreSQL word the same schema otherwise.
    static let majorVersion = 15

    static var isPossible: Bool { (try? installation())?.majorVersion == majorVersion }

    static func text(of database: TestDatabase) async throws -> String {
        let program = try installation().binaries + "/pg_dump"
        let arguments = [
            "--schema-only", "--no-owner", "--host", database.endpoint.socketDirectory, "--username",
            ServerEndpoint.superuser, database.name,
        ]
        let output = try await offCooperativeThreads { Result { try run(program, arguments) } }.get()
        return normalised(output)
    }

    private static func installation() throws -> PostgresInstallation {
        try PostgresInstallation.find(environment: ProcessInfo.processInfo.environment)
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        return String(decoding: output, as: UTF8.self)
    }

    /// Settings of the session, versions, the names that are repeated above each object, and the word that newer
    /// minor versions put around the whole.
    private static let noise = [
        "SET ", "SELECT pg_catalog.set_config(", #"\restrict "#, #"\unrestrict "#, "-- Name: ", "-- Dumped ",
        "-- PostgreSQL database dump",
    ]

    private static func normalised(_ text: String) -> String {
        var lines: [Substring] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "--" || noise.contains(where: line.hasPrefix) { continue }
            if line.isEmpty && lines.last?.isEmpty != false { continue }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }
}
