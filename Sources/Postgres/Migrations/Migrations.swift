import Logging

/// Brings a database to the schema of this program.
///
/// The table `schema_migrations` says what has been applied, with a checksum of each text. Each migration runs in a
/// transaction of its own, under an advisory lock, so that several programs can start at once. Modules own ranges of
/// versions, so a version below the highest one may come later; it is applied then.
package enum Migrations {
    /// "sluice" and a serial number, as the key of the advisory lock.
    private static let lockKey: Int64 = 0x736C_7569_6365_0001

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

    private static func lock(_ connection: PostgresConnection) async throws {
        try await connection.query("SELECT pg_advisory_xact_lock(\(lockKey))")
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
