import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

/// Pools whose sessions see the rows of one account.
struct ConfinementTests {
    private static let schema = """
        CREATE TABLE things (
            account_id bigint NOT NULL, name text NOT NULL, twin text UNIQUE DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (account_id, name));
        ALTER TABLE things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY own ON things TO sluice_api
            USING (account_id = nullif(current_setting('sluice.account', true), '')::bigint);
        CREATE POLICY every ON things TO sluice_app USING (true);
        GRANT SELECT, INSERT, UPDATE, DELETE ON things TO sluice_api, sluice_app;
        INSERT INTO things (account_id, name) SELECT a, 'of ' || a FROM generate_series(1, 8) AS a;
        """

    /// - Parameter connections: of the pool.
    private func pool(_ connections: Int = 1) async throws -> (PostgresPool, TestDatabase) {
        let database = try await TestDatabase.make()
        try await database.owner.withConnection { try await $0.execute(script: Self.schema) }
        var configuration = database.configuration(role: Databases.apiRole)
        configuration.confinement = { $0?.account }
        configuration.maximumConnections = connections
        return (PostgresPool(configuration: configuration, logger: .silent), database)
    }

    private func acting<Value>(for account: Int64, _ body: () async throws -> Value) async throws -> Value {
        try await ConnectionOwner.$current.withValue(.account(account), operation: body)
    }

    private static let all: SQL = "SELECT name FROM things ORDER BY name"

    private func names(_ rows: PostgresRows) throws -> [String] { try rows.map { try $0.decode(String.self) } }

    @Test func `each way to use a connection sees the rows of its owner`() async throws {
        let (pool, database) = try await pool()
        for account in [Int64(3), 4, 3] {
            try await acting(for: account) {
                #expect(try await names(pool.query(Self.all)) == ["of \(account)"])
                #expect(try await names(pool.read(Self.all)) == ["of \(account)"])
                try await pool.withConnection { connection in
                    for _ in 0..<2 { #expect(try await names(connection.query(Self.all)) == ["of \(account)"]) }
                    try await connection.withTransaction { connection in
                        let seen = try await names(connection.query(Self.all))
                        #expect(seen == ["of \(account)"])
                    }
                    #expect(try await names(connection.query(Self.all)) == ["of \(account)"])
                }
                try await pool.withTransaction { connection in
                    try await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    #expect(try await names(connection.query(Self.all)) == ["of \(account)"])
                }
            }
        }
        #expect(try await database.pool.query(Self.all).count == 8)
    }

    @Test func `a session carries nothing over to its next user, however it was given back`() async throws {
        let (pool, _) = try await pool()
        struct Broken: Error {}
        let backend: SQL = "SELECT pg_backend_pid()"
        let first = try await pool.query(backend).only.decode(Int32.self)
        let uses: [(PostgresPool) async throws -> Void] = [
            { try await $0.query("SELECT 1") },
            { _ = try await $0.read(Self.all) },
            { pool in
                async let first = pool.read("SELECT 1 / (account_id - account_id) FROM things")
                async let second = pool.read(Self.all)
                _ = try await (first, second)
            },
            { try await $0.query("SELECT 1 / (account_id - account_id) FROM things") },
            { try await $0.query("SELECT nothing FROM things") },
            { try await $0.withTransaction { _ = try await $0.query(Self.all) } },
            { try await $0.withTransaction { _ in throw Broken() } },
            { try await $0.withConnection { try await $0.execute(script: "BEGIN; SET LOCAL sluice.account = 5") } },
            { pool in
                let task = Task { try await pool.query("SELECT pg_sleep(60) FROM things") }
                try await Task.sleep(for: .milliseconds(50))
                task.cancel()
                _ = try await task.value
            },
        ]
        for (place, use) in uses.enumerated() {
            _ = try? await acting(for: 5) { try await use(pool) }
            // Nobody's: no row, and no error that tells of the setting.
            #expect(try await pool.query(Self.all).count == 0, "after use \(place)")
            #expect(try await pool.withTransaction { try await $0.query(Self.all).count } == 0, "after use \(place)")
            let set = try await pool.query("SELECT current_setting('sluice.account', true)").only.decode(String?.self)
            #expect(set ?? "" == "", "after use \(place)")
            try await acting(for: 6) {
                let seen = try await names(pool.query(Self.all))
                #expect(seen == ["of 6"], "after use \(place)")
            }
        }
        #expect(try await pool.query(backend).only.decode(Int32.self) == first, "it was the same session all along")
    }

    @Test func `many owners on few connections never see each other`() async throws {
        let (pool, _) = try await pool(2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<32 {
                group.addTask {
                    let account = Int64(task % 8 + 1)
                    try await self.acting(for: account) {
                        for turn in 0..<30 {
                            let rows =
                                switch turn % 3 {
                                case 0: try await pool.withTransaction { try await $0.query(Self.all) }
                                case 1: try await pool.query(Self.all)
                                default: try await pool.read(Self.all)
                                }
                            #expect(try self.names(rows) == ["of \(account)"])
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `rows of others are neither written nor changed, and what is one's own is`() async throws {
        let (pool, database) = try await pool()
        try await acting(for: 2) {
            let insert: SQL = "INSERT INTO things (account_id, name) VALUES (7, 'planted')"
            let single = await #expect(throws: PostgresError.self) { try await pool.query(insert) }
            #expect(single?.sqlState == .insufficientPrivilege)
            let several = await #expect(throws: PostgresError.self) {
                try await pool.withTransaction { _ = try await $0.query(insert) }
            }
            #expect(several?.sqlState == .insufficientPrivilege)
            #expect(try await pool.query("UPDATE things SET name = 'mine' WHERE account_id = 7").affected == 0)
            #expect(try await pool.query("DELETE FROM things WHERE account_id <> 2").affected == 0)
            let moved = await #expect(throws: PostgresError.self) {
                try await pool.query("UPDATE things SET account_id = 7, name = 'moved'")
            }
            #expect(moved?.sqlState == .insufficientPrivilege)
            let mine = try await pool.query(
                "INSERT INTO things (account_id, name) SELECT 2, 'n' || n FROM generate_series(1, 1000) AS n RETURNING name"
            )
            #expect(mine.count == 1_000 && mine.affected == 1_000)
        }
        #expect(
            try await names(database.pool.query("SELECT name FROM things WHERE account_id <> 2 ORDER BY 1"))
                == [1, 3, 4, 5, 6, 7, 8].map { "of \($0)" })
    }

    @Test(arguments: [
        "SET ROLE sluice_app", "SET ROLE sluice_owner", "ALTER TABLE things DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE things NO FORCE ROW LEVEL SECURITY", "DROP POLICY own ON things",
        "CREATE POLICY wide ON things USING (true)", "ALTER ROLE sluice_api BYPASSRLS", "TRUNCATE things",
        "GRANT sluice_app TO sluice_api", "COPY things FROM STDIN", "SET session_replication_role = replica",
    ]) func `a session cannot free itself`(_ statement: String) async throws {
        let (pool, _) = try await pool()
        try await acting(for: 2) {
            await #expect(throws: PostgresError.self) {
                try await pool.withConnection { try await $0.execute(script: statement) }
            }
            let seen = try await names(pool.query(Self.all))
            #expect(seen == ["of 2"])
        }
    }

    @Test func `who switches row-level security off gets an error, not the rows`() async throws {
        let (pool, _) = try await pool()
        let error = await #expect(throws: PostgresError.self) {
            try await acting(for: 2) {
                try await pool.withTransaction { connection in
                    try await connection.query("SET LOCAL row_security = off")
                    return try await connection.query(Self.all).count
                }
            }
        }
        #expect(error?.sqlState == .insufficientPrivilege)
    }

    @Test func `a statement whose commit fails has not happened`() async throws {
        let (pool, database) = try await pool()
        try await acting(for: 2) {
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("INSERT INTO things VALUES (2, 'a', 'twin'), (2, 'b', 'twin')")
            }
            #expect(error?.sqlState == .uniqueViolation)
            let seen = try await names(pool.query(Self.all))
            #expect(seen == ["of 2"])
        }
        #expect(try await database.pool.query(Self.all).count == 8)
    }
}
