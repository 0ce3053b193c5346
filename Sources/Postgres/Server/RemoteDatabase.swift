/// A database on a server of the operator's, and the steps that make it ready.
struct RemoteDatabase {
    /// The setting that names it, for messages.
    let variable: String
    let name: String
    private let parameters: ConnectionParameters

    init(variable: String, url: String) throws(PostgresError) {
        self.variable = variable
        do {
            parameters = try ConnectionParameters(url)
        } catch {
            throw PostgresError(.configuration, "\(variable): \(error.message)")
        }
        guard let name = parameters.database, !name.isEmpty else {
            throw PostgresError(.configuration, "\(variable) names no database")
        }
        self.name = name
    }

    private init(variable: String, name: String, parameters: ConnectionParameters) {
        self.variable = variable
        self.name = name
        self.parameters = parameters
    }

    /// Another database on the same server.
    func sibling(suffix: String) -> RemoteDatabase {
        let name = name + suffix
        return RemoteDatabase(variable: variable, name: name, parameters: parameters.with(database: name))
    }

    /// What tells databases apart.
    var place: [String?] { [parameters["host"], parameters["hostaddr"], parameters["port"], name] }

    /// - Parameter roles: those that the program assumes here, the application's among them.
    func prepare(roles: [String]) async throws -> Databases.Access {
        let connection = try await connect()
        do {
            try await prepare(connection, roles)
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            await connection.close()
            throw PostgresError(
                .configuration,
                """
                \(variable): the login may not do what is missing in database \(name) (\(error.message)); let an \
                administrator run \(Self.statements(roles)), and make the login the owner of the database
                """, sqlState: error.sqlState)
        }
        await connection.close()
        let owner = PostgresConfiguration(parameters)
        var app = owner
        app.role = Databases.appRole
        return Databases.Access(owner: owner, app: app)
    }

    /// Connects to the database, and creates it first if it is missing.
    private func connect() async throws -> PostgresConnection {
        do {
            return try await PostgresConnection.connect(PostgresConfiguration(parameters))
        } catch let error as PostgresError {
            let failure = PostgresError(
                error.kind, "\(variable): cannot connect to \(parameters): \(error.message)", sqlState: error.sqlState)
            // The server's words for a missing database depend on its language, so its list of databases is asked; but
            // only if it was the server that refused: libpq marks its words with two spaces after the severity.
            guard error.kind == .connectionFailed,
                error.sqlState == .unknownDatabase || (error.sqlState == nil && error.message.contains(":  ")),
                let administrator = try? await PostgresConnection.connect(
                    PostgresConfiguration(parameters.with(database: "postgres")))
            else { throw failure }
            guard try await createIfMissing(on: administrator) else { throw failure }
            return try await PostgresConnection.connect(PostgresConfiguration(parameters))
        }
    }

    /// - Returns: false if the database is there.
    private func createIfMissing(on administrator: PostgresConnection) async throws -> Bool {
        let found = try await administrator.query("SELECT FROM pg_database WHERE datname = \(name)")
        guard found.isEmpty else { return false }
        do {
            try await DatabaseRoles.createDatabase(name, owner: nil, on: administrator)
        } catch let error as PostgresError {
            throw PostgresError(
                .configuration,
                """
                \(variable): the database \(name) does not exist and cannot be created (\(error.message)); let an \
                administrator create it, owned by the login
                """, sqlState: error.sqlState)
        }
        await administrator.close()
        return true
    }

    /// What makes the roles, for a login that may not.
    private static func statements(_ roles: [String]) -> String {
        roles.map { "CREATE ROLE \($0) NOLOGIN; GRANT \($0) TO the login;" }.joined(separator: " ")
    }

    private func prepare(_ connection: PostgresConnection, _ roles: [String]) async throws {
        try await checkVersion(connection)
        for role in roles {
            try await DatabaseRoles.createRole(role, canLogIn: false, on: connection)
            try await check(role, connection)
            try await letLoginAssume(role, connection)
        }
        try await checkInheritance(connection)
        let mayCreate = try await connection.query(
            "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
        guard try mayCreate.only.decode(Bool.self) else {
            throw PostgresError(
                .configuration, "\(variable): the login may not create tables in database \(name): make it the owner")
        }
    }

    private func checkVersion(_ connection: PostgresConnection) async throws {
        let rows = try await connection.query("SELECT current_setting('server_version_num')::int")
        guard PostgresInstallation.isSupported(try rows.only.decode(Int32.self)) else {
            throw PostgresError(
                .configuration, "\(variable): PostgreSQL \(PostgresInstallation.minimumVersion) or later is needed")
        }
    }

    /// A role that may do everything would make grants, append-only tables and policies worthless.
    private func check(_ role: String, _ connection: PostgresConnection) async throws {
        let (isPowerful, isMember) = try await connection.query(
            """
            SELECT r.rolsuper OR r.rolbypassrls OR d.datdba = r.oid OR pg_has_role(r.oid, d.datdba, 'MEMBER'),
                EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
            FROM pg_roles r, pg_database d
            WHERE r.rolname = \(role) AND d.datname = current_database()
            """
        ).only.decode(Bool.self, Bool.self)
        guard !isPowerful else {
            throw PostgresError(
                .configuration,
                "\(variable): the role \(role) owns the database, is a superuser or has BYPASSRLS; it must be none of these"
            )
        }
        // As a member of another role it could become that one.
        guard role != Databases.apiRole || !isMember else {
            throw PostgresError(
                .configuration, "\(variable): the role \(role) is a member of another role; it must be a member of none"
            )
        }
    }

    /// Row-level security is forced on the owner too, and migrations would find no rows.
    private func checkInheritance(_ connection: PostgresConnection) async throws {
        let inherits = try await connection.query("SELECT pg_has_role(current_user, \(Databases.appRole), 'USAGE')")
        guard try inherits.only.decode(Bool.self) else {
            throw PostgresError(
                .configuration,
                """
                \(variable): the login does not inherit the role \(Databases.appRole), which shows it the rows that \
                migrations change: ALTER ROLE … INHERIT, and from PostgreSQL 16 on GRANT \(Databases.appRole) TO … WITH \
                INHERIT TRUE
                """)
        }
    }

    private func letLoginAssume(_ role: String, _ connection: PostgresConnection) async throws {
        let member = try await connection.query("SELECT pg_has_role(current_user, \(role), 'MEMBER')")
        if try member.only.decode(Bool.self), await canAssume(role, connection) { return }
        try await connection.query("GRANT \(identifier: role) TO CURRENT_USER")
    }

    /// From version 16 on, being a member is not enough.
    private func canAssume(_ role: String, _ connection: PostgresConnection) async -> Bool {
        do {
            try await connection.withTransaction { connection in
                _ = try await connection.query("SET LOCAL ROLE \(identifier: role)")
            }
            return true
        } catch {
            return false
        }
    }
}
