import Logging
import TestDatabases
import Testing

@testable import Postgres

/// What the server bounds in each session, and that a pool's owners leave connections to each other.
struct SessionTests {
    private func configuration(
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> PostgresConfiguration {
        var configuration = try await Shared.database().configuration()
        change(&configuration)
        return configuration
    }

    private func pool(_ change: (inout PostgresConfiguration) -> Void) async throws -> PostgresPool {
        PostgresPool(configuration: try await configuration(change), logger: Logger(label: "test"))
    }

    /// A table of its own with one row.
    private func table(_ name: String) async throws -> PostgresPool {
        let owner = try await Shared.database().owner
        try await owner.withConnection {
            try await $0.execute(
                script: """
                    DROP TABLE IF EXISTS \(name); CREATE TABLE \(name) (id int); INSERT INTO \(name) VALUES (1);
                    GRANT ALL ON \(name) TO sluice_app
                    """)
        }
        return owner
    }

    @Test func `each session sets its bounds, whatever the role's settings are`() async throws {
        let database = try await TestDatabase.make()
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        for setting in [
            "synchronous_commit = off", "default_transaction_isolation = 'repeatable read'", "lock_timeout = 0",
            "statement_timeout = 0", "client_connection_check_interval = 0", "jit = on",
        ] {
            try await administrator.execute(script: "ALTER DATABASE \(database.name) SET \(setting)")
        }
        var configuration = database.configuration()
        configuration.limits = SessionLimits(
            lock: .milliseconds(1_234), statement: .seconds(5), idleInTransaction: .seconds(6))
        let connection = try await PostgresConnection.connect(configuration)
        for (setting, value) in [
            ("lock_timeout", "1234ms"), ("statement_timeout", "5s"), ("idle_in_transaction_session_timeout", "6s"),
            ("synchronous_commit", "on"), ("transaction_isolation", "read committed"),
            ("client_connection_check_interval", "2s"), ("jit", "off"),
        ] {
            let found = try await connection.query("SELECT current_setting(\(setting))").only.decode(String.self)
            #expect(found == value, "\(setting)")
        }
        await connection.close()
        await administrator.close()
    }

    /// Sessions here come through a unix socket, where these mean nothing: so what is sent is looked at.
    @Test(arguments: [
        ("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "10000"),
    ]) func `each session bounds how long the server believes in a machine that is gone`(
        setting: String, value: String
    ) {
        #expect(SessionLimits().script.contains("SET \(setting) = \(value);"))
    }

    @Test(arguments: [
        (90_624, false), (140_012, false), (149_999, false), (150_000, true), (150_008, true), (180_001, true),
    ]) func `servers from version 15 on are supported`(number: Int32, isSupported: Bool) {
        #expect(PostgresInstallation.isSupported(number) == isSupported)
    }

    @Test func `who waits for a lock gives up, and can go on`() async throws {
        let owner = try await table("held")
        let pool = try await pool { $0.limits.lock = .milliseconds(50) }
        try await owner.withTransaction { connection in
            try await connection.query("SELECT FROM held FOR UPDATE")
            let error = await #expect(throws: PostgresError.self) { try await pool.query("UPDATE held SET id = 2") }
            #expect(error?.sqlState == .lockNotAvailable)
            #expect(error?.isTimeout == true && error?.isPassing == true)
        }
        #expect(try await pool.query("UPDATE held SET id = 2").affected == 1)
        await pool.close()
    }

    @Test func `a transaction that stands still is ended, and frees its locks`() async throws {
        let owner = try await table("forgotten")
        let pool = try await pool { $0.limits.idleInTransaction = .milliseconds(200) }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { connection in
                try await connection.query("SELECT FROM forgotten FOR UPDATE")
                // Waits for the lock, and gets it although the transaction is still open here.
                try await owner.query("UPDATE forgotten SET id = 3")
                try await connection.query("SELECT FROM forgotten")
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(try await pool.query("SELECT id FROM forgotten").only.decode(Int32.self) == 3)
        await pool.close()
    }

    @Test func `tasks of one owner leave connections to the others`() async throws {
        let owner = try await table("greedy")
        let pool = try await pool {
            $0.maximumConnections = 3
            $0.share = PoolShare(connections: 2, waiting: 3)
            $0.acquireTimeout = .milliseconds(600)
        }
        @Sendable func use(_ name: String) async -> PostgresError.Kind? {
            await ConnectionOwner.$current.withValue(ConnectionOwner(name)) {
                do {
                    try await pool.query("UPDATE greedy SET id = 4")
                    return nil
                } catch {
                    return (error as? PostgresError)?.kind
                }
            }
        }
        let kinds = try await owner.withConnection { connection in
            try await connection.execute(script: "BEGIN; SELECT FROM greedy FOR UPDATE")
            return try await withThrowingTaskGroup(of: PostgresError.Kind?.self) { group in
                for _ in 0..<8 { group.addTask { await use("a") } }
                // Three are refused at once, three after the time-out; the two that wait for the row hold their
                // connections as long as it is locked.
                var kinds: [PostgresError.Kind?] = []
                for _ in 0..<3 { kinds.append(try await group.next() ?? nil) }
                let found = try await ConnectionOwner.$current.withValue(ConnectionOwner("b")) {
                    try await pool.query("SELECT id FROM greedy")
                }
                #expect(found.count == 1)
                for _ in 0..<3 { kinds.append(try await group.next() ?? nil) }
                try await connection.execute(script: "ROLLBACK")
                for try await kind in group { kinds.append(kind) }
                return kinds
            }
        }
        #expect(kinds.prefix(6).allSatisfy { $0 == .shareExhausted })
        #expect(kinds.dropFirst(6).allSatisfy { $0 == nil })
        await pool.close()
    }
}
