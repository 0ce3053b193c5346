import Glibc

/// Creating and starting a cluster's server. The caller holds `lock.control`. Blocks.
struct EmbeddedCluster: Sendable {
    let directory: DataDirectory
    let account: ServerAccount
    let environment: [String: String]

    /// Crash recovery replays at most some gigabytes of log.
    private static let recoverySeconds = 600
    /// How long a server may say nothing at all.
    private static let silenceSeconds = 60

    var running: Postmaster? { Postmaster.running(on: directory.cluster) }

    /// The running server, once it takes connections; nil if none runs. One that is shutting down is waited for.
    func adopt() throws(EmbeddedPostgresError) -> Postmaster? {
        guard let found = running else { return nil }
        return try awaitConnections(of: found.processID) ? running : nil
    }

    func start() throws(EmbeddedPostgresError) -> Postmaster {
        let version = try directory.clusterVersion()
        let installation = try PostgresInstallation.find(environment: environment, majorVersion: version)
        if version == nil { try directory.createCluster(installation, account) }
        try writeSettings()
        // Processes of a killed server need a moment to notice; until then a new one refuses to start.
        for attempt in 0..<10 {
            if attempt > 0 { usleep(500_000) }
            let process = try launch(installation)
            if try awaitConnections(of: process), let postmaster = running { return postmaster }
        }
        throw EmbeddedPostgresError(.start, "PostgreSQL did not start; see \(directory.log)\(lastWords)")
    }

    private func writeSettings() throws(EmbeddedPostgresError) {
        let settings = ServerSettings(
            isDurable: true, maximumConnections: 100,
            socketDirectory: try directory.socketDirectory(account, environment: environment))
        let path = directory.cluster + "/postgresql.conf"
        try FileSystem.write(settings.text, to: path, mode: 0o600)
        try account.own(path)
    }

    private func launch(_ installation: PostgresInstallation) throws(EmbeddedPostgresError) -> pid_t {
        let log = try directory.openLog()
        defer { Glibc.close(log) }
        let command = account.command([installation.server, "-D", directory.cluster])
        guard let process = ChildProcess.start(command, streams: .init(output: log, error: log)) else {
            throw EmbeddedPostgresError(.start, "cannot start \(installation.server): \(FileSystem.lastError)")
        }
        return process
    }

    /// - Returns: false if the process has ended.
    private func awaitConnections(of process: pid_t) throws(EmbeddedPostgresError) -> Bool {
        var silence = 0
        for _ in 0..<Self.recoverySeconds * 20 {
            if let postmaster = running, postmaster.processID == process {
                switch ServerEndpoint(socketDirectory: postmaster.socketDirectory).answer {
                case .accepting: return true
                case .rejecting: silence = 0
                case .none: silence += 1
                }
            } else {
                if !isAlive(process) { return false }
                silence += 1
            }
            guard silence < Self.silenceSeconds * 20 else { break }
            usleep(50_000)
        }
        throw EmbeddedPostgresError(
            .start, "PostgreSQL (process \(process)) takes no connections; see \(directory.log)\(lastWords)")
    }

    private func isAlive(_ process: pid_t) -> Bool {
        Postmaster(processID: process, socketDirectory: "").isAlive
    }

    /// The last fatal line of the log, which holds no values of rows.
    private var lastWords: String {
        let lines = (FileSystem.read(directory.log, limit: 32 << 20) ?? "").split(separator: "\n")
        guard let line = lines.last(where: { $0.contains("FATAL") || $0.contains("PANIC") }) else { return "" }
        return ": \(line)"
    }
}
