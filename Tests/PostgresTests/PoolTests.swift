import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

struct PoolTests {
    private func pool(_ change: (inout PostgresConfiguration) -> Void) async throws -> PostgresPool {
        var configuration = try await Shared.database().configuration()
        change(&configuration)
        return PostgresPool(configuration: configuration, logger: Logger(label: "test"))
    }

    @Test func `never more connections than allowed, and all are used`() async throws {
        let pool = try await pool { $0.maximumConnections = 3 }
        let now = Locked((current: 0, most: 0))
        try await withThrowingTaskGroup { group in
            for _ in 0..<40 {
                group.addTask {
                    try await pool.withConnection { connection in
                        now.withLock {
                            $0.current += 1
                            $0.most = max($0.most, $0.current)
                        }
                        try await connection.query("SELECT pg_sleep(0.005)")
                        now.withLock { $0.current -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(now.withLock(\.most) == 3)
        #expect(pool.usage == (3, 3, 0))
        await pool.close()
        #expect(pool.usage.open == 0)
    }

    @Test func `who waits is served in order`() async throws {
        let pool = try await pool { $0.maximumConnections = 1 }
        let order = Locked<[Int]>([])
        let tasks = try await pool.withConnection { _ in
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<10 {
                tasks.append(
                    Task { try await pool.withConnection { _ in order.withLock { $0.append(number) } } })
                try await eventually { pool.usage.waiting == number + 1 }
            }
            return tasks
        }
        for task in tasks { try await task.value }
        #expect(order.withLock(\.self) == Array(0..<10))
    }

    @Test(.timeLimit(.minutes(1))) func `waiting ends with a clear error`() async throws {
        let pool = try await pool {
            $0.maximumConnections = 1
            $0.acquireTimeout = .milliseconds(50)
        }
        try await pool.withConnection { _ in
            let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(error?.kind == .poolTimeout)
            #expect(pool.usage.waiting == 0)
        }
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test func `a cancelled task stops waiting and costs no connection`() async throws {
        let pool = try await pool { $0.maximumConnections = 1 }
        try await pool.withConnection { _ in
            let task = Task { try await pool.query("SELECT 1") }
            try await eventually { pool.usage.waiting == 1 }
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
        }
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.usage == (1, 1, 0))
    }

    @Test func `a transaction that a closure left open is rolled back`() async throws {
        let pool = try await pool { $0.maximumConnections = 1 }
        try await pool.withConnection { connection in
            try await connection.query("BEGIN")
            try await connection.query("CREATE TEMPORARY TABLE left_open (id int)")
        }
        let rows = try await pool.query("SELECT to_regclass('pg_temp.left_open') IS NULL")
        #expect(try rows.only.decode(Bool.self))
    }

    @Test func `a closed pool refuses`() async throws {
        let pool = try await pool { _ in }
        try await pool.query("SELECT 1")
        await pool.close()
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(error?.kind == .closed)
    }

    @Test func `connections that the server has ended are replaced unseen`() async throws {
        let pool = try await pool {
            $0.maximumConnections = 2
            $0.applicationName = "to be ended"
        }
        try await pool.withConnection { connection in _ = try await pool.query("SELECT 1") }
        let database = try await Shared.database()
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        let ended = try await administrator.query(
            """
            SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'to be ended'
            """)
        #expect(try ended.only.decode(Int.self) > 0)
        for _ in 0..<5 { #expect(try await pool.query("SELECT 1").count == 1) }
    }

    @Test func `a connection lost in use is an error, and the next one is new`() async throws {
        let pool = try await pool { $0.maximumConnections = 1 }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.query("SELECT pg_terminate_backend(pg_backend_pid())")
        }
        #expect(error?.kind == .connectionLost)
        #expect(try await pool.query("SELECT 1").count == 1)
    }

    @Test(arguments: [true, false])
    func `a filled pool has all its connections, each rehearsed, of which nothing stays`(_ ends: Bool) async throws {
        let name = "rehearsed_\(ends)"
        let owner = try await Shared.database().owner
        try await owner.withConnection {
            try await $0.execute(
                script: """
                    DROP TABLE IF EXISTS \(name); CREATE TABLE \(name) (id serial);
                    GRANT ALL ON \(name), \(name)_id_seq TO sluice_app
                    """)
        }
        let pool = try await pool {
            $0.maximumConnections = 3
            $0.rehearsal = "INSERT INTO \(name) DEFAULT VALUES;" + (ends ? "" : "SELECT 1/0;")
        }
        try await pool.fill()
        #expect(pool.usage == (3, 3, 0))
        let seen = try await pool.query("SELECT count(*) FROM \(unescaped: name)").only.decode(Int.self)
        // A sequence goes on whatever becomes of the transaction.
        let last = try await pool.query("SELECT last_value FROM \(unescaped: name)_id_seq").only.decode(Int.self)
        #expect((seen, last) == (0, 3))
        #expect(pool.usage == (3, 3, 0))
        await pool.close()
    }

    @Test func `a role is assumed, and statements are limited in time`() async throws {
        let database = try await Shared.database()
        var configuration = database.configuration(role: "postgres")
        configuration.role = Databases.appRole
        configuration.limits.statement = .milliseconds(50)
        let pool = PostgresPool(configuration: configuration, logger: Logger(label: "test"))
        let row = try await pool.query("SELECT current_user::text, session_user::text").only
        #expect(try row.decode(String.self, String.self) == ("sluice_app", "postgres"))
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT pg_sleep(60)") }
        #expect(error?.sqlState == .queryCanceled)
        #expect(error?.kind == .server)
    }
}
