import Foundation
import TestSupport
import Testing

/// One campaign under faults: an installation, a sink, a seeded source of chance, and the checker of its end.
final class FaultRun {
    let directory: TemporaryDirectory
    let sink: SinkProcess
    let installation: Installation
    let database: ExternalPostgres?
    let checker: FaultChecker
    let campaign: String
    var generator: SeededGenerator
    private var nodes: [String: RunningProgram] = [:]

    /// - Parameters:
    ///   - databasePort: where the first node finds the database, if not at its own port.
    init(
        _ directory: TemporaryDirectory? = nil, recipients: Int, seed: UInt64, database: ExternalPostgres? = nil,
        databasePort: Int? = nil, sink sinkArguments: [String] = [], serve: [String] = [], launcher: [String] = [],
        suppressed: Int = 0
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        self.database = database
        let seed = Seed.of(seed)
        generator = SeededGenerator(seed)
        sink = try SinkProcess(directory, ["--seed", "\(seed)", "--slow-ms", "30"] + sinkArguments)
        let credits = recipients + 50
        installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: credits,
            serve: ["--lease", "3", "--connections", "16"] + serve, databaseURL: database?.url(port: databasePort),
            launcher: launcher)
        // Most replies take their time, so that there are mails under way whenever a fault strikes.
        let addresses = (0..<recipients).map { "\($0 % 3 == 0 ? "" : "slow+")r\($0)@example.net" }
        for address in addresses.prefix(suppressed) {
            try installation.sluice("suppression", "add", "--account", installation.account, address)
        }
        campaign = try installation.send(
            subject: "Hello {{name}}", text: "Dear {{name}},\nthis is your copy.\n",
            recipients: addresses.map { #"{"email":"\#($0)","name":"Reader"}"# }.joined(separator: "\n"))
        checker = FaultChecker(
            sinkLog: sink.logPath, console: try database?.console ?? SQLConsole(installation), credits: credits,
            recipients: Set(addresses), suppressed: Set(addresses.prefix(suppressed)))
    }

    func startNode(_ name: String, _ arguments: [String] = []) throws {
        nodes[name] = try installation.startNode(name, arguments)
    }

    func node(_ name: String) throws -> RunningProgram { try #require(nodes[name]) }

    func pause(_ milliseconds: ClosedRange<Int>) async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: milliseconds, using: &generator)))
    }

    /// For the one who has to find out why a run got stuck.
    private var state: String {
        let tables = [
            "SELECT * FROM campaigns", "SELECT *, clock_timestamp() FROM account_queue", "SELECT * FROM nodes",
            "SELECT * FROM batches WHERE state NOT IN (3, 5)",
        ]
        let rows = tables.map { "\($0): \((try? checker.console.rows($0)) ?? [])" }
        let logs = nodes.map { name, node in
            let text = (try? String(contentsOfFile: "\(directory.path)/\(name).log", encoding: .utf8)) ?? ""
            return "\(name), \(node.isRunning ? "running" : "ended"): \(text.suffix(1_000))"
        }
        return (rows + logs).joined(separator: "\n")
    }

    /// What the first node wrote.
    var log: String { (try? String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)) ?? "" }

    var taken: Int { get throws { try FaultChecker.traffic(sink.logPath).values.count { $0.copies > 0 } } }

    /// What the sink has once no node sends: mails of one that was killed may still lie in its sockets.
    func takenAtRest() async throws -> Int {
        var last = try taken
        while true {
            try await Task.sleep(for: .milliseconds(500))
            let now = try taken
            if now == last { return now }
            last = now
        }
    }

    /// Waits until the sink has the mails of so many recipients.
    func waitUntilTaken(_ count: Int, seconds: Int = 60) async throws {
        try await wait("the sink has \(count) mails", seconds: seconds) { try self.taken >= count }
    }

    /// Waits for the end of the campaign, which SQL tells while nodes come and go.
    func waitForEnd(seconds: Int = 120) async throws {
        try await wait("the campaign ends", seconds: seconds) {
            try self.checker.console.number("SELECT count(*) FROM campaigns WHERE purged_at IS NOT NULL") == 1
        }
    }

    func wait(_ what: String, seconds: Int, _ isSo: () throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !((try? isSo()) ?? false) {
            guard ContinuousClock.now < end else {
                throw ProgramFailure(
                    program: what, arguments: [],
                    finished: .init(status: -1, output: "\n\(state)", errors: "waited in vain\n\(log.suffix(3_000))"))
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Judges, prints what came of it, and stops everything.
    @discardableResult
    func finish(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> FaultChecker.Summary {
        let summary = try checker.checkEnd(sourceLocation: sourceLocation)
        print("\(name): \(summary)")
        try installation.sluice("ledger", "verify")
        stop()
        return summary
    }

    func stop() {
        for node in nodes.values { _ = node.terminate() }
        nodes = [:]
        if installation.server.isRunning { _ = installation.server.terminate() }
        _ = try? sink.stop()
        // For the one who wants to read what happened: a folder that keeps the logs.
        if let folder = ProcessInfo.processInfo.environment["SLUICE_FAULT_LOGS"] {
            for name in ["serve.log", "sink.log"] {
                try? FileManager.default.copyItem(
                    atPath: "\(directory.path)/\(name)", toPath: "\(folder)/\(campaign)-\(name)")
            }
        }
        database?.stop()
    }

    deinit {
        for node in nodes.values where node.isRunning { node.kill9() }
        // A killed server would leave its private database behind.
        if installation.server.isRunning { _ = installation.server.terminate() }
    }
}
