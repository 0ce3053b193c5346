import Campaigns
import CreditLedger
import Foundation
import Identity
import Logging
import MailSigning
import MailTypes
import Postgres
import Synchronization

/// A whole Sluice on this machine: private database, server, an account with credits, key and domain, and a sink that
/// takes the mail. The demo and the benchmarks run on it; nothing is left of it afterwards.
final class Rig: Sendable {
    struct Options {
        var credits: Int64
        var sink: [String] = []
        var algorithms: [DKIMKey.Algorithm] = [.rsaSHA256]
        var settings: [String: String] = [:]
        var verifyShare = 1.0
    }

    let directory: String
    let records: Records
    let account: AccountID
    let domain = "news.example.com"
    let client: APIClient
    private let sink: ChildProcess
    private let server: Server
    private let serving: Task<Void, any Error>

    /// - Parameter directory: nil for a temporary one, which `stop` removes.
    static func start(_ options: Options, logger: Logger) async throws -> Rig {
        let directory = try temporaryDirectory()
        var flags: [String: String] = [
            "data": directory + "/data", "http": "127.0.0.1:0", "node": "rig", "helo": "mail.example.com",
            "publicUrl": "https://mail.example.com", "retryBase": "1", "retryMaximum": "1",
        ]
        flags.merge(options.settings) { $1 }
        let bootstrap = Settings(isolated: flags)
        let records = try await Records.open(bootstrap, role: .server, logger: logger)
        do {
            return try await Rig(directory: directory, records: records, flags: flags, options, logger: logger)
        } catch {
            await records.close()
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    private init(
        directory: String, records: Records, flags: [String: String], _ options: Options, logger: Logger
    ) async throws {
        self.directory = directory
        self.records = records
        account = try await records.pool.withTransaction { [ledger = records.ledger] connection in
            let account = try await ledger.createAccount(name: "demo", on: connection)
            try await ledger.grant(options.credits, to: account, key: "opening", memo: "opening", on: connection)
            return account
        }
        let key = try await records.keys.create(account: account, name: "demo").key
        let added = try await records.domains.add(
            account, try DomainName(domain), algorithms: options.algorithms)
        let keysFile = directory + "/dkim-keys.json"
        try JSONEncoder().encode(added.verificationKeys).write(to: URL(fileURLWithPath: keysFile))
        sink = try ChildProcess(
            [
                "sink", "--port", "0", "--json", "--with-parent", "--keys", keysFile, "--verify-share",
                "\(options.verifyShare)",
            ]
                + options.sink)
        guard let line = sink.readLine(), let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw RigError(problem: "the sink did not start")
        }
        let settings = Settings(isolated: flags.merging(["route": "smtp://127.0.0.1:\(port)"]) { $1 })
        let started = AsyncStream<Int>.makeStream()
        server = Server(
            try ServerConfiguration(settings, descriptors: .raised(logger: logger), logger: logger), records: records,
            logger: logger)
        serving = Task { [server] in
            defer { started.continuation.finish() }
            try await server.run { started.continuation.yield($0) }
        }
        var apiPort: Int?
        for await port in started.stream {
            apiPort = port
            break
        }
        guard let apiPort else {
            _ = sink.stop()
            try await serving.value
            throw RigError(problem: "the server ended at once")
        }
        client = APIClient(base: "http://127.0.0.1:\(apiPort)", key: key.exposed)
    }

    var sinkCPUSeconds: Double { CPUTime.seconds(of: sink.identifier) }

    /// CPU seconds of the private PostgreSQL.
    var postgresCPUSeconds: Double {
        let pidFile = directory + "/data/postgres/postmaster.pid"
        guard let data = FileManager.default.contents(atPath: pidFile),
            let pid = String(decoding: data, as: UTF8.self).split(separator: "\n").first.flatMap({ pid_t($0) })
        else { return 0 }
        return CPUTime.ofTree(pid)
    }

    /// Stops all parts and gives the sink's totals.
    func stop() async throws -> SinkTotals {
        await server.stop()
        try await serving.value
        let totals = sink.stop()
        await records.close()
        try? FileManager.default.removeItem(atPath: directory)
        guard let line = totals.split(separator: "\n").last else { throw RigError(problem: "the sink told no totals") }
        return try JSONDecoder().decode(SinkTotals.self, from: Data(line.utf8))
    }

    private static func temporaryDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "/sluice-" + String(UInt32.random(in: 0 ..< .max), radix: 36)
        // The private database may run as another user, who has to pass through.
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
        return URL(fileURLWithPath: path).standardizedFileURL.path
    }
}

struct RigError: Error, CustomStringConvertible {
    let problem: String
    var description: String { problem }
}
