import Foundation

/// A PostgreSQL server as an operator has it: durable, on a port of 127.0.0.1, under an unprivileged user.
final class ExternalPostgres {
    let port: Int
    private let directory: TemporaryDirectory
    private let folder: String
    private let binaries: String
    private let settings: [String]
    private let launcher: [String]
    private var script: HeldScript?
    private var starts = 0

    /// - Parameters:
    ///   - settings: of PostgreSQL, as `name=value`, over those of an operator with sense.
    ///   - address: one more on which it listens, for all who reach it.
    ///   - launcher: a command that runs the server.
    init(settings: [String] = [], address: String? = nil, launcher: [String] = []) throws {
        self.launcher = launcher
        self.settings =
            [
                "listen_addresses=127.0.0.1" + (address.map { "," + $0 } ?? ""), "max_connections=200",
                "log_min_messages=log",
            ] + settings
        directory = try TemporaryDirectory()
        binaries = try SQLConsole.binaries()
        port = try LoopbackPort.free()
        folder = directory.path + "/postgres"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if geteuid() == 0 { try Programs.run("/bin/chown", ["postgres", folder]) }
        try Programs.run(
            "/usr/bin/env",
            Self.asServerUser + [
                binaries + "/initdb", "-D", folder + "/data", "-U", "postgres", "--auth=trust", "--no-sync",
                "-E", "UTF8", "--locale=C.UTF-8",
            ])
        if address != nil {
            let access = FileHandle(forWritingAtPath: folder + "/data/pg_hba.conf")
            try access?.seekToEnd()
            try access?.write(contentsOf: Data("host all all samenet trust\n".utf8))
        }
        try start()
    }

    private static var asServerUser: [String] {
        geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    }

    var console: SQLConsole { SQLConsole(host: "127.0.0.1", port: port, binaries: binaries) }

    func url(address: String = "127.0.0.1", port: Int? = nil) -> String {
        "postgresql://postgres@\(address):\(port ?? self.port)/sluice"
    }

    func start() throws {
        starts += 1
        let server =
            Self.asServerUser + launcher + [
                binaries + "/postgres", "-D", folder + "/data", "-p", "\(port)", "-k", folder,
            ] + settings.flatMap { ["-c", $0] }
        // The FIFO that the script waits for is its last argument.
        script = try HeldScript(
            #"""
            pid=$1/postmaster.pid; shift; command=
            while [ $# -gt 1 ]; do command="$command '$1'"; shift; done
            cd /; eval "$command" & cat "$1"; kill -INT $(head -n 1 "$pid"); wait
            """#, [folder + "/data"] + server, log: "\(folder)-\(starts).log")
        let end = ContinuousClock.now + .seconds(60)
        while try Programs.finish(binaries + "/pg_isready", ["-q", "-h", "127.0.0.1", "-p", "\(port)"]).status != 0 {
            guard ContinuousClock.now < end else { throw CocoaError(.executableLoad) }
            usleep(50_000)
        }
    }

    /// Kills the server and all its processes at one stroke, as the loss of its machine would.
    func kill9() throws {
        try ServerProcesses.kill9(dataFolder: folder + "/data")
        script?.end()
        script = nil
    }

    func stop() {
        script?.end()
        script = nil
    }

    deinit { stop() }
}

/// Processes of a PostgreSQL server, found by the file that it keeps in its data folder.
enum ServerProcesses {
    static func postmaster(_ dataFolder: String) throws -> pid_t {
        let text = try String(contentsOfFile: dataFolder + "/postmaster.pid", encoding: .utf8)
        guard let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }), pid > 1 else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return pid
    }

    static func kill9(dataFolder: String) throws {
        let postmaster = try postmaster(dataFolder)
        let children = try Programs.finish("/usr/bin/env", ["pgrep", "-P", "\(postmaster)"]).output
            .split(separator: "\n").compactMap { pid_t($0) }
        kill(postmaster, SIGKILL)
        for child in children { kill(child, SIGKILL) }
        while kill(postmaster, 0) == 0, try !isZombie(postmaster) { usleep(10_000) }
    }

    private static func isZombie(_ process: pid_t) throws -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return text.contains(") Z ")
    }
}

/// SQL by psql, past all code of Sluice.
struct SQLConsole {
    let host: String
    let port: Int
    var binaries: String
    var database = "sluice"

    static func binaries() throws -> String {
        try Programs.run("/usr/bin/env", ["pg_config", "--bindir"]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The private server of an installation.
    init(_ installation: Installation) throws {
        self.init(host: try PrivateDatabase(installation).socketDirectory, port: 5432, binaries: try Self.binaries())
    }

    init(host: String, port: Int, binaries: String) {
        self.host = host
        self.port = port
        self.binaries = binaries
    }

    func rows(_ sql: String) throws -> [[String]] {
        try Programs.run(
            binaries + "/psql",
            [
                "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", "\(port)", "-U", "postgres", "-d",
                database, "-AtF", "\t", "-c", sql,
            ]
        ).split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }

    /// The numbers of the only row.
    func numbers(_ sql: String) throws -> [Int] { try rows(sql).first?.compactMap { Int($0) } ?? [] }

    func number(_ sql: String) throws -> Int { try numbers(sql).first ?? 0 }
}
