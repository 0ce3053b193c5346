import Postgres
import Synchronization

/// Databases that tests get copies of, one for each list of migrations. Some eighty migrations take ten times as long as a
/// copy of what they make.
enum TestTemplates {
    private static let making = Mutex<[[Migration]: Task<String, any Error>]>([:])

    /// The name of the template, made on first use.
    static func name(of migrations: [Migration], on cluster: TestCluster) async throws -> String {
        let task = making.withLock { tasks in
            if let task = tasks[migrations] { return task }
            let name = "template_\(tasks.count + 1)"
            let new = Task {
                try await make(name, migrations, cluster)
                return name
            }
            tasks[migrations] = new
            return new
        }
        return try await task.value
    }

    private static func make(_ name: String, _ migrations: [Migration], _ cluster: TestCluster) async throws {
        let administrator = try await PostgresConnection.connect(cluster.endpoint.administration())
        try await DatabaseRoles.createDatabase(name, owner: Databases.ownerRole, on: administrator)
        let owner = try await PostgresConnection.connect(
            TestDatabase.configuration(cluster.endpoint, database: name, role: Databases.ownerRole))
        try await Migrations.apply(migrations, on: owner)
        await owner.close()
        // A database is copied while nobody is connected to it: the session ends a moment after its connection.
        let sessions: SQL = "SELECT FROM pg_stat_activity WHERE datname = \(name)"
        while try await !administrator.query(sessions).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        await administrator.close()
    }
}
