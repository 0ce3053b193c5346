import TestDatabases
import Testing

@testable import Postgres

struct SQLTests {
    @Test func `interpolated values become numbered parameters`() {
        let sql: SQL = "SELECT \(1) + \(Int32(2)), \("x")"
        #expect(sql.text == "SELECT $1 + $2, $3")
        #expect(sql.parameters.types == [.int8, .int4, .text])
    }

    @Test func `trusted text and identifiers are written into the statement`() {
        let sql: SQL = "SELECT \(identifier: "a\"b") \(unescaped: "FROM t")"
        #expect(sql.text == "SELECT \"a\"\"b\" FROM t")
        #expect(sql.parameters.count == 0)
    }

    @Test(arguments: [
        "'; DROP TABLE victims; --", "\\'; DROP TABLE victims; --", "$1", "${victims}", "' OR '1'='1",
        "ʼ; DROP TABLE victims; --", "*/ DROP TABLE victims /*",
    ])
    func `text from outside stays data`(text: String) async throws {
        let database = try await Shared.database()
        try await database.pool.withTransaction { connection in
            try await connection.query("CREATE TEMPORARY TABLE victims (name text) ON COMMIT DROP")
            try await connection.query("INSERT INTO victims VALUES (\(text))")
            let rows = try await connection.query("SELECT name FROM victims WHERE name = \(text)")
            #expect(try rows.only.decode(String.self) == text)
        }
    }

    @Test func `descriptions of errors hold no values`() async throws {
        let database = try await TestDatabase.make(migrations: [
            Migration(
                version: 1, name: "people",
                sql: """
                    CREATE TABLE people (address text PRIMARY KEY, age int CHECK (age > 0));
                    GRANT INSERT ON people TO sluice_app
                    """)
        ])
        let secret = "someone@example.org"
        func failure(_ sql: SQL) async -> PostgresError? {
            await #expect(throws: PostgresError.self) { try await database.pool.query(sql) }
        }
        _ = try await database.pool.query("INSERT INTO people VALUES (\(secret), 1)")
        let duplicate = await failure("INSERT INTO people VALUES (\(secret), 1)")
        #expect(duplicate?.sqlState == .uniqueViolation)
        #expect(duplicate?.constraint == "people_pkey")
        let check = await failure("INSERT INTO people VALUES (\(secret), -1)")
        #expect(check?.sqlState == .checkViolation)
        let syntax = await failure("SELECT \(secret)::bigint")
        #expect(syntax?.sqlState == .invalidTextRepresentation)
        for error in [duplicate, check, syntax] {
            #expect(error.map { "\($0)".contains(secret) } == false)
            #expect(error.map { String(reflecting: $0).contains(secret) } == false)
        }
    }
}
