package import Logging

/// Brings a database to the schema of this program.
///
/// The table `schema_migrations` says what has been applied, with a checksum of each text. Each migration runs in a
/// transaction of its own, under an advisory lock, so that several programs can start at once. Modules own ranges of
/// versions, so a version below the highest one may come later; it is applied then.
package enum Migrations {
    /// "sluice" and a serial number, as the key of the advisory lock.
    private static let lockKey: Int64 = 0x736C_7569_6365_0001

    /// Applies what is missing, on a connection of its own.
    ///
    /// A migration waits half a second for its locks, so that whoever queues behind it waits no longer either. Then it
    /// lets the others pass, and tries again, some forty times; also where it was chosen to end a deadlock.
    /// - Throws: as ``apply(_:on:)``; where somebody else keeps a lock to the end, an error that names the session.
    package static func apply(
        _ list: [Migration], as configuration: PostgresConfiguration, tries: Int = 40, logger: Logger
    ) async throws {
        var configuration = configuration
        configuration.limits = limits
        configuration.applicationName = "sluice migrations"
        let connection = try await PostgresConnection.connect(configuration)
        do {
            try await apply(list, on: connection, tries: tries, configuration, logger)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// A new index may take as long as it needs. A machine that is lost in the middle frees its locks by the
    /// keepalives.
    ///
    /// Migrations lock tables in orders of their own, and transactions that are under way may want the same ones. The
    /// wait is shorter than PostgreSQL's `deadlock_timeout` of a second, so it is mostly the migration that gives way.
    static let limits = SessionLimits(lock: .milliseconds(500), statement: nil, idleInTransaction: .seconds(60))

    private static func apply(
        _ list: [Migration], on connection: PostgresConnection, tries: Int, _ configuration: PostgresConfiguration,
        _ logger: Logger
    ) async throws {
        let process = try await connection.query("SELECT pg_backend_pid()").only.decode(column: 0, as: Int32.self)
        let watch = LockWatch(process: process, configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            defer { group.cancelAll() }
            for attempt in 1... where try await isApplied(list, on: connection, attempt, of: tries, watch, logger) {
                return
            }
        }
    }

    /// One try.
    private static func isApplied(
        _ list: [Migration], on connection: PostgresConnection, _ attempt: Int, of tries: Int, _ watch: LockWatch,
        _ logger: Logger
    ) async throws -> Bool {
        do {
            try await apply(list, on: connection)
            return true
        } catch let error as PostgresError
            where error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
        {
            let blocker = watch.blocker ?? "a session that could not be seen"
            guard attempt < tries else { throw blocked(error, by: blocker) }
            if attempt == 1 { logger.notice("a migration waits for a lock", metadata: ["held_by": "\(blocker)"]) }
            try await Task.sleep(for: RetryBackoff.migrating.delay(attempt: attempt))
            return false
        }
    }

    private static func blocked(_ error: PostgresError, by blocker: String) -> PostgresError {
        PostgresError(
            .migration, "\(error.message); the lock is held by \(blocker): let it end, or end it, and start again",
            sqlState: error.sqlState)
    }

    /// Applies what is missing, in order of versions.
    /// - Returns: the versions that were applied.
    /// - Throws: ``PostgresError`` of kind `.migration`, having changed nothing, if the list repeats a version, if the
    ///   database holds a version that the list does not know (it is newer), or if an applied text has changed since.
    ///   An error of a migration's SQL undoes that migration only; those before it stay.
    @discardableResult
    package static func apply(
        _ list: [Migration], on connection: PostgresConnection
    ) async throws -> [Int] {
        let sorted = list.sorted { $0.version < $1.version }
        for (left, right) in zip(sorted, sorted.dropFirst()) where left.version == right.version {
            throw PostgresError(.migration, "migration \(left.version) is there twice")
        }
        let applied = try await connection.withTransaction { connection in
            try await lock(connection)
            try await createTable(connection)
            return try await verify(sorted, connection)
        }
        var result: [Int] = []
        for migration in sorted where !applied.contains(migration.version) {
            if try await apply(migration, connection) { result.append(migration.version) }
        }
        return result
    }

    /// Waits as long as another program is at its own migrations, which may take long and end.
    private static func lock(_ connection: PostgresConnection) async throws {
        let bound = try await connection.query(
            "SELECT current_setting('lock_timeout'), set_config('lock_timeout', '0', true)"
        ).only.decode(column: 0, as: String.self)
        try await connection.query("SELECT pg_advisory_xact_lock(\(lockKey))")
        try await connection.query("SELECT set_config('lock_timeout', \(bound), true)")
    }

    private static func createTable(_ connection: PostgresConnection) async throws {
        let existing = try await connection.query("SELECT to_regclass('schema_migrations') IS NOT NULL")
        if try existing.only.decode(Bool.self) { return }
        try await connection.execute(
            script: """
                CREATE TABLE schema_migrations (
                    version bigint PRIMARY KEY,
                    name text NOT NULL,
                    checksum bytea NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
                )
                """)
    }

    /// - Returns: the versions that the database has.
    private static func verify(_ list: [Migration], _ connection: PostgresConnection) async throws -> Set<Int> {
        let known = Dictionary(list.map { ($0.version, $0) }) { first, _ in first }
        // The server computes the checksums, which spares this module a cryptographic library.
        let rows = try await connection.query(
            """
            SELECT a.version, a.checksum = sha256(convert_to(l.sql, 'UTF8'))
            FROM schema_migrations a
            LEFT JOIN unnest(\(list.map(\.version)), \(list.map(\.sql))) AS l (version, sql) USING (version)
            ORDER BY a.version
            """)
        var applied: Set<Int> = []
        for row in rows {
            let (version, isSame) = try row.decode(Int.self, Bool?.self)
            guard let migration = known[version] else {
                throw PostgresError(
                    .migration,
                    "the database has migration \(version), which this program does not know: it was last used by a "
                        + "newer version; use that one")
            }
            guard isSame == true else {
                throw PostgresError(
                    .migration, "migration \(version) (\(migration.name)) has changed since it was applied")
            }
            applied.insert(version)
        }
        return applied
    }

    /// - Returns: false if another program has applied it in the meantime.
    private static func apply(_ migration: Migration, _ connection: PostgresConnection) async throws -> Bool {
        do {
            return try await connection.withTransaction { connection in
                try await lock(connection)
                let present = try await connection.query(
                    "SELECT FROM schema_migrations WHERE version = \(migration.version)")
                guard present.isEmpty else { return false }
                try await connection.execute(script: migration.sql)
                guard connection.isInTransaction else {
                    throw PostgresError(
                        .migration, "migration \(migration.version) (\(migration.name)) ended its transaction")
                }
                try await connection.query(
                    """
                    INSERT INTO schema_migrations (version, name, checksum) VALUES (
                        \(migration.version), \(migration.name), sha256(convert_to(\(migration.sql), 'UTF8')))
                    """)
                return true
            }
        } catch let error as PostgresError where error.kind == .server {
            throw PostgresError(
                .migration, "migration \(migration.version) (\(migration.name)) failed: \(error.message)",
                sqlState: error.sqlState, constraint: error.constraint, serverRoutine: error.serverRoutine)
        }
    }
}
