import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

struct StatementTests {
    private func connect(
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> PostgresConnection {
        var configuration = try await Shared.database().configuration()
        change(&configuration)
        return try await PostgresConnection.connect(configuration)
    }

    private func prepared(_ connection: PostgresConnection) async throws -> Int {
        try await connection.query("SELECT count(*) FROM pg_prepared_statements").only.decode(Int.self)
    }

    @Test func `a text is prepared once`() async throws {
        let connection = try await connect()
        let before = try await prepared(connection)
        for number in 0..<10 { try await connection.query("SELECT \(number)") }
        #expect(try await prepared(connection) == before + 1)
        // The same text with another type is another statement.
        #expect(try await connection.query("SELECT \("text")").only.decode(String.self) == "text")
        #expect(try await prepared(connection) == before + 2)
    }

    @Test func `the least recently used statements leave the server`() async throws {
        let connection = try await connect { $0.maximumStatements = 4 }
        for number in 0..<50 {
            try await connection.query("SELECT \(unescaped: "\(number)")")
            #expect(try await prepared(connection) <= 5)
        }
        #expect(try await prepared(connection) >= 4)
    }

    @Test func `statements that leave inside a transaction are freed after it`() async throws {
        let connection = try await connect { $0.maximumStatements = 2 }
        try await connection.withTransaction { connection in
            for number in 0..<20 { try await connection.query("SELECT \(unescaped: "\(number)")") }
        }
        #expect(try await prepared(connection) <= 3)
    }

    @Test func `a cache keeps what is used`() {
        var cache = StatementCache(capacity: 2)
        func key(_ text: String) -> StatementCache.Key { .init(text: text, types: []) }
        cache.insert(key("a"), name: "1")
        cache.insert(key("b"), name: "2")
        #expect(cache.name(for: key("a")) == "1")
        cache.insert(key("c"), name: "3")
        #expect(cache.name(for: key("b")) == nil)
        #expect(cache.name(for: key("a")) == "1")
        #expect(cache.takeEvicted() == ["2"])
        cache.forget(key("a"))
        #expect(cache.takeEvicted() == ["1"])
        #expect(cache.takeEvicted() == [])
        #expect(cache.count == 1)
    }

    @Test func `a changed table makes no error outside a transaction, and another try inside`() async throws {
        let database = try await TestDatabase.make(migrations: [
            Migration(
                version: 1, name: "table",
                sql: """
                    CREATE TABLE growing (id int);
                    INSERT INTO growing VALUES (1);
                    GRANT SELECT ON growing TO sluice_app
                    """)
        ])
        var configuration = database.configuration()
        configuration.maximumConnections = 1
        let pool = PostgresPool(configuration: configuration, logger: Logger(label: "test"))
        let statement: SQL = "SELECT * FROM growing WHERE id = \(1)"
        let row = try await pool.query(statement).only
        #expect(try row.decode(Int.self) == 1)
        try await database.owner.query("ALTER TABLE growing ADD second int")
        #expect(try await pool.query(statement).only.decode(Int.self, Int?.self) == (1, nil))
        try await database.owner.query("ALTER TABLE growing ADD third int")
        let inside = try await pool.withTransaction { connection in
            _ = try await connection.query("SELECT 1")
            return try await connection.query(statement).only
        }
        #expect(try inside.decode(Int.self, Int?.self, Int?.self) == (1, nil, nil))
    }

    @Test func `statements that the server has forgotten are prepared again`() async throws {
        let connection = try await connect()
        #expect(try await connection.query("SELECT \(1)").only.decode(Int.self) == 1)
        try await connection.execute(script: "DEALLOCATE ALL")
        #expect(try await connection.query("SELECT \(2)").only.decode(Int.self) == 2)
    }

    @Test func `cancelling a task stops its statement at the server`() async throws {
        let connection = try await connect { $0.applicationName = "sleeper" }
        let database = try await Shared.database()
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        func sleepers() async throws -> Int {
            try await administrator.query(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'sleeper' AND state = 'active' AND wait_event = 'PgSleep'
                """
            ).only.decode(Int.self)
        }
        for _ in 0..<5 {
            let task = Task { try await connection.query("SELECT pg_sleep(600)") }
            try await eventually { try await sleepers() == 1 }
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            try await eventually { try await sleepers() == 0 }
            // The next statement is not hit.
            #expect(try await connection.query("SELECT \(1)").only.decode(Int.self) == 1)
        }
    }

    @Test func `late cancellations never hit the next statement`() async throws {
        let connection = try await connect()
        for number in 0..<200 {
            let task = Task { try await connection.query("SELECT \(number)") }
            if number % 2 == 0 { await Task.yield() }
            task.cancel()
            _ = await task.result
            #expect(try await connection.query("SELECT \(number)").only.decode(Int.self) == number)
        }
    }

    @Test func `statements of several tasks on one connection follow each other`() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup { group in
            for number in 0..<50 {
                group.addTask { try await connection.query("SELECT \(number)").only.decode(Int.self) == number }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func `a statement that blocks its connection's thread holds up no other task`() async throws {
        struct TimeIsUp: Error {}
        let pool = try await Shared.database().pool
        await #expect(throws: TimeIsUp.self) {
            try await pool.withConnection { connection in
                // The children inherit the preference for the connection's thread.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await connection.query("SELECT pg_sleep(600)") }
                    group.addTask {
                        for _ in 0..<10 {
                            try await Task.sleep(for: .milliseconds(10))
                            try await pool.query("SELECT 1")
                        }
                        throw TimeIsUp()
                    }
                    defer { group.cancelAll() }
                    try await group.next()
                }
            }
        }
    }

    @Test func `COPY outside its own call is refused, and the connection lives on`() async throws {
        let connection = try await connect()
        try await connection.execute(script: "CREATE TEMPORARY TABLE copied (id int)")
        await #expect(throws: PostgresError.self) { try await connection.query("COPY copied FROM STDIN") }
        #expect(try await connection.query("SELECT \(1)").only.decode(Int.self) == 1)
    }

    @Test func `a closed connection refuses`() async throws {
        let connection = try await connect()
        await connection.close()
        #expect(!connection.isOpen)
        let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
        #expect(error?.kind == .closed)
    }
}
