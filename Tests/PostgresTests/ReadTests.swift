import Synchronization
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

/// Reads that go to the server together.
struct ReadTests {
    private func pool(_ change: (inout PostgresConfiguration) -> Void = { _ in }) async throws -> PostgresPool {
        var configuration = try await Shared.database().configuration()
        configuration.maximumConnections = 1
        change(&configuration)
        return PostgresPool(configuration: configuration, logger: .silent)
    }

    /// Asks at a time when the pool has no connection free, so that all wait together.
    private func together(_ pool: PostgresPool, _ statements: [SQL]) async throws -> [Result<PostgresRows, any Error>] {
        let tasks = try await pool.withConnection { _ in
            let tasks = statements.map { statement in Task { try await pool.read(statement) } }
            try await eventually("all wait") { pool.together.withLock { $0.count } == statements.count }
            return tasks
        }
        var answers: [Result<PostgresRows, any Error>] = []
        for task in tasks { answers.append(await task.result) }
        return answers
    }

    @Test func `reads that wait at the same time are one transaction, and each has its own answer`() async throws {
        let pool = try await pool()
        let answers = try await together(pool, (0..<100).map { "SELECT \($0), now()::text" })
        let rows = try answers.map { try $0.get().only.decode(Int.self, String.self) }
        #expect(rows.map(\.0) == Array(0..<100))
        let transactions = Dictionary(grouping: rows, by: \.1).values.map(\.count).sorted()
        #expect(transactions == [36, PostgresPool.mostTogether])
        // Answers are told before the connection is given back.
        try await eventually("the connection lies idle") { pool.usage == (1, 1, 0) }
    }

    @Test func `an error is told to its own task alone`() async throws {
        let answers = try await together(
            try await pool(), (0..<9).map { $0 == 4 ? "SELECT 1 / 0" : $0 == 6 ? "SELECT nothing" : "SELECT \($0)" })
        for (number, answer) in answers.enumerated() {
            switch number {
            case 4: #expect(throws: PostgresError.self) { try answer.get() }
            case 6:
                let error = #expect(throws: PostgresError.self) { try answer.get() }
                #expect(error?.sqlState == SQLState(rawValue: "42703"))
            default: #expect(try answer.get().only.decode(Int.self) == number)
            }
        }
    }

    @Test func `what changes rows is a transaction by itself, whatever becomes of those that go with it`() async throws
    {
        let owner = try await Shared.database().owner
        try await owner.withConnection {
            try await $0.execute(
                script: "CREATE TABLE written_among (id bigint PRIMARY KEY); GRANT ALL ON written_among TO sluice_app")
        }
        let pool = try await pool()
        let told = Locked<[Int: Result<String, PostgresError>]>([:])
        let tasks = try await pool.withConnection { _ in
            let reads = ["SELECT txid_current()::text", "SELECT 1 / 0", "SELECT txid_current()::text"].map {
                (read: SQL) in
                Task { try await pool.read(read) }
            }
            try await eventually("reads wait") { pool.together.withLock { $0.count } == 3 }
            for (place, id) in [1, 2, 1, 3].enumerated() {
                pool.write(
                    "INSERT INTO written_among VALUES (\(id)) RETURNING txid_current()::text", as: nil
                ) { answer in
                    let text = answer.flatMap { rows in
                        Result { () throws(PostgresError) in try rows[0].result.decode(String.self, row: 0, column: 0) }
                    }
                    told.withLock { $0[place] = text }
                }
            }
            return reads
        }
        for (place, task) in tasks.enumerated() where place != 1 { #expect(try await task.value.count == 1) }
        await #expect(throws: PostgresError.self) { try await tasks[1].value }
        try await eventually("all are told") { told.withLock(\.count) == 4 }
        let answers = told.withLock(\.self)
        let transactions = try [0, 1, 3].map { try #require(answers[$0]).get() }
        #expect(Set(transactions).count == 3)
        let error = #expect(throws: PostgresError.self) { try #require(answers[2]).get() }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(try await owner.query("SELECT FROM written_among").count == 3)
    }

    @Test func `where nothing fails, too, each write is a transaction by itself, and reads share one`() async throws {
        let pool = try await pool()
        let told = Locked<[Result<PostgresRows, PostgresError>]>([])
        let reads = try await pool.withConnection { _ in
            let reads = (0..<2).map { _ in Task { try await pool.read("SELECT txid_current()") } }
            try await eventually("reads wait") { pool.together.withLock { $0.count } == 2 }
            for _ in 0..<2 {
                pool.write("SELECT txid_current()", as: nil) { answer in told.withLock { $0.append(answer) } }
            }
            return reads
        }
        var ofReads: Set<Int64> = []
        for read in reads { ofReads.insert(try await read.value.only.decode(Int64.self)) }
        try await eventually("all are told") { told.withLock(\.count) == 2 }
        let ofWrites = try told.withLock(\.self).map { try $0.get().only.decode(Int64.self) }
        #expect(ofReads.count == 1)
        #expect(ofReads.union(ofWrites).count == 3)
    }

    @Test func `a wait that was too long is not repeated for each`() async throws {
        let owner = try await Shared.database().owner
        try await owner.withConnection {
            try await $0.execute(script: "CREATE SEQUENCE tries_of_reads; GRANT USAGE ON tries_of_reads TO sluice_app")
        }
        let pool = try await pool { $0.limits.statement = .milliseconds(100) }
        let answers = try await together(
            pool, Array(repeating: "SELECT nextval('tries_of_reads'), pg_sleep(60)::text", count: 5))
        for answer in answers {
            let error = #expect(throws: PostgresError.self) { try answer.get() }
            #expect(error?.sqlState == .queryCanceled)
        }
        let tries = try await owner.query("SELECT last_value FROM tries_of_reads").only.decode(Int.self)
        #expect(tries == 1)
    }

    @Test func `a connection lost under them fails them all, and the next read has a new one`() async throws {
        let pool = try await pool()
        let answers = try await together(
            pool, ["SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 3"])
        for answer in answers {
            let error = #expect(throws: PostgresError.self) { try answer.get() }
            #expect(error?.kind == .connectionLost)
        }
        #expect(try await pool.read("SELECT 4").only.decode(Int.self) == 4)
    }

    @Test func `no more of an owner's reads wait than its share lets wait`() async throws {
        let pool = try await pool { $0.share = PoolShare(connections: 1, waiting: 3) }
        let tasks = try await pool.withConnection { _ in
            let tasks = (0..<3).map { _ in Task { try await pool.read("SELECT 1") } }
            try await eventually("all wait") { pool.together.withLock { $0.count } == 3 }
            let error = await #expect(throws: PostgresError.self) { try await pool.read("SELECT 1") }
            #expect(error?.kind == .shareExhausted)
            return tasks
        }
        for task in tasks { #expect(try await task.value.count == 1) }
    }

    @Test func `without a connection each is told so, and later ones are served`() async throws {
        let pool = try await pool { $0.acquireTimeout = .milliseconds(50) }
        try await pool.withConnection { _ in
            for task in (0..<5).map({ _ in Task { try await pool.read("SELECT 1") } }) {
                let error = await #expect(throws: PostgresError.self) { try await task.value }
                #expect(error?.kind == .poolTimeout)
            }
        }
        #expect(try await pool.read("SELECT 1").count == 1)
        await pool.close()
        let error = await #expect(throws: PostgresError.self) { try await pool.read("SELECT 1") }
        #expect(error?.kind == .closed)
    }

    @Test func `an owner whose reads never end leaves the connection to others`() async throws {
        let pool = try await pool { $0.acquireTimeout = .seconds(5) }
        let readers = (0..<2).map { number in
            Task {
                try await ConnectionOwner.$current.withValue(.account(1)) {
                    // The other begins while this one reads: there is always one that waits.
                    try await Task.sleep(for: .milliseconds(number * 25))
                    while !Task.isCancelled { _ = try? await pool.read("SELECT pg_sleep(0.05)::text") }
                }
            }
        }
        defer { for reader in readers { reader.cancel() } }
        try await Task.sleep(for: .milliseconds(200))
        try await ConnectionOwner.$current.withValue(.account(2)) {
            for _ in 0..<5 {
                let rows = try await pool.query("SELECT 1")
                #expect(rows.count == 1)
            }
        }
    }
}
