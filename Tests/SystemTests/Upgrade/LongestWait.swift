import Foundation
import Postgres
import Synchronization

/// Looks, as long as it runs, how long sessions of a database wait for the lock of a table.
final class LongestWait: Sendable {
    private let longest = Mutex(0.0)
    private let connection: PostgresConnection

    /// - Parameter url: of a login that sees all sessions.
    init(_ url: String) async throws {
        connection = try await PostgresConnection.connect(PostgresConfiguration(connectionString: url))
    }

    /// Seconds.
    var seconds: Double { longest.withLock(\.self) }

    /// Until cancelled.
    func run() async {
        while !Task.isCancelled {
            let waited = try? await connection.query(
                """
                SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8
                FROM pg_locks WHERE locktype = 'relation' AND NOT granted
                """
            ).only.decode(Double.self)
            longest.withLock { $0 = max($0, waited ?? 0) }
            try? await Task.sleep(for: .milliseconds(20))
        }
        await connection.close()
    }
}
