/// The roles of a database, and the steps that create them. Each step can be run again.
package enum DatabaseRoles {
    /// The roles of a server of our own, which log in by their names.
    ///
    /// The owner is a member of the application's role: row-level security is forced on it as well, and the policy of that
    /// role is what shows it all rows when a migration changes them.
    package static func createAll(on connection: PostgresConnection) async throws {
        for role in [Databases.ownerRole, Databases.appRole, Databases.apiRole] {
            try await createRole(role, canLogIn: true, on: connection)
        }
        let isMember = try await connection.query(
            "SELECT pg_has_role(\(Databases.ownerRole), \(Databases.appRole), 'USAGE')"
        ).only.decode(Bool.self)
        guard !isMember else { return }
        do {
            try await connection.query(
                "GRANT \(identifier: Databases.appRole) TO \(identifier: Databases.ownerRole)")
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            // Somebody else has been faster.
        }
    }

    package static func createRole(_ name: String, canLogIn: Bool, on connection: PostgresConnection) async throws {
        let found = try await connection.query("SELECT FROM pg_roles WHERE rolname = \(name)")
        guard found.isEmpty else { return }
        let login = canLogIn ? "LOGIN" : "NOLOGIN"
        do {
            try await connection.query(
                "CREATE ROLE \(identifier: name) \(unescaped: login) NOSUPERUSER NOCREATEDB NOCREATEROLE")
        } catch let error as PostgresError
            where error.sqlState == .duplicateObject || error.sqlState == .uniqueViolation
        {
            // Somebody else has been faster.
        }
    }

    /// - Parameters:
    ///   - owner: the role that is to own the database; nil for the one that is connected.
    ///   - template: what it is a copy of.
    package static func createDatabase(
        _ name: String, owner: String?, template: String = "template0", on connection: PostgresConnection
    ) async throws {
        let found = try await connection.query("SELECT FROM pg_database WHERE datname = \(name)")
        guard found.isEmpty else { return }
        let ownership = owner.map { " OWNER " + SQL.quoted(identifier: $0) } ?? ""
        do {
            try await connection.query(
                """
                CREATE DATABASE \(identifier: name)\(unescaped: ownership) ENCODING 'UTF8' TEMPLATE \(identifier: template)
                """)
        } catch let error as PostgresError
            where error.sqlState == .duplicateDatabase || error.sqlState == .uniqueViolation
        {
            // Somebody else has been faster.
        }
    }
}
