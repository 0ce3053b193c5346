import Foundation
import Logging
import Postgres

/// Looks whether the database keeps what is answered for.
enum DatabaseExamination {
    /// Starts no private database where there has been none.
    static func findings(_ settings: Settings, logger: Logger) async throws -> [Finding] {
        let source: Databases.Source
        if let url = settings.text(.databaseURL) {
            source = .server(url: url, vaultURL: settings.text(.vaultDatabaseURL))
        } else if EmbeddedPostgres.exists(in: settings.dataDirectory) {
            source = .embedded(dataDirectory: settings.dataDirectory, role: .client)
        } else {
            return [Finding(.note, "no database yet: the first start makes a private one")]
        }
        do {
            let databases = try await Databases.open(source, logger: logger)
            let problems = try await databases.problems(records: Pools.ofRecords, vault: Pools.ofVault)
            await databases.close()
            return findings(problems)
        } catch {
            return [Finding(.problem, "the database cannot be examined: \(error)")]
        }
    }

    private static func findings(_ problems: [ServerProblem]) -> [Finding] {
        guard !problems.isEmpty else {
            return [Finding(.good, "the PostgreSQL server keeps what is answered for, and has connections enough")]
        }
        return problems.map {
            Finding(.problem, "PostgreSQL: \($0)", advice: "sluice serve refuses it without --allow-unsafe-database")
        }
    }
}
