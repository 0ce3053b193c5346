import Foundation
import Postgres
import Synchronization

/// The server that the tests of one process share. Not durable, and gone with the process, however that ends: a shell
/// waits for the end of file on a socket that only this process holds, then stops the server and removes its folder.
/// The server's log stays, for a day: `.build/test-logs/postgres-PID.log`.
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
                let cluster = try await offCooperativeThreads { Result { try start() } }.get()
                let administrator = try await PostgresConnection.connect(cluster.endpoint.administration())
                try await DatabaseRoles.createAll(on: administrator)
                await administrator.close()
                return cluster
            }
            task = new
            return new
        }
        return try await task.value
    }

    /// Creates and starts the server; blocks for a second or two.
    private static func start() throws -> TestCluster {
        let environment = ProcessEnvironment.current
        let installation = try PostgresInstallation.find(environment: environment)
        let account = try ServerAccount.current(environment: environment)
        let directory = try makeDirectory(account)
        let log = try TestLog.make()
        defer { log.close() }
        let endpoint = ServerEndpoint(socketDirectory: directory)
        let settings = ServerSettings(isDurable: false, maximumConnections: 400, socketDirectory: directory)

        guard let pair = SocketPair() else { throw EmbeddedPostgresError(.start, "cannot make a socket") }
        defer { close(pair.reader) }
        let script = """
            initdb=$1; server=$2; data=$3; directory=$4; settings=$5
            "$initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync --no-instructions || exit 1
            printf '%s' "$settings" >"$data/postgresql.conf"
            "$server" -D "$data" </dev/null &
            child=$!
            read -r _
            kill -QUIT $child
            wait $child
            rm -rf "$directory"
            """
        let command = account.command([
            "sh", "-c", script, "sh", installation.initdb, installation.server, directory + "/data", directory,
            settings.text,
        ])
        let streams = ChildProcess.Streams(input: pair.reader, output: log.descriptor, error: log.descriptor)
        guard let shell = ChildProcess.start(command, streams: streams) else {
            close(pair.writer)
            throw EmbeddedPostgresError(.start, "cannot start a shell")
        }
        let cluster = TestCluster(endpoint: endpoint, lifeline: pair.writer, directory: directory)
        try cluster.awaitReadiness(shell: shell, log: log)
        return cluster
    }

    /// A short path, because a socket's is limited to 107 octets.
    private static func makeDirectory(_ account: ServerAccount) throws -> String {
        var template = Array((P_tmpdir + "/sluice-XXXXXX").utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) } != nil
        }
        guard made else { throw EmbeddedPostgresError(.directory, "cannot create a temporary folder") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try account.own(path)
        return path
    }

    private func awaitReadiness(shell: pid_t, log: TestLog) throws {
        for _ in 0..<1200 {
            if endpoint.answer == .accepting { return }
            if ChildProcess.poll(shell) != nil { break }
            usleep(25_000)
        }
        close(lifeline)
        try? FileManager.default.removeItem(atPath: directory)
        throw EmbeddedPostgresError(.start, "the test server did not start: \(log.tail) (\(log.path))")
    }
}
