import Logging
import Postgres
import Synchronization

/// Holds one name, and takes it again after the server restarted.
final class NodeRegistration: Sendable {
    private let node: String
    private let connection: Mutex<PostgresConnection>
    private let keeper = Mutex<Task<Void, Never>?>(nil)

    private init(_ node: String, _ connection: PostgresConnection) {
        self.node = node
        self.connection = Mutex(connection)
    }

    deinit { keeper.withLock { $0?.cancel() } }

    /// - Throws: ``NodeError/alreadyRunning``
    static func take(
        _ node: String, _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> NodeRegistration {
        let registration = NodeRegistration(node, try await firstConnection(node, configuration))
        let task = Task { [weak registration] in
            while !Task.isCancelled {
                try? await Task.sleep(for: checkInterval)
                guard let registration else { return }
                await registration.check(node, configuration, logger)
            }
        }
        registration.keeper.withLock { $0 = task }
        return registration
    }

    func end() async {
        keeper.withLock { $0?.cancel() }
        let last = connection.withLock { $0 }
        // By itself the server frees the lock a moment after the connection has gone: too late for a quick restart.
        _ = try? await last.query("SELECT pg_advisory_unlock(hashtextextended('sluice node ' || \(node), 0))")
        await last.close()
    }

    private static let checkInterval = Duration.seconds(5)
    private static let patience = Duration.seconds(3)

    /// The server needs a moment to see that a process was killed, so that a name that is taken is asked for again.
    private static func firstConnection(
        _ node: String, _ configuration: PostgresConfiguration
    ) async throws -> PostgresConnection {
        let end = ContinuousClock.now + patience
        while true {
            do {
                return try await lockedConnection(node, configuration)
            } catch NodeError.alreadyRunning where ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private static func lockedConnection(
        _ node: String, _ configuration: PostgresConfiguration
    ) async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(configuration)
        let isFree = try await connection.query(
            "SELECT pg_try_advisory_lock(hashtextextended('sluice node ' || \(node), 0))"
        ).only.decode(Bool.self)
        guard isFree else {
            await connection.close()
            throw NodeError.alreadyRunning
        }
        return connection
    }

    /// The lock went with its connection. Epochs keep two nodes of one name apart all the same, so work goes on.
    private func check(_ node: String, _ configuration: PostgresConfiguration, _ logger: Logger) async {
        let current = connection.withLock { $0 }
        if current.isOpen, (try? await current.query("SELECT 1")) != nil { return }
        guard !Task.isCancelled else { return }
        do {
            let next = try await Self.lockedConnection(node, configuration)
            connection.withLock { $0 = next }
            // `end()` may have closed the connection before this one in the meantime.
            if Task.isCancelled { await next.close() }
        } catch NodeError.alreadyRunning {
            logger.error("another process runs under this node's name", metadata: ["node": "\(node)"])
        } catch {
            logger.warning("node lock not taken again yet", metadata: ["node": "\(node)", "error": "\(error)"])
        }
    }
}
