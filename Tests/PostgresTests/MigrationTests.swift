import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

struct MigrationTests {
    private let first = Migration(version: 100, name: "first", sql: "CREATE TABLE first (id int)")
    private let second = Migration(
        version: 200, name: "second", sql: "CREATE TABLE second (id int); INSERT INTO second VALUES (1)")

    private func apply(_ list: [Migration], to database: TestDatabase) async throws -> [Int] {
        try await database.owner.withConnection { try await Migrations.apply(list, on: $0) }
    }

    private func failure(_ list: [Migration], on database: TestDatabase) async -> PostgresError? {
        await #expect(throws: PostgresError.self) { try await apply(list, to: database) }
    }

    @Test func `what is missing is applied in order, once`() async throws {
        let database = try await TestDatabase.make()
        #expect(try await apply([second, first], to: database) == [100, 200])
        #expect(try await apply([second, first], to: database) == [])
        let between = Migration(version: 150, name: "between", sql: "ALTER TABLE first ADD name text")
        #expect(try await apply([first, between, second], to: database) == [150])
    }

    @Test func `a changed text is refused`() async throws {
        let database = try await TestDatabase.make(migrations: [first])
        let changed = Migration(version: 100, name: "first", sql: "CREATE TABLE first (id bigint)")
        let error = await failure([changed, second], on: database)
        #expect(error?.kind == .migration)
        #expect(error?.message.contains("100 (first) has changed") == true)
        #expect(try await database.owner.query("SELECT to_regclass('second') IS NULL").only.decode(Bool.self))
    }

    @Test func `a newer database is refused`() async throws {
        let database = try await TestDatabase.make(migrations: [first, second])
        let error = await failure([first], on: database)
        #expect(error?.kind == .migration)
        #expect(error?.message.contains("newer") == true)
    }

    @Test func `a version that is there twice is refused`() async throws {
        let database = try await TestDatabase.make()
        let error = await failure([first, Migration(version: 100, name: "other", sql: "SELECT 1")], on: database)
        #expect(error?.kind == .migration)
        #expect(try await database.owner.query("SELECT to_regclass('first') IS NULL").only.decode(Bool.self))
    }

    @Test func `a failing migration is undone and names itself; those before it stay`() async throws {
        let database = try await TestDatabase.make()
        let broken = Migration(version: 300, name: "broken", sql: "CREATE TABLE third (id int); SELECT missing")
        let error = await failure([first, broken], on: database)
        #expect(error?.message.contains("300 (broken)") == true)
        let row = try await database.owner.query(
            "SELECT to_regclass('first') IS NOT NULL, to_regclass('third') IS NULL"
        ).only
        #expect(try row.decode(Bool.self, Bool.self) == (true, true))
        #expect(try await apply([first, second], to: database) == [200])
    }

    @Test func `a migration cannot end its transaction`() async throws {
        let database = try await TestDatabase.make()
        let error = await failure([Migration(version: 1, name: "sly", sql: "COMMIT; SELECT 1")], on: database)
        #expect(error?.kind == .migration)
    }

    @Test func `several programs at once apply each migration once`() async throws {
        let database = try await TestDatabase.make()
        let slow = Migration(version: 300, name: "slow", sql: "SELECT pg_sleep(0.2); CREATE TABLE slow (id int)")
        let applied = try await withThrowingTaskGroup { group in
            for _ in 0..<6 { group.addTask { try await apply([first, second, slow], to: database) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == [100, 200, 300])
    }

    @Test func `the application's role cannot change the schema`() async throws {
        let database = try await TestDatabase.make(migrations: [
            Migration(
                version: 1, name: "guarded",
                sql: "CREATE TABLE guarded (id int); GRANT SELECT, INSERT ON guarded TO sluice_app")
        ])
        try await database.pool.query("INSERT INTO guarded VALUES (1)")
        for statement in [
            "DROP TABLE guarded", "ALTER TABLE guarded ADD x int", "ALTER TABLE guarded OWNER TO sluice_app",
            "UPDATE guarded SET id = 2", "DELETE FROM guarded", "TRUNCATE guarded", "CREATE TABLE own (id int)",
            "CREATE SCHEMA own", "CREATE ROLE other", "SET ROLE sluice_owner", "SET SESSION AUTHORIZATION postgres",
            "SELECT * FROM schema_migrations", "DROP DATABASE \(database.name)", "ALTER SYSTEM SET fsync = off",
            "COPY guarded TO PROGRAM 'cat'",
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await database.pool.query(SQL(unescaped: statement))
            }
            #expect(error?.sqlState == .insufficientPrivilege, "\(statement)")
        }
    }

    /// Somebody who has read a table and stands still.
    private func holder(of table: String, on database: TestDatabase) async throws -> PostgresConnection {
        var configuration = database.configuration(role: Databases.ownerRole)
        configuration.applicationName = "somebody's console"
        let connection = try await PostgresConnection.connect(configuration)
        try await connection.execute(script: "BEGIN; SELECT FROM \(table)")
        return connection
    }

    @Test func `a migration that cannot have its lock names who holds it, and lets others pass meanwhile`() async throws
    {
        let database = try await TestDatabase.make(migrations: [first])
        let holder = try await holder(of: "first", on: database)
        let process = try await holder.query("SELECT pg_backend_pid()").only.decode(Int32.self)
        let change = Migration(version: 300, name: "change", sql: "ALTER TABLE first ADD name text")
        let owner = database.configuration(role: Databases.ownerRole)
        async let failure = #expect(throws: PostgresError.self) {
            try await Migrations.apply([first, change], as: owner, tries: 3, logger: Logger(label: "test"))
        }
        try await eventually("the migration stands in the queue for the table") {
            try await !database.owner.query(
                "SELECT FROM pg_locks WHERE relation = 'first'::regclass AND NOT granted"
            ).isEmpty
        }
        // Who queues behind it gets a turn between two tries.
        #expect(try await database.owner.query("INSERT INTO first VALUES (1)").affected == 1)
        let error = await failure
        #expect(error?.kind == .migration)
        #expect(error?.message.contains("300 (change)") == true)
        #expect(error?.message.contains("process \(process) (somebody's console") == true, "\(error?.message ?? "")")
        await holder.close()
    }

    @Test func `a migration that was chosen to end a deadlock begins again`() async throws {
        let database = try await TestDatabase.make(migrations: [first, second])
        let other = try await PostgresConnection.connect(database.configuration(role: ServerEndpoint.superuser))
        // Whoever looks first is chosen.
        try await other.execute(
            script: "ALTER ROLE sluice_owner IN DATABASE \(database.name) SET deadlock_timeout = '20ms'")
        try await other.execute(script: "BEGIN; LOCK TABLE second")
        let change = Migration(
            version: 300, name: "change",
            sql: "ALTER TABLE first ADD name text; SELECT pg_sleep(0.5); ALTER TABLE second ADD name text")
        let owner = database.configuration(role: Databases.ownerRole)
        async let end: Void = Migrations.apply([first, second, change], as: owner, logger: Logger(label: "test"))
        try await eventually("the migration has the first table") {
            try await !database.owner.query(
                """
                SELECT FROM pg_locks
                WHERE relation = 'first'::regclass AND mode = 'AccessExclusiveLock' AND granted
                """
            ).isEmpty
        }
        try await other.query("SELECT FROM first")
        await other.close()
        try await end
        #expect(try await database.owner.query("SELECT first.name, second.name FROM first, second").isEmpty)
        try await eventually("the server has counted the deadlock") {
            try await database.owner.query(
                "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()"
            ).only.decode(Bool.self)
        }
    }

    @Test func `a migration goes on as soon as its lock is free`() async throws {
        let database = try await TestDatabase.make(migrations: [first])
        let holder = try await holder(of: "first", on: database)
        let change = Migration(version: 300, name: "change", sql: "ALTER TABLE first ADD name text")
        let owner = database.configuration(role: Databases.ownerRole)
        async let end: Void = Migrations.apply([first, change], as: owner, logger: Logger(label: "test"))
        try await Task.sleep(for: .milliseconds(1_500))
        await holder.close()
        try await end
        #expect(try await database.owner.query("SELECT name FROM first").isEmpty)
    }
}
