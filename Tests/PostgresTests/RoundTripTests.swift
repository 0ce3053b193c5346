import TestDatabases
import Testing

@testable import Postgres

/// Values go to the server and come back, together with what the server makes of them as text.
struct RoundTripTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable>(_ value: Value) async throws -> Value {
        let database = try await Shared.database()
        return try await database.pool.query("SELECT \(value)").only.decode(Value.self)
    }

    private func text(_ sql: SQL) async throws -> String? {
        try await Shared.database().pool.query(sql).only.decode(String?.self)
    }

    @Test func `integers keep their extremes`() async throws {
        for value in [Int16.min, -1, 0, 1, .max] { #expect(try await roundTrip(value) == value) }
        for value in [Int32.min, -1, 0, 1, .max] { #expect(try await roundTrip(value) == value) }
        for value in [Int64.min, -1, 0, 1, .max] { #expect(try await roundTrip(value) == value) }
        for value in [Int.min, -1, 0, 1, .max] { #expect(try await roundTrip(value) == value) }
        #expect(try await text("SELECT (\(Int64.min))::text") == "-9223372036854775808")
        #expect(try await text("SELECT (\(Int16.max))::text") == "32767")
    }

    @Test func `floating point keeps NaN, infinities, signs and the smallest numbers`() async throws {
        for value in [
            0, -0.0, 1.5, .pi, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e-300,
        ] {
            #expect(try await roundTrip(value).bitPattern == value.bitPattern)
        }
        #expect(try await roundTrip(Double.nan).isNaN)
        #expect(try await text("SELECT (\(Double.nan))::text") == "NaN")
        #expect(try await text("SELECT (\(-Double.infinity))::text") == "-Infinity")
        let pool = try await Shared.database().pool
        #expect(try await pool.query("SELECT 1.5::float4").only.decode(Double.self) == 1.5)
    }

    @Test func `text keeps every character`() async throws {
        let long = String(repeating: "ä𝄞", count: 100_000)
        for value in [
            "", " ", "'", "\"; DROP TABLE x; --", "\\", "$1", "a\u{1}\n\r\tz", "žluťoučký 🐎", "e\u{301}", long,
        ] {
            #expect(try await roundTrip(value) == value)
            #expect(try await text("SELECT length(\(value))::text") == String(value.unicodeScalars.count))
        }
    }

    @Test func `a NUL in text is refused, and the connection lives on`() async throws {
        let database = try await Shared.database()
        try await database.pool.withConnection { connection in
            let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT \("a\0b")") }
            #expect(error?.sqlState?.errorClass == "22")
            let next = try await connection.query("SELECT \(1)").only
            #expect(try next.decode(Int.self) == 1)
        }
    }

    @Test func `bytes keep all values and lengths`() async throws {
        let all = (0...255).map { UInt8($0) }
        let long = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for value in [[], [0], all, long] { #expect(try await roundTrip(value) == value) }
        #expect(try await text("SELECT encode(\([0, 255, 16] as [UInt8]), 'hex')") == "00ff10")
    }

    @Test func `truth values and timestamps`() async throws {
        #expect(try await roundTrip(true))
        #expect(try await roundTrip(false) == false)
        for microseconds in [
            Int64.min, .max, 0, 1, -1, 946_684_800_000_000, 1_700_000_000_123_456, -62_135_596_800_000_000,
        ] {
            let value = PostgresTimestamp(microseconds: microseconds)
            #expect(try await roundTrip(value) == value)
        }
        #expect(
            try await text("SELECT (\(PostgresTimestamp(microseconds: 1_700_000_000_123_456)))::text")
                == "2023-11-14 22:13:20.123456+00")
        #expect(try await text("SELECT (\(PostgresTimestamp.infinity))::text") == "infinity")
        #expect(PostgresTimestamp(microseconds: -1).seconds == -1)
        #expect(PostgresTimestamp(seconds: 3).microseconds == 3_000_000)
    }

    @Test func `NULL of every type`() async throws {
        #expect(try await roundTrip(Int16?.none) == nil)
        #expect(try await roundTrip(Int32?.none) == nil)
        #expect(try await roundTrip(Int64?.none) == nil)
        #expect(try await roundTrip(Bool?.none) == nil)
        #expect(try await roundTrip(Double?.none) == nil)
        #expect(try await roundTrip(String?.none) == nil)
        #expect(try await roundTrip([UInt8]?.none) == nil)
        #expect(try await roundTrip(PostgresTimestamp?.none) == nil)
        #expect(try await roundTrip([Int64]?.none) == nil)
        #expect(try await roundTrip(Int64?.some(7)) == 7)
    }

    @Test func `arrays of every type, empty and with NULLs`() async throws {
        #expect(try await roundTrip([Int16.min, 0, .max]) == [.min, 0, .max])
        #expect(try await roundTrip([Int32.min, 0, .max]) == [.min, 0, .max])
        #expect(try await roundTrip([Int64.min, 0, .max]) == [.min, 0, .max])
        #expect(try await roundTrip([Int.min, 0, .max]) == [.min, 0, .max])
        #expect(try await roundTrip([true, false]) == [true, false])
        #expect(try await roundTrip([1.5, -.infinity]) == [1.5, -.infinity])
        #expect(try await roundTrip(["", "a,b", "{\"}", "NULL"]) == ["", "a,b", "{\"}", "NULL"])
        #expect(try await roundTrip([[], [0, 255]] as [[UInt8]]) == [[], [0, 255]])
        #expect(try await roundTrip([PostgresTimestamp(microseconds: 5)]) == [PostgresTimestamp(microseconds: 5)])
        #expect(try await roundTrip([Int64]()) == [])
        #expect(try await roundTrip([String]()) == [])
        #expect(try await roundTrip([[UInt8]]()) == [])
        #expect(try await roundTrip([1, nil, 3] as [Int64?]) == [1, nil, 3])
        #expect(try await roundTrip(["a", nil, ""] as [String?]) == ["a", nil, ""])
        #expect(try await roundTrip([nil, [1]] as [[UInt8]?]) == [nil, [1]])
        #expect(try await text("SELECT (\(["a", nil, ""] as [String?]))::text") == "{a,NULL,\"\"}")
    }

    @Test func `a large array crosses whole`() async throws {
        let values = (0..<50_000).map { Int64($0) &* 0x1234_5678_9ABC }
        let database = try await Shared.database()
        let rows = try await database.pool.query("SELECT v FROM unnest(\(values)) WITH ORDINALITY u (v, n) ORDER BY n")
        #expect(try rows.map { try $0.decode(Int64.self) } == values)
    }

    @Test(
        arguments: [
            ("sum(v)", 6), ("count(*)", 3), ("-12345678901234::numeric", -12_345_678_901_234),
            ("10000::numeric", 10_000),
            ("0::numeric", 0), ("120000000::numeric", 120_000_000), ("9223372036854775807::numeric", .max),
            ("(-9223372036854775808)::numeric", .min), ("5.000::numeric", 5), ("5::int2", 5), ("5::oid", 5),
        ] as [(String, Int64)])
    func `integers are read from any type that holds one`(expression: String, expected: Int64) async throws {
        let database = try await Shared.database()
        let rows = try await database.pool.query(
            "SELECT min(n) FROM (SELECT \(unescaped: expression) FROM (VALUES (1::bigint), (2), (3)) t (v)) s (n)")
        #expect(try rows.only.decode(Int64.self) == expected)
    }

    @Test func `what does not fit is refused`() async throws {
        let pool = try await Shared.database().pool
        func refuses<Value: PostgresDecodable>(_ sql: SQL, as type: Value.Type) async throws {
            let row = try await pool.query(sql).only
            let error = #expect(throws: PostgresError.self) { try row.decode(type) }
            #expect(error?.kind == .decoding)
        }
        try await refuses("SELECT 40000", as: Int16.self)
        try await refuses("SELECT 1.5::numeric", as: Int64.self)
        try await refuses("SELECT 'NaN'::numeric", as: Int64.self)
        try await refuses("SELECT 9223372036854775808::numeric", as: Int64.self)
        try await refuses("SELECT NULL::bigint", as: Int64.self)
        try await refuses("SELECT 'x'", as: Int64.self)
        try await refuses("SELECT 1", as: String.self)
        try await refuses("SELECT 'x'", as: [UInt8].self)
        try await refuses("SELECT '{1,NULL}'::bigint[]", as: [Int64].self)
        try await refuses("SELECT '{{1},{2}}'::bigint[]", as: [Int64].self)
        let row = try await pool.query("SELECT 1, 2").only
        #expect(throws: PostgresError.self) { try row.decode(Int.self) }
        #expect(throws: PostgresError.self) { try row.decode(Int.self, Int.self, Int.self) }
        #expect(throws: PostgresError.self) { try row.decode(column: 2, as: Int.self) }
    }

    @Test func `json, enumerations and names are text`() async throws {
        let pool = try await Shared.database().pool
        let row = try await pool.query(
            "SELECT '{\"a\":1}'::jsonb, '{\"a\": 1}'::json, 'n'::name, 'v'::varchar, \("{}")::jsonb"
        ).only
        let (jsonb, json, name, varchar, bound) = try row.decode(
            String.self, String.self, String.self, String.self, String.self)
        #expect(jsonb == "{\"a\": 1}")
        #expect(json == "{\"a\": 1}")
        #expect(name == "n")
        #expect(varchar == "v")
        #expect(bound == "{}")
    }

    @Test func `rows are a collection, and changes are counted`() async throws {
        let pool = try await Shared.database().pool
        try await pool.withTransaction { connection in
            try await connection.query("CREATE TEMPORARY TABLE counted (id int) ON COMMIT DROP")
            #expect(try await connection.query("INSERT INTO counted SELECT generate_series(1, 7)").affected == 7)
            #expect(try await connection.query("UPDATE counted SET id = id WHERE id > \(4)").affected == 3)
            let rows = try await connection.query("SELECT id FROM counted ORDER BY id")
            #expect(rows.count == 7)
            #expect(try rows.last?.decode(Int.self) == 7)
            #expect(try await connection.query("SELECT WHERE false").first == nil)
        }
    }
}

/// One database for tests that leave no traces.
enum Shared {
    private static let making = Task { try await TestDatabase.make() }

    static func database() async throws -> TestDatabase { try await making.value }
}
