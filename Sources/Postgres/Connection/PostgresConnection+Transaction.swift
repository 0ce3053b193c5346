extension PostgresConnection {
    /// Runs a closure in a transaction (READ COMMITTED): commits when it returns; rolls back when it throws or the
    /// task is cancelled. Does not retry; see ``PostgresPool/withTransaction(_:)``.
    /// - Throws: what the closure throws, or ``PostgresError``: `.commitUnknown` if the answer to COMMIT was lost,
    ///   `.transactionAborted` if the closure has swallowed the error of a statement.
    package func withTransaction<Value>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await run { (session) throws(PostgresError) in
            guard session.health.transactionStatus == .idle else {
                throw PostgresError(.transactionAborted, "a transaction is open already")
            }
            try session.begin()
        }
        do {
            let value = try await body(self)
            if Task.isCancelled { throw Self.cancelled }
            try await commit()
            return value
        } catch {
            await rollback()
            throw error
        }
    }

    /// Sends COMMIT. Not cancellable: a cancelled COMMIT would leave open what became of it.
    private func commit() async throws(PostgresError) {
        try await run(isCancellable: false) { (session) throws(PostgresError) in try session.commit() }
    }

    /// Ends an open transaction, if the connection still lives; otherwise the server has done so.
    func rollback() async {
        guard isOpen, health.transactionStatus != .idle else { return }
        try? await run(isCancellable: false) { (session) throws(PostgresError) in
            try session.execute(script: "ROLLBACK")
        }
    }
}
