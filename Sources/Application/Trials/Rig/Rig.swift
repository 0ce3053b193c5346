import Campaigns
import CreditLedger
import Foundation
import Identity
import Logging
import MailSigning
import MailSink
import MailTypes
import OperatorAPI
import Postgres
import SMTPTransport
import SendingDomains
import Synchronization

/// A whole Sluice on this machine: private database, server, an account with credits, key and domain, and a sink that
/// takes the mail. The demo and the benchmarks run on it; nothing is left of it afterwards.
final class Rig: Sendable {
    struct Options {
        var credits: Int64
        var sink: [String] = []
        var algorithms: [DKIMKey.Algorithm] = [.rsaSHA256]
        var settings: [Setting: String] = [:]
        var verifyShare = 1.0
        /// Keeps a line of each copy that the sink gets: ``Rig/stopAndReadLog()``.
        var keepsLog = false
        /// Recipients live on so many sites, found by DNS; nil: one route takes all mail.
        var sites: Int?
        /// The sites are tenants of one provider, which takes so many connections in all; nil: each is its own.
        var providerConnections: Int?
    }

    /// An account with credits, a domain and an API key.
    struct Tenant: Sendable {
        let domain: String
        let client: APIClient
    }

    let directory: String
    let records: Records
    let account: AccountID
    let domain = "news.example.com"
    let client: APIClient
    private let algorithms: [DKIMKey.Algorithm]
    private let sink: SinkChild
    private let nameServer: NameServer?
    private let server: Server
    private let serving: Task<Void, any Error>

    /// - Parameter directory: nil for a temporary one, which `stop` removes.
    static func start(_ options: Options, logger: Logger) async throws -> Rig {
        let directory = try temporaryDirectory()
        var flags: [Setting: String] = [
            .data: directory + "/data", .http: "127.0.0.1:0", .node: "rig", .helo: "mail.example.com",
            .publicURL: "https://mail.example.com", .retryBase: "1", .retryMaximum: "1", .resultsFor: "0",
            .trustDomains: "true",
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
        directory: String, records: Records, flags: [Setting: String], _ options: Options, logger: Logger
    ) async throws {
        self.directory = directory
        self.records = records
        algorithms = options.algorithms
        account = try await records.createAccount(name: "demo", credits: options.credits)
        let key = try await records.keys.create(account: account, name: "demo").key
        let added = try await records.domains.add(
            account, try DomainName(domain), algorithms: options.algorithms)
        let keysFile = directory + "/dkim-keys.json"
        try JSONEncoder().encode(added.verificationKeys).write(to: URL(fileURLWithPath: keysFile))
        var sinkArguments = ["--keys", keysFile, "--verify-share", "\(options.verifyShare)"] + options.sink
        if options.keepsLog {
            sinkArguments += ["--log", Self.logFile(directory), "--log-recipients", "plain"]
        }
        sink = try SinkChild(sinkArguments)
        var destination: [Setting: String] = [.route: "smtp://127.0.0.1:\(sink.port)"]
        nameServer =
            if let sites = options.sites {
                try await NameServer(
                    sites: sites, areTenants: options.providerConnections != nil, folder: directory + "/dns")
            } else { nil }
        if let nameServer {
            destination = [
                .dns: "127.0.0.1:\(nameServer.port)", .smtpPort: "\(sink.port)", .allowPrivateDestinations: "true",
            ]
        }
        if let connections = options.providerConnections {
            destination[.providers] = try Self.writeProvider(connections, directory)
        }
        // A trial asks as fast as it can under one key.
        destination[.requestsPerMinute] = "0"
        let settings = Settings(isolated: flags.merging(destination) { $1 })
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
            nameServer?.stop()
            _ = try? sink.stop()
            try await serving.value
            throw RigError(problem: "the server ended at once")
        }
        client = APIClient(base: "http://127.0.0.1:\(apiPort)", key: key.exposed)
    }

    /// Rules of the provider whose tenants the sites are.
    private static func writeProvider(_ connections: Int, _ directory: String) throws -> String {
        let rules = """
            providers:
              provider:
                mx: [\(NameServer.providerName)]
                scope: provider
                connections: \(connections)

            """
        let path = directory + "/providers.yaml"
        try rules.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    /// Another account beside the first.
    func addTenant(_ name: String, domain: String, credits: Int64) async throws -> Tenant {
        let account = try await records.createAccount(name: name, credits: credits)
        let key = try await records.keys.create(account: account, name: name).key
        _ = try await records.domains.add(account, try DomainName(domain), algorithms: algorithms)
        return Tenant(domain: domain, client: APIClient(base: client.base, key: key.exposed))
    }

    /// How the server signs.
    var signing: SigningStatus {
        get throws {
            guard let signing = server.signing else { throw RigError(problem: "the server does not deliver") }
            return signing
        }
    }

    /// What connections to the sink say and hear from now on.
    func trace() throws -> SMTPTraceHub.Lines {
        guard let lines = server.trace() else { throw RigError(problem: "the server does not deliver") }
        return lines
    }

    var sinkCPUSeconds: Double { sink.cpuSeconds }

    /// Bytes of write-ahead log that PostgreSQL has written since it was made.
    func walBytes() async throws -> Int64 {
        let rows = try await records.pool.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        return try rows.first?.decode(Int64.self) ?? 0
    }

    /// CPU seconds of the private PostgreSQL.
    var postgresCPUSeconds: Double {
        let pidFile = directory + "/data/postgres/postmaster.pid"
        guard let data = FileManager.default.contents(atPath: pidFile),
            let pid = String(decoding: data, as: UTF8.self).split(separator: "\n").first.flatMap({ pid_t($0) })
        else { return 0 }
        return ProcessUsage.cpuSeconds(ofTree: pid)
    }

    /// Stops all parts and gives the sink's totals.
    @discardableResult
    func stop() async throws -> SinkTotals { try await stopAndReadLog().totals }

    /// Stops all parts and gives what the sink got; nothing of its copies where no log was asked for.
    func stopAndReadLog() async throws -> (totals: SinkTotals, arrivals: Arrivals) {
        await server.stop()
        try await serving.value
        let totals = Result { try sink.stop() }
        nameServer?.stop()
        await records.close()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return (
            try totals.get(), Arrivals(log: FileManager.default.contents(atPath: Self.logFile(directory)) ?? Data())
        )
    }

    private static func logFile(_ directory: String) -> String { directory + "/sink.log" }

    static func temporaryDirectory() throws -> String {
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
