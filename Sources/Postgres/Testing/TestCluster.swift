import Glibc
import Synchronization

/// The server that the tests of one process share. Not durable, and gone with the process, however that ends: a shell
/// waits for the end of file on a socket that only this process holds, then stops the server and removes its folder.
final class TestCluster: Sendable {
    let endpoint: ServerEndpoint
    /// Keeps the shell waiting as long as this process lives.
    private let lifeline: Int32
    private let directory: String

    private init(endpoint: ServerEndpoint, lifeline: Int32, directory: String) {
        self.endpoint = endpoint
        self.lifeline = lifeline
        self.directory = directory
    }

    private static let starting = Mutex<Task<TestCluster, any Error>?>(nil)

    /// The cluster of this process, started on first use.
    static func shared() async throws -> TestCluster {
        let task = starting.withLock { task in
            if let task { return task }
            let new = Task {
                let cluster = try await offCooperativeThreads {
                    Result { () throws(EmbeddedPostgresError) in try start() }
                }.get()
                let administrator = try await PostgresConnection.connect(cluster.endpoint.administration())
                for role in [Databases.ownerRole, Databases.appRole] {
                    try await DatabaseRoles.createRole(role, canLogIn: true, on: administrator)
                }
                await administrator.close()
                return cluster
            }
            task = new
            return new
        }
        return try await task.value
    }

    /// Creates and starts the server; blocks for a second or two.
    private static func start() throws(EmbeddedPostgresError) -> TestCluster {
        let environment = ProcessEnvironment.current
        let installation = try PostgresInstallation.find(environment: environment)
        let account = try ServerAccount.current(environment: environment)
        let directory = try makeDirectory(account)
        let data = directory + "/data"
        let log = directory + "/log"
        let endpoint = ServerEndpoint(socketDirectory: directory)
        let settings = ServerSettings(isDurable: false, maximumConnections: 400, socketDirectory: directory)

        guard let pair = SocketPair() else { throw FileSystem.failure("cannot make a socket") }
        defer { Glibc.close(pair.reader) }
        let script = """
            initdb=$1; server=$2; data=$3; log=$4; directory=$5; settings=$6
            "$initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync --no-instructions \
                >"$log" 2>&1 || exit 1
            printf '%s' "$settings" >"$data/postgresql.conf"
            "$server" -D "$data" >>"$log" 2>&1 </dev/null &
            child=$!
            read -r _
            kill -QUIT $child
            wait $child
            rm -rf "$directory"
            """
        let command = account.command([
            "sh", "-c", script, "sh", installation.initdb, installation.server, data, log, directory, settings.text,
        ])
        guard let shell = ChildProcess.start(command, streams: .init(input: pair.reader)) else {
            Glibc.close(pair.writer)
            throw EmbeddedPostgresError(.start, "cannot start a shell")
        }
        let cluster = TestCluster(endpoint: endpoint, lifeline: pair.writer, directory: directory)
        try cluster.awaitReadiness(shell: shell, log: log)
        return cluster
    }

    /// A short path, because a socket's is limited to 107 octets.
    private static func makeDirectory(_ account: ServerAccount) throws(EmbeddedPostgresError) -> String {
        var template = Array((P_tmpdir + "/sluice-XXXXXX").utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) } != nil
        }
        guard made else { throw FileSystem.failure("cannot create a temporary folder") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try account.own(path)
        return path
    }

    private func awaitReadiness(shell: pid_t, log: String) throws(EmbeddedPostgresError) {
        for _ in 0..<1200 {
            if endpoint.answer == .accepting { return }
            if ChildProcess.poll(shell) != nil { break }
            usleep(25_000)
        }
        let text = FileSystem.read(log) ?? ""
        Glibc.close(lifeline)
        FileSystem.removeTree(directory)
        throw EmbeddedPostgresError(.start, "the test server did not start: \(text.suffix(500))")
    }
}
