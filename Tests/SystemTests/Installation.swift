import Foundation

/// A Sluice with a sink, each a process of its own, and an account to send from.
final class Installation {
    let directory: TemporaryDirectory
    let domain = "news.example.com"
    private(set) var server: RunningProgram
    private(set) var apiPort = 0
    let account: String
    let key: String
    /// DNS names and TXT values of the domain's DKIM keys.
    let dkimKeys: [String: String]
    /// The sluice of the server and of commands; another one's after ``handOver(to:of:)``.
    private var program: String
    private let data: [String]
    private let serveArguments: [String]
    private let launcher: [String]
    private let environment: [String: String]

    /// - Parameters:
    ///   - route: where all mail goes, `smtp://…`; nil for the recipients' own hosts.
    ///   - credits: the account's.
    ///   - trustsDomains: registered domains count as proven.
    ///   - databaseURL: a PostgreSQL of its own to use instead of the private one.
    ///   - launcher: a command that runs the server, such as one that sets limits.
    ///   - program: a sluice of another version.
    init(
        directory: TemporaryDirectory, route: String?, credits: Int, serve: [String] = [], ed25519: Bool = false,
        trustsDomains: Bool = true, databaseURL: String? = nil, launcher: [String] = [],
        program: String = Programs.sluice
    ) throws {
        self.directory = directory
        self.program = program
        self.launcher = launcher
        environment = trustsDomains ? ["SLUICE_TRUST_DOMAINS": "true"] : [:]
        data = ["--data", directory.path + "/data"] + (databaseURL.map { ["--database-url", $0] } ?? [])
        serveArguments =
            [
                "serve", "--http", "127.0.0.1:0", "--node", "test", "--helo", "mail.example.com", "--retry-base", "1",
                "--retry-maximum", "1",
                "--public-url", "https://mail.example.com", "--results-for", "0",
                // Tests look twice a second and more.
                "--requests-per-minute", "0",
            ] + (trustsDomains ? ["--trust-domains"] : []) + (route.map { ["--route", $0] } ?? []) + serve + data
        if databaseURL == nil { try PreparedData.copy(to: directory.path + "/data") }
        server = try Self.start(launcher, program, serveArguments, directory)
        apiPort = try server.readPort()

        struct Account: Decodable {
            let account: Int
            let key: String
        }
        let created = try JSONDecoder().decode(
            Account.self,
            from: Data(
                Programs.run(
                    program, ["account", "create", "tester", "--credits", "\(credits)", "--json"] + data
                ).utf8))
        account = String(created.account)
        key = created.key
        struct Domain: Decodable {
            let records: [Record]
            struct Record: Decodable {
                let name, type, value: String
            }
        }
        let added = try JSONDecoder().decode(
            Domain.self,
            from: Data(
                Programs.run(
                    program,
                    ["domain", "add", domain, "--account", account, "--json"] + (ed25519 ? ["--ed25519"] : []) + data
                ).utf8))
        dkimKeys = Dictionary(
            uniqueKeysWithValues: added.records.filter { $0.name.contains("._domainkey.") }.map { ($0.name, $0.value) })
        try JSONEncoder().encode(dkimKeys).write(to: URL(fileURLWithPath: directory.path + "/dkim-keys.json"))
    }

    private static func start(
        _ launcher: [String], _ program: String, _ arguments: [String], _ directory: TemporaryDirectory,
        log: String = "serve"
    ) throws -> RunningProgram {
        // The threads of concurrent code block signals, and programs inherit that; a server is to get its own.
        let command = ["--default-signal"] + launcher + [program] + arguments
        return try RunningProgram("/usr/bin/env", command, log: "\(directory.path)/\(log).log")
    }

    /// Starts another node on the same database; later arguments overrule the first node's.
    ///
    /// - Parameter program: a sluice of another version.
    func startNode(
        _ name: String, roles: String = "delivery", _ arguments: [String] = [], program: String = Programs.sluice
    ) throws -> RunningProgram {
        let own = ["--node", name, "--roles", roles] + arguments
        let flags = Set(own.filter { $0.hasPrefix("--") })
        var shared: [String] = []
        var skips = false
        for argument in serveArguments {
            if skips {
                skips = false
            } else if flags.contains(argument) {
                skips = true
            } else {
                shared.append(argument)
            }
        }
        return try Self.start([], program, shared + own, directory, log: name)
    }

    /// Starts the server again after it was killed.
    func restart() throws {
        server = try Self.start(launcher, program, serveArguments, directory)
        apiPort = try server.readPort()
    }

    /// Asks the server to stop; a node that answers the API takes its place, and commands are its version's.
    ///
    /// - Returns: what the first one printed since its start.
    @discardableResult
    func handOver(to node: RunningProgram, of program: String) throws -> String {
        apiPort = try node.readPort()
        let former = server
        (server, self.program) = (node, program)
        return former.terminate()
    }

    /// Ends the server and its private database at once, for installations that nobody needs any more.
    func killWithDatabase() {
        server.kill9()
        guard let postmaster = try? ServerProcesses.postmaster(directory.path + "/data/postgres") else { return }
        kill(postmaster, SIGQUIT)
    }

    /// Runs `sluice` with this installation's data.
    ///
    /// - Parameter other: another version's, in place of the server's own.
    @discardableResult
    func sluice(_ arguments: String..., of other: String? = nil, expecting status: Int32 = 0) throws -> String {
        try Programs.run(other ?? program, arguments + data, environment: environment, expecting: status)
    }

    /// Submits a campaign with `sluice send` and gives its id.
    ///
    /// - Parameter key: in place of the account's first.
    func send(
        subject: String, html: String? = nil, text: String? = nil, recipients: String, from: String? = nil,
        csv: Bool = false, options: [String] = [], key: String? = nil
    ) throws -> String {
        var arguments = [
            "send", "--detach", "--subject", subject, "--from", from ?? "City Library <library@\(domain)>",
        ]
        arguments += options
        let unique = String(UInt32.random(in: 0 ..< .max), radix: 36)
        func file(_ name: String, _ content: String) throws -> String {
            let path = "\(directory.path)/\(unique)-\(name)"
            try content.write(toFile: path, atomically: false, encoding: .utf8)
            return path
        }
        if let html { arguments += ["--html", try file("mail.html", html)] }
        if let text { arguments += ["--text", try file("mail.txt", text)] }
        arguments += ["--recipients", try file(csv ? "recipients.csv" : "recipients.ndjson", recipients)]
        let output = try Programs.run(
            program, arguments,
            environment: ["SLUICE_KEY": key ?? self.key, "SLUICE_URL": "http://127.0.0.1:\(apiPort)"])
        return output.split(separator: "\n").last.map(String.init) ?? ""
    }

    /// The campaign as the API tells it.
    struct Status: Decodable {
        let state: String
        let counters: [String: Int]
        let credits: Credits
        let purgedAt: String?

        struct Credits: Decodable {
            let held, charged, released, refunded: Int
        }

        enum CodingKeys: String, CodingKey {
            case state, counters, credits
            case purgedAt = "purged_at"
        }

        subscript(counter: String) -> Int { counters[counter] ?? 0 }

        /// All counters but the total and the one that counts copies.
        var sum: Int {
            counters.filter { $0.key != "recipients" && $0.key != "in_doubt_resent" }.values.reduce(0, +)
        }
    }

    func status(_ campaign: String) throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(get("/v1/campaigns/\(campaign)").utf8))
    }

    func get(_ path: String, key: String? = nil) throws -> String {
        try Programs.run(
            "/usr/bin/env",
            [
                "curl", "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(key ?? self.key)",
                "http://127.0.0.1:\(apiPort)\(path)",
            ])
    }

    /// Waits for the end of a campaign.
    ///
    /// - Throws: when it takes longer than `seconds`.
    func wait(for campaign: String, seconds: Double) async throws -> Status {
        let end = ContinuousClock.now + .milliseconds(Int64(seconds * 1_000))
        while true {
            let status = try status(campaign)
            if status.purgedAt != nil { return status }
            guard ContinuousClock.now < end else {
                throw ProgramFailure(
                    program: "sluice", arguments: [campaign],
                    finished: .init(status: -1, output: "\(status)", errors: "the campaign did not end in time"))
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
