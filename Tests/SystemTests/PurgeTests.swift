import Foundation
import Testing

/// Promise P6: what a backup took before the purge cannot be read after it.
@Suite(.serialized) struct PurgeTests {
    @Test(.timeLimit(.minutes(10))) func `a dump from before the purge opens only while the key lives`() async throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let recipients = 8_000
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: recipients)
        let lines = (0..<recipients).map {
            #"{"email":"secret.reader.\#($0)@example.net","vars":{"word":"xyzzy\#($0)"}}"#
        }
        let campaign = try installation.send(
            subject: "Only for you", text: "The magic word is {{word}}.", recipients: lines.joined(separator: "\n"))
        try installation.sluice("campaign", "pause", "--account", installation.account, campaign)
        #expect(try installation.status(campaign).state == "paused")

        let database = try PrivateDatabase(installation)
        let dump = directory.path + "/before.dump"
        try database.run("pg_dump", ["--format=custom", "--file", dump, "sluice"])
        try database.run("createdb", ["restored"])
        try database.run("pg_restore", ["--dbname=restored", dump])
        let plain = try database.run("pg_dump", ["--data-only", "restored"])
        #expect(plain.contains(campaignNumber(campaign)), "the dump holds the campaign")
        // bytea stands in hexadecimal there, so both forms are looked for.
        for secret in ["secret.reader.", "xyzzy", "Only for you", "The magic word"] {
            #expect(!plain.contains(secret))
            #expect(!plain.contains(secret.utf8.map { String(format: "%02x", $0) }.joined()))
        }

        let restored = try RestoredServer(installation, database, directory)
        let before = try restored.get("/v1/campaigns/\(campaign)/recipients?limit=5")
        #expect(before.status == 200 && before.body.contains("secret.reader."), "while the key lives the copy opens")

        try installation.sluice("campaign", "resume", "--account", installation.account, campaign)
        let status = try await installation.wait(for: campaign, seconds: 300)
        #expect(status.state == "completed" && status["delivered"] == recipients)

        // A server started anew on the copy, so that no key is left in its memory.
        try restored.restart()
        let after = try restored.get("/v1/campaigns/\(campaign)/recipients?limit=5")
        #expect(after.status == 410, "\(after.body)")
        #expect(!after.body.contains("secret.reader."))
        let state = try restored.get("/v1/campaigns/\(campaign)")
        #expect(state.status == 200 && state.body.contains(#""state":"paused""#), "the copy itself is whole")
        let sealed = try database.run(
            "psql", ["--no-psqlrc", "-Atc", "SELECT count(*) FROM batch_recipients", "restored"])
        #expect(Int(sealed.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0, "its sealed rows are there")
        restored.stop()
    }

    /// The number behind `cmp_…`, as the database stores it.
    private func campaignNumber(_ text: String) -> String {
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz")
        let value = text.dropFirst(4).reduce(UInt64(0)) { $0 << 5 | UInt64(digits.firstIndex(of: $1) ?? 0) }
        return String(value)
    }
}

/// The private PostgreSQL of an installation, seen by its operator's tools.
struct PrivateDatabase {
    let socketDirectory: String
    private let binaries: String

    init(_ installation: Installation) throws {
        binaries = try Programs.run("/usr/bin/env", ["pg_config", "--bindir"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        // The fifth line of postmaster.pid is the socket directory (PostgreSQL manual, "postmaster.pid").
        let file = installation.directory.path + "/data/postgres/postmaster.pid"
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        socketDirectory = String(lines[4])
    }

    var superuser: String { "postgres" }

    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws -> String {
        try Programs.run(binaries + "/" + program, ["--host", socketDirectory, "--username", superuser] + arguments)
    }

    func url(_ database: String) -> String {
        let host = socketDirectory.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socketDirectory
        return "postgresql://\(superuser)@\(host)/\(database)"
    }
}

/// An API server on a restored copy of the records, with the real vault.
final class RestoredServer {
    private let arguments: [String]
    private let log: String
    private let key: String
    private var program: RunningProgram
    private var port: Int

    init(_ installation: Installation, _ database: PrivateDatabase, _ directory: TemporaryDirectory) throws {
        arguments = [
            "serve", "--roles", "api", "--http", "127.0.0.1:0", "--node", "restored", "--data",
            directory.path + "/copy",
            "--master-key-file", directory.path + "/data/master.key", "--database-url", database.url("restored"),
            "--vault-database-url", database.url("sluice_vault"),
        ]
        log = directory.path + "/restored.log"
        key = installation.key
        program = try RunningProgram(Programs.sluice, arguments, log: log)
        port = try program.readPort()
    }

    func restart() throws {
        _ = program.terminate()
        program = try RunningProgram(Programs.sluice, arguments, log: log)
        port = try program.readPort()
    }

    func stop() { _ = program.terminate() }

    func get(_ path: String) throws -> (status: Int, body: String) {
        let output = try Programs.run(
            "/usr/bin/env",
            [
                "curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", "-H", "Authorization: Bearer \(key)",
                "http://127.0.0.1:\(port)\(path)",
            ])
        let lines = output.split(separator: "\n")
        return (lines.last.flatMap { Int($0) } ?? 0, lines.dropLast().joined(separator: "\n"))
    }
}
