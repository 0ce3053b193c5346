extension PostgresConnection {
    /// Copies rows into a table in binary, streamed in chunks of some 64 KiB.
    ///
    /// ```swift
    /// let count = try await connection.copyIn(table: "numbers", columns: ["id", "name"]) { writer in
    ///     for (id, name) in numbers { try await writer.write(id, name) }
    /// }
    /// ```
    /// The Swift types must be those of the columns exactly (`Int32` for `int4`): COPY converts nothing.
    /// - Returns: the number of rows.
    /// - Throws: what the closure throws, in which case nothing is stored, or ``PostgresError``.
    @discardableResult
    package func copyIn(
        table: String, columns: [String], _ body: (inout PostgresCopyWriter) async throws -> Void
    ) async throws -> Int {
        let names = columns.map(SQL.quoted(identifier:)).joined(separator: ", ")
        let statement = "COPY \(SQL.quoted(identifier: table)) (\(names)) FROM STDIN (FORMAT binary)"
        return try await copyIn(statement) { connection in
            var writer = PostgresCopyWriter(connection, columns: columns.count)
            try await body(&writer)
            try await writer.finish()
        }
    }

    /// Copies chunks of text, CSV or binary as the statement (`COPY … FROM STDIN …`) says.
    @discardableResult
    package func copyIn<Chunks: AsyncSequence>(
        _ statement: String, chunks: Chunks
    ) async throws -> Int where Chunks.Element == [UInt8] {
        try await copyIn(statement) { connection in
            for try await chunk in chunks { try await connection.putCopy(chunk) }
        }
    }

    func putCopy(_ chunk: [UInt8]) async throws(PostgresError) {
        try await run { (session) throws(PostgresError) in try session.putCopy(chunk) }
    }

    private func copyIn(
        _ statement: String, _ body: (PostgresConnection) async throws -> Void
    ) async throws -> Int {
        try await run { (session) throws(PostgresError) in try session.beginCopyIn(statement) }
        do {
            try await body(self)
            if Task.isCancelled { throw Self.cancelled }
        } catch {
            // The server answers with an error that only repeats ours.
            _ = try? await run(isCancellable: false) { (session) throws(PostgresError) in
                try session.endCopyIn(failure: "given up by the client")
            }
            throw error
        }
        return try await run(isCancellable: false) { (session) throws(PostgresError) in
            try session.endCopyIn(failure: nil)
        }
    }
}
