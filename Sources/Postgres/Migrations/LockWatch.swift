import Synchronization

/// Looks, on a connection of its own, who keeps a session waiting for a lock.
final class LockWatch: Sendable {
    private let process: Int32
    private let configuration: PostgresConfiguration
    private let last = Mutex<String?>(nil)

    /// - Parameter process: of the session that may have to wait, as the server numbers it.
    init(process: Int32, _ configuration: PostgresConfiguration) {
        self.process = process
        self.configuration = configuration
    }

    /// The session that was last seen in the way, told for people.
    var blocker: String? { last.withLock(\.self) }

    /// Until cancelled. A watch that cannot connect sees nothing.
    func run() async {
        guard (try? await Task.sleep(for: Self.interval)) != nil,
            let connection = try? await PostgresConnection.connect(configuration)
        else { return }
        while !Task.isCancelled {
            if let seen = try? await look(connection) { last.withLock { $0 = seen } }
            try? await Task.sleep(for: Self.interval)
        }
        await connection.close()
    }

    private static let interval = Duration.milliseconds(250)

    /// No words of the statement: they may hold data. Who may not see what a session does reads only its name.
    private func look(_ connection: PostgresConnection) async throws -> String? {
        try await connection.query(
            """
            SELECT format(
                'process %s (%s, user %s%s)', a.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'unnamed'),
                a.usename, ', in a transaction for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s')
            FROM unnest(pg_blocking_pids(\(process))) AS b (pid) JOIN pg_stat_activity a USING (pid)
            ORDER BY a.xact_start NULLS LAST, a.pid LIMIT 1
            """
        ).first?.decode(column: 0, as: String.self)
    }
}
