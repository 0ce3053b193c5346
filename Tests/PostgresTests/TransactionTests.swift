import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

struct TransactionTests {
    private struct Failure: Error {}

    private func makeDatabase() async throws -> TestDatabase {
        try await TestDatabase.make(migrations: [
            Migration(
                version: 1, name: "numbers",
                sql: """
                    CREATE TABLE numbers (id int PRIMARY KEY, value int NOT NULL);
                    INSERT INTO numbers VALUES (1, 0), (2, 0);
                    GRANT SELECT, INSERT, UPDATE ON numbers TO sluice_app
                    """)
        ])
    }

    private func values(_ database: TestDatabase) async throws -> [Int] {
        try await database.pool.query("SELECT value FROM numbers ORDER BY id").map { try $0.decode(Int.self) }
    }

    @Test func `a closure that returns is committed, one that throws is not`() async throws {
        let database = try await makeDatabase()
        let result = try await database.pool.withTransaction { connection in
            try await connection.query("UPDATE numbers SET value = 1 WHERE id = 1")
            return 7
        }
        #expect(result == 7)
        await #expect(throws: Failure.self) {
            try await database.pool.withTransaction { connection in
                try await connection.query("UPDATE numbers SET value = 2")
                throw Failure()
            }
        }
        #expect(try await values(database) == [1, 0])
    }

    @Test func `cancelling rolls back, between statements too`() async throws {
        let database = try await makeDatabase()
        let started = Locked(false)
        let running = Task {
            try await database.pool.withTransaction { connection in
                try await connection.query("UPDATE numbers SET value = 3")
                started.withLock { $0 = true }
                try await connection.query("SELECT pg_sleep(60)")
            }
        }
        try await eventually { started.withLock(\.self) }
        running.cancel()
        let error = await #expect(throws: PostgresError.self) { try await running.value }
        #expect(error?.kind == .cancelled)

        let between = Task {
            try await database.pool.withTransaction { connection in
                try await connection.query("UPDATE numbers SET value = 4")
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: PostgresError.self) { try await between.value }
        #expect(try await values(database) == [0, 0])
        #expect(try await database.pool.query("UPDATE numbers SET value = 5").affected == 2)
    }

    @Test func `an error that was swallowed does not commit half a transaction`() async throws {
        let database = try await makeDatabase()
        let error = await #expect(throws: PostgresError.self) {
            try await database.pool.withTransaction { connection in
                try await connection.query("UPDATE numbers SET value = 6")
                _ = try? await connection.query("INSERT INTO numbers VALUES (1, 1)")
            }
        }
        #expect(error?.kind == .transactionAborted)
        #expect(try await values(database) == [0, 0])
    }

    @Test func `a deadlock is resolved by another try`() async throws {
        let database = try await makeDatabase()
        let tries = Locked(0)
        let arrived = Locked(0)
        try await withThrowingTaskGroup { group in
            for (first, second) in [(1, 2), (2, 1)] {
                group.addTask {
                    try await database.pool.withTransaction { connection in
                        tries.withLock { $0 += 1 }
                        try await connection.query("UPDATE numbers SET value = value + 1 WHERE id = \(first)")
                        arrived.withLock { $0 += 1 }
                        try await eventually { arrived.withLock { $0 >= 2 } }
                        // Who waits at the same moment looks for the deadlock at the same moment, and both give way.
                        if first == 2 { try await Task.sleep(for: .milliseconds(300)) }
                        try await connection.query("UPDATE numbers SET value = value + 1 WHERE id = \(second)")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await values(database) == [2, 2])
        #expect(tries.withLock(\.self) == 3)
    }

    @Test(arguments: ["40001", "40P01"])
    func `tries are bounded`(state: String) async throws {
        let database = try await makeDatabase()
        let tries = Locked(0)
        let error = await #expect(throws: PostgresError.self) {
            try await database.pool.withTransaction { connection in
                tries.withLock { $0 += 1 }
                try await connection.execute(script: "DO $$ BEGIN RAISE 'again' USING ERRCODE = '\(state)'; END $$")
            }
        }
        #expect(error?.sqlState == SQLState(rawValue: state))
        #expect(tries.withLock(\.self) == 5)
    }

    @Test func `other errors are not tried again`() async throws {
        let database = try await makeDatabase()
        let tries = Locked(0)
        await #expect(throws: PostgresError.self) {
            try await database.pool.withTransaction { connection in
                tries.withLock { $0 += 1 }
                try await connection.query("INSERT INTO numbers VALUES (1, 1)")
            }
        }
        #expect(tries.withLock(\.self) == 1)
    }

    @Test func `serialization failures are tried again`() async throws {
        let database = try await makeDatabase()
        let tries = Locked(0)
        try await database.pool.withTransaction { connection in
            let attempt = tries.withLock { tries in
                tries += 1
                return tries
            }
            try await connection.query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            let seen = try await connection.query("SELECT value FROM numbers WHERE id = 1").only.decode(Int.self)
            if attempt == 1 { try await database.pool.query("UPDATE numbers SET value = 10 WHERE id = 1") }
            try await connection.query("UPDATE numbers SET value = \(seen + 1)::bigint::int WHERE id = 1")
        }
        #expect(tries.withLock(\.self) == 2)
        #expect(try await values(database) == [11, 0])
    }

    @Test func `a COMMIT whose answer is lost is reported as unknown, and not tried again`() async throws {
        let database = try await makeDatabase()
        _ = try await database.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql
                        AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON numbers DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION linger();
                    """)
        }
        let tries = Locked(0)
        let task = Task {
            try await database.pool.withTransaction { connection in
                tries.withLock { $0 += 1 }
                try await connection.query("UPDATE numbers SET value = 9 WHERE id = 1")
            }
        }
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        try await eventually {
            try await administrator.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = \(database.name) AND query = 'COMMIT' AND wait_event = 'PgSleep'
                """
            ).affected > 0
        }
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(error?.kind == .commitUnknown)
        #expect(error?.isRetryable == false)
        #expect(tries.withLock(\.self) == 1)
    }

    @Test func `transactions do not nest`() async throws {
        let database = try await makeDatabase()
        let error = await #expect(throws: PostgresError.self) {
            try await database.pool.withTransaction { connection in
                try await connection.withTransaction { _ in }
            }
        }
        #expect(error?.kind == .transactionAborted)
    }
}
