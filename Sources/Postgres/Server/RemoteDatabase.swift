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

    func prepare() async throws -> Databases.Access {
        let connection = try await connect()
        do {
            try await prepare(connection)
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            await connection.close()
            throw PostgresError(
                .configuration,
                """
                \(variable): the login may not do what is missing in database \(name) (\(error.message)); let an \
                administrator create the role \(Databases.appRole), grant it to the login, and make the login the \
                owner of the database
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

    private func prepare(_ connection: PostgresConnection) async throws {
        try await checkVersion(connection)
        try await DatabaseRoles.createRole(Databases.appRole, canLogIn: false, on: connection)
        try await checkRole(connection)
        try await letLoginAssumeRole(connection)
        let mayCreate = try await connection.query(
            "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
        guard try mayCreate.only.decode(Bool.self) else {
            throw PostgresError(
                .configuration, "\(variable): the login may not create tables in database \(name): make it the owner")
        }
    }

    private func checkVersion(_ connection: PostgresConnection) async throws {
        let rows = try await connection.query("SELECT current_setting('server_version_num')::int")
        guard try rows.only.decode(Int.self) >= PostgresInstallation.minimumVersion * 10_000 else {
            throw PostgresError(
                .configuration, "\(variable): PostgreSQL \(PostgresInstallation.minimumVersion) or later is needed")
        }
    }

    /// A role that may do everything would make grants and append-only tables worthless.
    private func checkRole(_ connection: PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT r.rolsuper OR d.datdba = r.oid OR pg_has_role(r.oid, d.datdba, 'MEMBER')
            FROM pg_roles r, pg_database d
            WHERE r.rolname = \(Databases.appRole) AND d.datname = current_database()
            """)
        guard try !rows.only.decode(Bool.self) else {
            throw PostgresError(
                .configuration,
                "\(variable): the role \(Databases.appRole) owns the database or is a superuser; it must be neither")
        }
    }

    private func letLoginAssumeRole(_ connection: PostgresConnection) async throws {
        let member = try await connection.query("SELECT pg_has_role(current_user, \(Databases.appRole), 'MEMBER')")
        if try member.only.decode(Bool.self), await canAssumeRole(connection) { return }
        try await connection.query("GRANT \(identifier: Databases.appRole) TO CURRENT_USER")
    }

    /// From version 16 on, being a member is not enough.
    private func canAssumeRole(_ connection: PostgresConnection) async -> Bool {
        do {
            try await connection.withTransaction { connection in
                _ = try await connection.query("SET LOCAL ROLE \(identifier: Databases.appRole)")
            }
            return true
        } catch {
            return false
        }
    }
}
