import Synchronization

/// Statements that tasks of one owner (``ConnectionOwner``) ask for at the same time, and that go to the server together: over one
/// connection of the owner's share, in one round trip. Between few tasks this is ``PostgresPool/query(_:)``; among many it costs a
/// fraction (decision 0134).
extension PostgresPool {
    struct Together: Sendable {
        let sql: SQL
        /// Whether it may share a transaction with others.
        let isRead: Bool
        /// Told on the connection's thread.
        let answer: @Sendable (Result<PostgresRows, PostgresError>) -> Void
    }

    /// Statements that go together at most, so that none waits for many others.
    static let mostTogether = 64

    /// Runs a statement that looks up a few rows, changes nothing and waits for nobody's lock. Those that go together are one
    /// transaction (READ COMMITTED: each sees what was committed when it began).
    ///
    /// An error of one statement is told to its own task alone. A task that is cancelled meanwhile gets its answer all the same.
    /// - Throws: ``PostgresError``; of kind `.shareExhausted` where as many statements of the owner wait as its share lets wait.
    package func read(_ sql: SQL) async throws -> PostgresRows {
        if Task.isCancelled { throw PostgresConnection.cancelled }
        return try await withCheckedContinuation { continuation in
            send(
                Together(sql: sql, isRead: true) { continuation.resume(returning: $0) }, of: ConnectionOwner.current)
        }.get()
    }

    /// Runs a short statement that may change rows, as a transaction by itself.
    ///
    /// - Parameters:
    ///   - owner: on whose behalf; the caller need not be a task.
    ///   - answer: is told ``PostgresError`` as ``query(_:)`` throws it. It is called on the connection's thread, so that a
    ///     statement which follows from the answer wakes nobody first; it must be short.
    package func write(
        _ sql: SQL, as owner: ConnectionOwner?,
        answer: @escaping @Sendable (Result<PostgresRows, PostgresError>) -> Void
    ) {
        send(Together(sql: sql, isRead: false, answer: answer), of: owner)
    }

    private func send(_ statement: Together, of owner: ConnectionOwner?) {
        switch together.withLock({ $0.add(statement, of: owner) }) {
        case .begin: serve(owner)
        case .queued: break
        case .refused: statement.answer(.failure(Self.shareExhausted))
        }
    }

    private func serve(_ owner: ConnectionOwner?) {
        let deadline = ContinuousClock.now + configuration.acquireTimeout
        let asked = request(for: owner)
        if case .use(let connection) = asked.acquisition, connection.health.isQuiet {
            return serve(owner, on: connection)
        }
        Task {
            do throws(PostgresError) {
                serve(owner, on: try await connection(asked, for: owner, deadline))
            } catch {
                for statement in together.withLock({ $0.end(of: owner) }) { statement.answer(.failure(error)) }
            }
        }
    }

    /// On the connection's thread, until no statement of the owner is left. Where others wait for a connection it goes to them
    /// between two round trips, and the owner waits its turn.
    private func serve(_ owner: ConnectionOwner?, on connection: PostgresConnection) {
        confine(connection, to: owner)
        connection.enqueue { [self] session in
            while let statements = together.withLock({ $0.next(of: owner) }) {
                let answers = session.run(statements.map { ($0.sql, isRead: $0.isRead) })
                for (statement, answer) in zip(statements, answers) { statement.answer(answer) }
                if !connection.isOpen || isWaitedFor {
                    giveBack(connection, of: owner)
                    if together.withLock({ $0.goesOn(of: owner) }) { serve(owner) }
                    return
                }
            }
            giveBack(connection, of: owner)
        }
    }
}
