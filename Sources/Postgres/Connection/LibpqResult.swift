import CPostgres

/// Owner of a `PGresult`.
///
/// Safe to share, because a result never changes and libpq's functions that read one keep no state of their own.
@safe final class LibpqResult: @unchecked Sendable {
    private let pointer: OpaquePointer
    let rowCount: Int
    let columnCount: Int
    private let types: [PostgresType]

    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
        rowCount = Int(unsafe PQntuples(pointer))
        columnCount = Int(unsafe PQnfields(pointer))
        types = (0..<columnCount).map { unsafe PostgresType(PQftype(pointer, Int32($0))) }
    }

    deinit { unsafe PQclear(pointer) }

    var affected: Int {
        guard let text = unsafe PQcmdTuples(pointer) else { return 0 }
        return Int(unsafe String(cString: text)) ?? 0
    }

    /// Tag of the command, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String {
        guard let text = unsafe PQcmdStatus(pointer) else { return "" }
        return unsafe String(cString: text)
    }

    func columnName(_ column: Int) -> String {
        guard let name = unsafe PQfname(pointer, Int32(column)) else { return "" }
        return unsafe String(cString: name)
    }

    /// - Precondition: row and column exist.
    func decode<Value: PostgresDecodable>(
        _ type: Value.Type, row: Int, column: Int
    ) throws(PostgresError) -> Value {
        let row = Int32(row)
        let index = Int32(column)
        if unsafe PQgetisnull(pointer, row, index) == 1 { return try Value.decodeNull() }
        let length = Int(unsafe PQgetlength(pointer, row, index))
        let buffer = unsafe UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, index), count: length)
        return try Value.decode(unsafe buffer.bytes, type: types[column])
    }

    /// The error that a result with status `PGRES_FATAL_ERROR` carries.
    static func error(_ result: OpaquePointer?, kind: PostgresError.Kind, fallback: String) -> PostgresError {
        func field(_ code: Int32) -> String? {
            guard let text = unsafe PQresultErrorField(result, code) else { return nil }
            return unsafe String(cString: text)
        }
        let state = field(SluiceDiagnosticSQLState).map(SQLState.init(rawValue:))
        return PostgresError(
            kind,
            PostgresError.withoutValues(field(SluiceDiagnosticMessage) ?? fallback, state),
            sqlState: state,
            constraint: field(SluiceDiagnosticConstraint),
            serverRoutine: field(SluiceDiagnosticRoutine))
    }
}
