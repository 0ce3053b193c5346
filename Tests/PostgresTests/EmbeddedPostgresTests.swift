import Glibc
import Logging
import Synchronization
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

/// The private server as users meet it: durable, in a data directory, shared by processes. Each `open` here takes locks
/// of its own, as another process would.
@Suite(.serialized)
struct EmbeddedPostgresTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func open(_ path: String, _ role: EmbeddedPostgres.Role) async throws -> EmbeddedPostgres {
        try await EmbeddedPostgres.open(dataDirectory: path, role: role, logger: logger)
    }

    private func processes(on path: String) -> Postmaster? { Postmaster.running(on: path + "/postgres") }

    /// A data directory that is removed afterwards, with whatever runs on it.
    private func withDataDirectory(_ body: (String) async throws -> Void) async throws {
        var template = Array((P_tmpdir + "/sluice-data-XXXXXX").utf8CString)
        try #require(mkdtemp(&template) != nil)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            processes(on: path)?.stop()
            FileSystem.removeTree(path)
        }
        try await body(path)
    }

    @Test func `it starts durable, refuses a second server, and leaves no process`() async throws {
        try await withDataDirectory { path in
            let first = try await open(path, .server)
            #expect(!first.wasAdopted)
            let connection = try await PostgresConnection.connect(first.endpoint.administration())
            for (setting, expected) in [
                ("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"), ("data_checksums", "on"),
                ("listen_addresses", ""), ("jit", "off"), ("shared_preload_libraries", "plpgsql"),
                ("wal_compression", "pglz"), ("server_encoding", "UTF8"),
                ("lc_collate", "C.UTF-8"), ("log_error_verbosity", "terse"),
            ] {
                let value = try await connection.query("SELECT current_setting(\(setting))").only.decode(String.self)
                #expect(value == expected, "\(setting)")
            }
            let running = try #require(processes(on: path))
            // Ctrl-C in the terminal goes to our process group and session, and not to the server's.
            #expect(getsid(running.processID) == running.processID)
            #expect(FileSystem.status(path + "/postgres").map { $0.st_mode & 0o777 } == 0o700)
            if geteuid() == 0 { #expect(FileSystem.status(path + "/postgres").map { $0.st_uid != 0 } == true) }

            let error = await #expect(throws: EmbeddedPostgresError.self) { try await open(path, .server) }
            #expect(error?.code == .alreadyRunning(processID: getpid()))
            #expect(error.map { "\($0)".contains("\(getpid())") } == true)
            #expect(try await connection.query("SELECT 1").count == 1)
            await connection.close()

            await first.stop()
            await first.stop()
            #expect(!running.isAlive)
            #expect(processes(on: path) == nil)

            // The data are there after a restart.
            let again = try await open(path, .server)
            #expect(try await PostgresConnection.connect(again.endpoint.administration()).isOpen)
            await again.stop()
        }
    }

    @Test func `the server keeps no descriptor of the process that started it`() async throws {
        try await withDataDirectory { path in
            // Unlike ours, these are not marked to be closed in children, as those of other libraries are not.
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(bitPattern: SOCK_STREAM.rawValue), 0, &ends) == 0)
            defer { close(ends[0]) }
            let embedded = try await open(path, .client)
            close(ends[1])
            // With no other copy of the far end, this one is at its end.
            var poll = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            #expect(Glibc.poll(&poll, 1, 0) == 1)
            await embedded.stop()
        }
    }

    @Test func `a cluster that a killed run left behind is taken over and stopped at the end`() async throws {
        try await withDataDirectory { path in
            var killed: EmbeddedPostgres? = try await open(path, .server)
            let connection = try await PostgresConnection.connect(
                #require(killed).endpoint.administration())
            try await connection.execute(script: "CREATE TABLE kept AS SELECT 42 AS id")
            let left = try #require(processes(on: path))
            killed = nil
            #expect(left.isAlive)

            let heir = try await open(path, .server)
            #expect(heir.wasAdopted)
            #expect(processes(on: path) == left)
            #expect(try await connection.query("SELECT id FROM kept").only.decode(Int.self) == 42)
            await heir.stop()
            #expect(!left.isAlive)
        }
    }

    @Test func `the last user stops it, whoever started it`() async throws {
        try await withDataDirectory { path in
            let command = try await open(path, .client)
            let server = try await open(path, .server)
            #expect(!command.wasAdopted)
            #expect(server.wasAdopted)
            let running = try #require(processes(on: path))
            await command.stop()
            #expect(running.isAlive)
            let another = try await open(path, .client)
            #expect(another.wasAdopted)
            await server.stop()
            #expect(running.isAlive)
            await another.stop()
            #expect(!running.isAlive)

            let alone = try await open(path, .client)
            #expect(!alone.wasAdopted)
            await alone.stop()
            #expect(processes(on: path) == nil)
        }
    }

    @Test func `commands that come and go at once agree`() async throws {
        try await withDataDirectory { path in
            try await withThrowingTaskGroup { group in
                for _ in 0..<6 {
                    group.addTask {
                        let embedded = try await open(path, .client)
                        let connection = try await PostgresConnection.connect(embedded.endpoint.administration())
                        #expect(try await connection.query("SELECT 1").count == 1)
                        await connection.close()
                        await embedded.stop()
                    }
                }
                try await group.waitForAll()
            }
            #expect(processes(on: path) == nil)
        }
    }

    @Test func `the pool recovers after kill -9 of the server`() async throws {
        try await withDataDirectory { path in
            let embedded = try await open(path, .server)
            let pool = PostgresPool(configuration: embedded.endpoint.administration(), logger: logger)
            var notifications = pool.listen("work").makeAsyncIterator()
            #expect(await notifications.next() == .reconnected)
            try await pool.withConnection { connection in
                try await connection.execute(script: "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
                _ = try await pool.query("SELECT 1")
            }
            let old = try #require(processes(on: path))
            let interrupted = Task { try await pool.query("SELECT pg_sleep(600)") }
            try await eventually {
                try await pool.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").count == 1
            }
            kill(old.processID, SIGKILL)
            let error = await #expect(throws: PostgresError.self) { try await interrupted.value }
            #expect(error?.kind == .connectionLost)

            // The supervisor starts it again; the pool waits for that, and so does the listener. Until processes of the
            // old server have noticed its end, statements may still reach them and be lost.
            try await eventually { processes(on: path).map { $0 != old } == true }
            try await eventually { (try? await pool.query("SELECT id FROM kept").only.decode(Int.self)) == 1 }
            #expect(await notifications.next() == .reconnected)
            let new = try #require(processes(on: path))
            #expect(new.processID != old.processID)
            await pool.close()
            await embedded.stop()
            #expect(!new.isAlive)
        }
    }

    @Test func `a creation that was interrupted is begun anew`() async throws {
        try await withDataDirectory { path in
            mkdir(path + "/postgres.new", 0o700)
            mkdir(path + "/postgres.new/base", 0o700)
            let embedded = try await open(path, .client)
            await embedded.stop()
            #expect(FileSystem.exists(path + "/postgres/PG_VERSION"))
            #expect(!FileSystem.exists(path + "/postgres.new"))
        }
    }

    @Test func `a folder that is no cluster is left alone`() async throws {
        try await withDataDirectory { path in
            mkdir(path + "/postgres", 0o700)
            mkdir(path + "/postgres/precious", 0o700)
            let error = await #expect(throws: EmbeddedPostgresError.self) { try await open(path, .server) }
            #expect(error?.code == .directory)
            #expect(FileSystem.exists(path + "/postgres/precious"))
        }
    }

    @Test func `a data directory with a long path works`() async throws {
        try await withDataDirectory { path in
            chmod(path, 0o711)
            let long = path + "/" + String(repeating: "long", count: 30)
            let embedded = try await open(long, .client)
            #expect(!embedded.endpoint.socketDirectory.hasPrefix(path))
            #expect(FileSystem.status(embedded.endpoint.socketDirectory).map { $0.st_mode & 0o777 } == 0o700)
            #expect(try await PostgresConnection.connect(embedded.endpoint.administration()).isOpen)
            await embedded.stop()
            #expect(processes(on: long) == nil)
            FileSystem.removeTree(embedded.endpoint.socketDirectory)
        }
    }

    @Test func `a cluster of another user is run as that user`() async throws {
        guard geteuid() == 0 else {
            print("skipped: only root can run a server as another user")
            return
        }
        try await withDataDirectory { path in
            var users: [uid_t] = []
            for environment in [["SLUICE_POSTGRES_USER": "nobody"], [:]] {
                let embedded = try await EmbeddedPostgres.open(
                    dataDirectory: path, role: .client, environment: environment, logger: logger)
                let running = try #require(processes(on: path))
                users += FileSystem.status("/proc/\(running.processID)").map { [$0.st_uid] } ?? []
                await embedded.stop()
            }
            #expect(users.count == 2 && users[0] == users[1] && users[0] != 0)
            let error = await #expect(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.open(
                    dataDirectory: path + "/other", role: .client,
                    environment: ["SLUICE_POSTGRES_USER": "no such user"], logger: logger)
            }
            #expect(error?.code == .noUser)
        }
    }

    @Test func `programs that are missing are named`() async throws {
        try await withDataDirectory { path in
            let error = await #expect(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.open(
                    dataDirectory: path, role: .client, environment: ["SLUICE_POSTGRES_BIN": "/nowhere"],
                    logger: logger)
            }
            #expect(error?.code == .notInstalled)
        }
    }

    @Test func `a folder closed to the server's user is refused with a reason`() async throws {
        guard geteuid() == 0 else {
            print("skipped: the server's user differs from ours only when tests run as root")
            return
        }
        try await withDataDirectory { path in
            chmod(path, 0o700)
            let error = await #expect(throws: EmbeddedPostgresError.self) { try await open(path + "/inside", .server) }
            #expect(error?.code == .directory)
            #expect(error.map { "\($0)".contains("cannot reach") } == true)
        }
    }

    @Test func `databases are made with two roles`() async throws {
        try await withDataDirectory { path in
            let databases = try await Databases.open(
                .init(environment: [:], dataDirectory: path, role: .server), logger: logger)
            for (access, name) in [(databases.records, "sluice"), (databases.vault, "sluice_vault")] {
                let owner = try await PostgresConnection.connect(access.owner)
                let app = try await PostgresConnection.connect(access.app)
                let who: SQL = "SELECT current_database()::text, current_user::text"
                #expect(try await owner.query(who).only.decode(String.self, String.self) == (name, "sluice_owner"))
                #expect(try await app.query(who).only.decode(String.self, String.self) == (name, "sluice_app"))
                try await owner.execute(script: "CREATE TABLE owned (id int)")
                await #expect(throws: PostgresError.self) { try await app.query("DROP TABLE owned") }
                await #expect(throws: PostgresError.self) { try await app.query("CREATE TABLE mine (id int)") }
                await owner.close()
                await app.close()
            }
            await databases.close()
            #expect(processes(on: path) == nil)
        }
    }
}
