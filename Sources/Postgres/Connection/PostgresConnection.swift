import Synchronization

/// One connection to PostgreSQL.
///
/// libpq's blocking calls run on a thread of the connection's own. Calls from several tasks are run one after the
/// other. Cancelling the calling task stops the statement at the server.
package final class PostgresConnection: Sendable {
    private let thread: SerialThread
    private let session: LibpqSession
    let health: ConnectionHealth
    /// Set by the pool that lends it.
    let confinement: Confinement

    private init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        guard let thread = SerialThread() else {
            throw PostgresError(.connectionFailed, "the system refuses another thread")
        }
        self.thread = thread
        health = ConnectionHealth()
        confinement = Confinement()
        session = LibpqSession(
            maximumStatements: configuration.maximumStatements, health: health, confinement: confinement)
    }

    deinit { thread.close { [session] in session.close() } }

    /// Opens a connection.
    /// - Throws: ``PostgresError`` of kind `.connectionFailed`, within the connect time-out for each host.
    package static func connect(_ configuration: PostgresConfiguration) async throws -> PostgresConnection {
        try await open(configuration)
    }

    static func open(_ configuration: PostgresConfiguration) async throws(PostgresError) -> PostgresConnection {
        let connection = try PostgresConnection(configuration)
        try await connection.run { (session) throws(PostgresError) in try session.open(configuration) }
        return connection
    }

    /// Where a task should prefer to run while it works with the connection: statements then cost no change of thread.
    var executor: any TaskExecutor { thread.executor }

    /// Whether the connection can still be used, as far as is known.
    package var isOpen: Bool { health.isOpen }

    /// Whether a transaction is open.
    package var isInTransaction: Bool { health.transactionStatus != .idle }

    /// Runs a statement with bound values. It is prepared once and cached by its text.
    /// - Throws: ``PostgresError``; of kind `.cancelled` if the task was cancelled.
    @discardableResult
    package func query(_ sql: SQL) async throws -> PostgresRows {
        try await run { (session) throws(PostgresError) in try session.execute(sql) }
    }

    /// Runs statements separated by semicolons, without values and without answers. Outside a transaction they form
    /// one.
    package func execute(script: String) async throws {
        guard !script.utf8.contains(0) else { throw PostgresError(.configuration, "a script with a NUL") }
        try await run { (session) throws(PostgresError) in try session.execute(script: script) }
    }

    /// Closes the connection after the calls before this one.
    package func close() async {
        await withCheckedContinuation { continuation in
            let isAccepted = thread.enqueue { [session] in
                session.close()
                continuation.resume()
            }
            if !isAccepted { continuation.resume() }
        }
    }

    /// Runs work on the connection's thread, after the calls before it. Nobody waits for it.
    func enqueue(_ work: @escaping @Sendable (LibpqSession) -> Void) {
        thread.enqueue { [session] in work(session) }
    }

    /// Runs work on the connection's thread.
    /// - Parameter isCancellable: false for what must run to its end even in a cancelled task, such as ROLLBACK.
    func run<Value: Sendable>(
        isCancellable: Bool = true,
        _ work: @escaping @Sendable (LibpqSession) throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        guard isCancellable else { return try await perform(StatementTicket(), work).get() }
        if Task.isCancelled { throw Self.cancelled }
        let ticket = StatementTicket()
        let result = await withTaskCancellationHandler {
            await perform(ticket, work)
        } onCancel: {
            ticket.cancel()
        }
        return try result.get()
    }

    private func perform<Value: Sendable>(
        _ ticket: StatementTicket,
        _ work: @escaping @Sendable (LibpqSession) throws(PostgresError) -> Value
    ) async -> Result<Value, PostgresError> {
        if thread.isCurrent { return thread.blocking { Self.perform(ticket, session, work) } }
        return await withCheckedContinuation { continuation in
            let isAccepted = thread.enqueue { [session] in
                continuation.resume(returning: Self.perform(ticket, session, work))
            }
            if !isAccepted { continuation.resume(returning: .failure(PostgresError(.closed, "connection closed"))) }
        }
    }

    private static func perform<Value: Sendable>(
        _ ticket: StatementTicket, _ session: LibpqSession,
        _ work: (LibpqSession) throws(PostgresError) -> Value
    ) -> Result<Value, PostgresError> {
        guard ticket.begin(session.cancelHandle) else { return .failure(cancelled) }
        let result = Result { () throws(PostgresError) in try work(session) }
        ticket.end()
        if ticket.isCancelled, case .failure(let error) = result, error.sqlState == .queryCanceled {
            return .failure(cancelled)
        }
        return result
    }

    static var cancelled: PostgresError { PostgresError(.cancelled, "the task was cancelled") }
}
