import Postgres
import Testing

@Test func `smoke`() async throws {
    let database = try await TestDatabase.make()
    let rows = try await database.pool.query("SELECT \(42) + \(1), \("x"), \([UInt8](arrayLiteral: 1, 2)), \([1, nil, 3] as [Int64?])")
    let (a, b, c, d) = try rows.only.decode(Int.self, String.self, [UInt8].self, [Int64?].self)
    #expect(a == 43)
    #expect(b == "x")
    #expect(c == [1, 2])
    #expect(d == [1, nil, 3])
    let clock = ContinuousClock()
    try await database.pool.withConnection { connection in
        let time = try await clock.measure { for i in 0..<10000 { try await connection.query("SELECT \(i)") } }
        print("per query", time / 10000)
    }
    let time = try await clock.measure { for i in 0..<10000 { try await database.pool.query("SELECT \(i)") } }
    print("per pooled query", time / 10000)
}
