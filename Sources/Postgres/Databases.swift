package import Logging

/// The two databases of the program, ready for migrations: one for the records, one for the keys that open them (the
/// vault), which backups leave out.
///
/// Each is reached in two ways. Migrations run as the owner. Everything else runs as the role `sluice_app`, which owns
/// nothing and can do only what migrations have granted to it; but what serves one account works on the records as the
/// role `sluice_api`, to which policies show the rows of that account alone (decision 0117).
package final class Databases: Sendable {
    /// The application's role.
    package static let appRole = "sluice_app"
    /// What sessions that serve an account work as. It owns nothing, is a member of no role and subject to row-level security.
    package static let apiRole = "sluice_api"
    /// Owner of the objects in the embedded server. On a server named by a URL, the URL's login is the owner.
    package static let ownerRole = "sluice_owner"

    package enum Source: Sendable {
        /// The private server in a data directory.
        case embedded(dataDirectory: String, role: EmbeddedPostgres.Role)
        /// A server of the operator's (`SLUICE_DATABASE_URL`): a login that owns the databases, or may create them and
        /// the role. Without a URL for the vault (`SLUICE_VAULT_DATABASE_URL`) it lies on the same server, under the
        /// database's name with `_vault` appended.
        case server(url: String, vaultURL: String?)

        /// What the environment asks for.
        package init(
            environment: [String: String], dataDirectory: String, role: EmbeddedPostgres.Role
        ) {
            if let url = environment["SLUICE_DATABASE_URL"], !url.isEmpty {
                self = .server(url: url, vaultURL: environment["SLUICE_VAULT_DATABASE_URL"])
            } else {
                self = .embedded(dataDirectory: dataDirectory, role: role)
            }
        }
    }

    /// The two ways to reach one database.
    package struct Access: Sendable {
        package var owner: PostgresConfiguration
        package var app: PostgresConfiguration
    }

    package let records: Access
    /// The records as ``apiRole``.
    package let confinedRecords: PostgresConfiguration
    package let vault: Access
    /// The private server, if that is what is used.
    package let embedded: EmbeddedPostgres?

    private init(
        records: Access, confinedRecords: PostgresConfiguration, vault: Access, embedded: EmbeddedPostgres?
    ) {
        self.records = records
        self.confinedRecords = confinedRecords
        self.vault = vault
        self.embedded = embedded
    }

    /// Starts or finds the server, and creates roles and databases that are missing.
    /// - Throws: ``EmbeddedPostgresError``, or ``PostgresError`` of kind `.configuration` or `.connectionFailed`,
    ///   soon and without a password in its words.
    package static func open(_ source: Source, logger: Logger) async throws -> Databases {
        switch source {
        case .embedded(let dataDirectory, let role):
            let embedded = try await EmbeddedPostgres.open(
                dataDirectory: dataDirectory, role: role, logger: logger)
            do {
                return try await open(embedded)
            } catch {
                await embedded.stop()
                throw error
            }
        case .server(let url, let vaultURL):
            return try await open(url: url, vaultURL: vaultURL)
        }
    }

    /// Leaves the private server, and stops it unless another process uses it. Close the pools first.
    package func close() async { await embedded?.stop() }

    private static func open(_ embedded: EmbeddedPostgres) async throws -> Databases {
        let names = ["sluice", "sluice_vault"]
        let administrator = try await PostgresConnection.connect(embedded.endpoint.administration())
        try await DatabaseRoles.createAll(on: administrator)
        for name in names {
            try await DatabaseRoles.createDatabase(name, owner: ownerRole, on: administrator)
        }
        await administrator.close()
        let access = names.map { name in
            Access(
                owner: PostgresConfiguration(embedded.endpoint.parameters(database: name, user: ownerRole)),
                app: PostgresConfiguration(embedded.endpoint.parameters(database: name, user: appRole)))
        }
        return Databases(
            records: access[0],
            confinedRecords: PostgresConfiguration(embedded.endpoint.parameters(database: names[0], user: apiRole)),
            vault: access[1], embedded: embedded)
    }

    private static func open(url: String, vaultURL: String?) async throws -> Databases {
        let records = try RemoteDatabase(variable: "SLUICE_DATABASE_URL", url: url)
        let vault =
            if let vaultURL, !vaultURL.isEmpty {
                try RemoteDatabase(variable: "SLUICE_VAULT_DATABASE_URL", url: vaultURL)
            } else {
                records.sibling(suffix: "_vault")
            }
        guard records.place != vault.place else {
            throw PostgresError(
                .configuration, "SLUICE_VAULT_DATABASE_URL names the same database as SLUICE_DATABASE_URL")
        }
        let access = try await records.prepare(roles: [appRole, apiRole])
        var confined = access.owner
        confined.role = apiRole
        return Databases(
            records: access, confinedRecords: confined, vault: try await vault.prepare(roles: [appRole]), embedded: nil)
    }
}
