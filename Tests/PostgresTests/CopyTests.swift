import TestDatabases
import Testing

@testable import Postgres

struct CopyTests {
    private struct Failure: Error {}

    private func withTable<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let database = try await Shared.database()
        return try await database.pool.withConnection { connection in
            try await connection.execute(
                script: """
                    DROP TABLE IF EXISTS pg_temp.copied;
                    CREATE TEMPORARY TABLE copied (id bigint, name text, bytes bytea, flag bool, list int[])
                    """)
            return try await body(connection)
        }
    }

    @Test func `rows in binary, more than a chunk of them`() async throws {
        try await withTable { connection in
            let count = try await connection.copyIn(
                table: "copied", columns: ["id", "name", "bytes", "flag", "list"]
            ) { writer in
                for number in 0..<20_000 {
                    let name = number % 3 == 0 ? nil : "name\t\(number)\n"
                    try await writer.write(number, name, [UInt8(truncatingIfNeeded: number)], true, [Int32(number), 2])
                }
            }
            #expect(count == 20_000)
            let row = try await connection.query(
                """
                SELECT count(*), count(name), sum(id), min(name),
                    bool_and(bytes = set_byte('\\x00', 0, (id % 256)::int)), sum(list[1]) FROM copied
                """
            ).only
            let (rows, names, sum, name, areBytesRight, lists) = try row.decode(
                Int.self, Int.self, Int.self, String.self, Bool.self, Int.self)
            #expect(rows == 20_000)
            #expect(names == 20_000 - 6667)
            #expect(sum == 19_999 * 10_000)
            #expect(name == "name\t1\n")
            #expect(areBytesRight)
            #expect(lists == sum)
        }
    }

    @Test func `text in chunks that cut lines`() async throws {
        try await withTable { connection in
            let chunks = AsyncStream { continuation in
                for part in ["1\ton", "e\n2\t", "two\n3\t\\N", "\n"] { continuation.yield(Array(part.utf8)) }
                continuation.finish()
            }
            #expect(try await connection.copyIn("COPY copied (id, name) FROM STDIN", chunks: chunks) == 3)
            let names = try await connection.query("SELECT name FROM copied ORDER BY id")
                .map { try $0.decode(String?.self) }
            #expect(names == ["one", "two", nil])
        }
    }

    @Test func `a failure on our side stores nothing`() async throws {
        try await withTable { connection in
            await #expect(throws: Failure.self) {
                try await connection.copyIn(table: "copied", columns: ["id"]) { writer in
                    for number in 0..<100_000 { try await writer.write(number) }
                    throw Failure()
                }
            }
            let count = try await connection.query("SELECT count(*) FROM copied").only
            #expect(try count.decode(Int.self) == 0)
        }
    }

    @Test func `the server's refusal is an error, and the connection lives on`() async throws {
        try await withTable { connection in
            // COPY converts nothing: four octets are no bigint.
            let error = await #expect(throws: PostgresError.self) {
                try await connection.copyIn(table: "copied", columns: ["id"]) { writer in
                    try await writer.write(Int32(1))
                }
            }
            #expect(error?.sqlState != nil)
            await #expect(throws: PostgresError.self) {
                try await connection.copyIn(table: "missing", columns: ["id"]) { _ in }
            }
            await #expect(throws: PostgresError.self) {
                try await connection.copyIn(table: "copied", columns: ["id"]) { try await $0.write(1, 2) }
            }
            let count = try await connection.query("SELECT count(*) FROM copied").only
            #expect(try count.decode(Int.self) == 0)
        }
    }

    @Test func `cancelling stores nothing`() async throws {
        try await withTable { connection in
            let task = Task {
                try await connection.copyIn(table: "copied", columns: ["id"]) { writer in
                    var number = 0
                    while true {
                        try await writer.write(number)
                        number += 1
                        if number == 100_000 { withUnsafeCurrentTask { $0?.cancel() } }
                    }
                }
            }
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            let count = try await connection.query("SELECT count(*) FROM copied").only
            #expect(try count.decode(Int.self) == 0)
        }
    }
}
