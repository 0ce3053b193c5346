package import Logging
package import Postgres
import Synchronization

/// A fresh database for one test, on a server that all tests of the process share.
///
/// ```swift
/// let database = try await TestDatabase.make(migrations: CreditLedger.migrations)
/// try await database.pool.withTransaction { connection in … }
/// ```
/// The server is started by the first test, is not durable, and goes with the process. Safe to use from tests that
/// run at the same time.
package final class TestDatabase: Sendable {
    /// Connections as the application's role, which owns nothing.
    package let pool: PostgresPool
    /// Connections as the role that owns the objects.
    package let owner: PostgresPool
    package let name: String
    package let endpoint: ServerEndpoint

    private static let serial = Atomic(0)

    private init(name: String, endpoint: ServerEndpoint, logger: Logger) {
        self.name = name
        self.endpoint = endpoint
        func pool(_ role: String) -> PostgresPool {
            let configuration = Self.configuration(endpoint, database: name, role: role)
            return PostgresPool(configuration: configuration, logger: logger)
        }
        self.pool = pool(Databases.appRole)
        owner = pool(Databases.ownerRole)
    }

    /// Creates a database to which migrations were applied as its owner: a copy of one that all tests of the process with
    /// these migrations have in common.
    package static func make(
        migrations: [Migration] = [], logger: Logger = Logger(label: "test")
    ) async throws -> TestDatabase {
        let cluster = try await TestCluster.shared()
        let template = migrations.isEmpty ? nil : try await TestTemplates.name(of: migrations, on: cluster)
        let name = "test_\(serial.add(1, ordering: .relaxed).newValue)"
        let administrator = try await PostgresConnection.connect(cluster.endpoint.administration())
        try await DatabaseRoles.createDatabase(
            name, owner: Databases.ownerRole, template: template ?? "template0", on: administrator)
        await administrator.close()
        return TestDatabase(name: name, endpoint: cluster.endpoint, logger: logger)
    }

    /// Configuration of connections as a role: the application's, the owner's, or the superuser `postgres`.
    package func configuration(role: String = Databases.appRole) -> PostgresConfiguration {
        Self.configuration(endpoint, database: name, role: role)
    }

    static func configuration(
        _ endpoint: ServerEndpoint, database: String, role: String
    ) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(endpoint.parameters(database: database, user: role))
        // Tests share the machine with compilers and with each other; slowness is not what they look for.
        configuration.acquireTimeout = .seconds(180)
        configuration.connectTimeout = .seconds(60)
        configuration.limits = SessionLimits(lock: .seconds(120), idleInTransaction: .seconds(300))
        return configuration
    }

    /// Closes the pools. Optional: they end with the object, and the database with the server.
    package func close() async {
        await pool.close()
        await owner.close()
    }
}
