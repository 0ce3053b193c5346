import CPostgres

/// The answer to a statement: its rows, and how many rows it affected.
///
/// Rows stay in libpq's memory and are decoded when read.
package struct PostgresRows: Sendable, RandomAccessCollection {
    let result: LibpqResult

    package var startIndex: Int { 0 }
    package let endIndex: Int

    init(_ result: LibpqResult) {
        self.result = result
        endIndex = result.rowCount
    }

    package subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row index out of range")
        return PostgresRow(result: result, index: position)
    }

    /// Rows inserted, updated, deleted, selected or copied.
    package var affected: Int { result.affected }

    /// The only row of an answer that must have exactly one.
    /// - Throws: ``PostgresError`` of kind `.decoding` otherwise.
    package var only: PostgresRow {
        get throws {
            guard count == 1 else { throw PostgresError(.decoding, "\(count) rows where one was expected") }
            return self[0]
        }
    }
}

/// One row of an answer.
package struct PostgresRow: Sendable {
    let result: LibpqResult
    let index: Int

    /// Reads all columns, in order.
    ///
    /// ```swift
    /// let (id, name) = try row.decode(Int64.self, String?.self)
    /// ```
    /// - Throws: ``PostgresError`` of kind `.decoding` if the number of columns differs, a type does not fit, or a
    ///   column is NULL and its type not optional.
    package func decode<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws -> (repeat each Value) {
        var asked = 0
        for _ in repeat each types { asked += 1 }
        guard asked == result.columnCount else {
            throw PostgresError(.decoding, "\(result.columnCount) columns where \(asked) were expected")
        }
        var column = 0
        return (repeat try decodeNext((each Value).self, &column))
    }

    /// Reads the only column.
    package func decode<Value: PostgresDecodable>(_ type: Value.Type) throws -> Value {
        guard result.columnCount == 1 else {
            throw PostgresError(.decoding, "\(result.columnCount) columns where 1 was expected")
        }
        return try decode(column: 0, as: type)
    }

    /// Reads one column by position.
    package func decode<Value: PostgresDecodable>(
        column: Int, as type: Value.Type = Value.self
    ) throws -> Value {
        guard column >= 0, column < result.columnCount else {
            throw PostgresError(.decoding, "there is no column \(column)")
        }
        do throws(PostgresError) {
            return try result.decode(Value.self, row: index, column: column)
        } catch {
            let name = result.columnName(column)
            throw PostgresError(error.kind, "column \(column) (\(name)): \(error.message)")
        }
    }

    private func decodeNext<Value: PostgresDecodable>(
        _ type: Value.Type, _ column: inout Int
    ) throws -> Value {
        defer { column += 1 }
        return try decode(column: column, as: type)
    }
}
