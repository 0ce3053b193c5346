/// Writes rows in the binary format of COPY.
package struct PostgresCopyWriter {
    private static let chunkSize = 1 << 16

    private let connection: PostgresConnection
    private let columns: Int
    private var buffer: [UInt8]

    init(_ connection: PostgresConnection, columns: Int) {
        self.connection = connection
        self.columns = columns
        buffer = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]
        buffer.reserveCapacity(Self.chunkSize + 4096)
        buffer.appendBigEndian(Int32(0))
        buffer.appendBigEndian(Int32(0))
    }

    /// Writes one row; waits while the server is slower.
    package mutating func write<each Value: PostgresEncodable>(
        _ values: repeat each Value
    ) async throws {
        var count = 0
        for _ in repeat each values { count += 1 }
        guard count == columns else {
            throw PostgresError(.decoding, "\(count) values for \(columns) columns")
        }
        buffer.appendBigEndian(Int16(count))
        for value in repeat each values { append(value) }
        if buffer.count >= Self.chunkSize { try await flush() }
    }

    private mutating func append(_ value: some PostgresEncodable) {
        if value.isPostgresNull {
            buffer.appendBigEndian(Int32(-1))
            return
        }
        let start = buffer.count
        buffer.appendBigEndian(Int32(0))
        value.encode(into: &buffer)
        buffer.setLength(at: start)
    }

    private mutating func flush() async throws(PostgresError) {
        try await connection.putCopy(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    mutating func finish() async throws(PostgresError) {
        buffer.appendBigEndian(Int16(-1))
        try await flush()
    }
}
