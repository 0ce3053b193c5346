import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct IdempotencyTests {
    private let store = IdempotencyStore()
    private static let scope = "POST /v1/campaigns"
    private static let hash = [UInt8](repeating: 1, count: 32)

    @Test func a_stored_answer_is_found_under_key_scope_and_account() async throws {
        let directory = try await Directory()
        let other = try await directory.account("other")
        try await directory.database.pool.withTransaction { connection in
            try await put(directory.account, on: connection, body: [1, 2, 3])
            let answer = try #require(try await find(directory.account, on: connection))
            #expect(answer.requestHash == Self.hash)
            #expect((answer.status, answer.contentType, answer.body) == (201, "application/json", [1, 2, 3]))
            #expect(try await find(other, on: connection) == nil)
            #expect(try await find(directory.account, key: "l", on: connection) == nil)
            #expect(try await find(directory.account, scope: "POST /v1/messages", on: connection) == nil)
        }
    }

    @Test func a_claim_is_fresh_then_answered() async throws {
        let directory = try await Directory()
        let pool = directory.database.pool
        try await pool.withTransaction { connection in
            #expect(try await begin(directory.account, on: connection) == .fresh)
            try await put(directory.account, on: connection, body: [9])
        }
        let second = try await pool.withTransaction { try await begin(directory.account, on: $0) }
        guard case .answered(let answer) = second else {
            Issue.record("\(second)")
            return
        }
        #expect(answer.body == [9])
    }

    @Test func another_request_under_the_same_key_is_a_conflict() async throws {
        let directory = try await Directory()
        try await directory.database.pool.withTransaction { connection in
            try await put(directory.account, on: connection, body: [])
            let changed = [UInt8](repeating: 2, count: 32)
            await #expect(throws: IdempotencyError.differentRequest) {
                _ = try await begin(directory.account, hash: changed, on: connection)
            }
            await #expect(throws: IdempotencyError.differentRequest) {
                try await put(directory.account, hash: changed, on: connection, body: [])
            }
            await #expect(throws: IdempotencyError.alreadyAnswered) {
                try await put(directory.account, on: connection, body: [5])
            }
            #expect(try await find(directory.account, on: connection)?.body == [])
        }
    }

    @Test func an_effect_that_fails_leaves_no_answer() async throws {
        struct Failure: Error {}
        let directory = try await Directory()
        await #expect(throws: Failure.self) {
            try await directory.database.pool.withTransaction { connection in
                #expect(try await begin(directory.account, on: connection) == .fresh)
                try await put(directory.account, on: connection, body: [1])
                throw Failure()
            }
        }
        let again = try await directory.database.pool.withTransaction { try await begin(directory.account, on: $0) }
        #expect(again == .fresh)
    }

    @Test func simultaneous_repetitions_take_effect_once() async throws {
        let directory = try await Directory()
        try await directory.database.owner.execute("CREATE TABLE effects (n int); GRANT ALL ON effects TO sluice_app")
        let bodies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for number: UInt8 in 1...24 {
                group.addTask {
                    try await directory.database.pool.withTransaction { connection in
                        switch try await begin(directory.account, on: connection) {
                        case .answered(let answer): return answer.body
                        case .fresh:
                            try await connection.query("INSERT INTO effects VALUES (\(Int32(number)))")
                            try await put(directory.account, on: connection, body: [number])
                            return [number]
                        }
                    }
                }
            }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(bodies.count == 1)
        let rows = try await directory.database.pool.query("SELECT n FROM effects")
        #expect(try rows.map { try $0.decode(Int32.self) } == bodies.flatMap { $0 }.map(Int32.init))
    }

    @Test(arguments: ["", "a b", "ü", "line\nbreak", String(repeating: "k", count: 256)])
    func a_key_that_is_no_key_is_refused(key: String) async throws {
        let directory = try await Directory()
        try await directory.database.pool.withTransaction { connection in
            await #expect(throws: IdempotencyError.invalidKey) {
                _ = try await begin(directory.account, key: key, on: connection)
            }
            await #expect(throws: IdempotencyError.invalidKey) {
                try await put(directory.account, key: key, on: connection, body: [])
            }
        }
    }

    @Test func an_answer_over_the_limit_is_refused() async throws {
        let directory = try await Directory()
        try await directory.database.pool.withTransaction { connection in
            let largest = [UInt8](repeating: 7, count: IdentityLimits.bodyOctets)
            await #expect(throws: IdempotencyError.answerTooLarge) {
                try await put(directory.account, on: connection, body: largest + [7])
            }
            try await put(directory.account, on: connection, body: largest)
            #expect(try await find(directory.account, on: connection)?.body == largest)
        }
    }

    @Test func old_answers_are_swept() async throws {
        let directory = try await Directory()
        let pool = directory.database.pool
        try await directory.database.owner.query(
            """
            INSERT INTO idempotency_keys (account_id, scope, key, request_hash, status, body, created_at)
            SELECT \(directory.account.rawValue), 'POST /', 'k' || n, '', 200, '', now() - n * interval '1 minute'
            FROM generate_series(1, 6000) n
            """)
        // 48 hours are 2,880 minutes; the 2,880th may go or stay by the second.
        let swept = try await store.sweep(on: pool)
        #expect((3_120...3_121).contains(swept))
        #expect(try await store.sweep(on: pool) <= 1)
        #expect((2_878...2_880).contains(try await store.sweep(olderThanHours: 0, on: pool)))
    }

    private func begin(
        _ account: AccountID, key: String = "k", hash: [UInt8] = Self.hash, on connection: PostgresConnection
    ) async throws -> IdempotencyStore.Claim {
        try await store.begin(account: account, key: key, scope: Self.scope, requestHash: hash, on: connection)
    }

    private func put(
        _ account: AccountID, key: String = "k", hash: [UInt8] = Self.hash, on connection: PostgresConnection,
        body: [UInt8]
    ) async throws {
        try await store.store(
            account: account, key: key, scope: Self.scope, requestHash: hash, status: 201,
            contentType: "application/json", body: body, on: connection)
    }

    private func find(
        _ account: AccountID, key: String = "k", scope: String = Self.scope, on connection: PostgresConnection
    ) async throws -> StoredAnswer? {
        try await store.find(account: account, key: key, scope: scope, on: connection)
    }
}

extension PostgresPool {
    fileprivate func execute(_ script: String) async throws {
        try await withConnection { connection in try await connection.execute(script: script) }
    }
}
