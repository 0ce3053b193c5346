import Logging
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

struct ListenTests {
    @Test func `notifications arrive, and losses of the connection are told`() async throws {
        let database = try await TestDatabase.make()
        var notifications = database.pool.listen("work", "Odd \"name\"").makeAsyncIterator()
        #expect(await notifications.next() == .reconnected)
        try await database.pool.query("SELECT pg_notify(\("work"), \("first"))")
        #expect(await notifications.next() == .notification(channel: "work", payload: "first"))
        try await database.pool.query("SELECT pg_notify(\("Odd \"name\""), '')")
        #expect(await notifications.next() == .notification(channel: "Odd \"name\"", payload: ""))

        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        let ended = try await administrator.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = \(database.name) AND query LIKE 'LISTEN%'
            """)
        #expect(ended.count == 1)
        #expect(await notifications.next() == .reconnected)
        try await database.pool.query("SELECT pg_notify(\("work"), \("second"))")
        #expect(await notifications.next() == .notification(channel: "work", payload: "second"))
    }

    @Test func `a notification of a transaction that is rolled back does not arrive`() async throws {
        let database = try await TestDatabase.make()
        var notifications = database.pool.listen("work").makeAsyncIterator()
        #expect(await notifications.next() == .reconnected)
        struct Failure: Error {}
        await #expect(throws: Failure.self) {
            try await database.pool.withTransaction { connection in
                try await connection.query("SELECT pg_notify('work', 'undone')")
                throw Failure()
            }
        }
        try await database.pool.query("SELECT pg_notify('work', 'done')")
        #expect(await notifications.next() == .notification(channel: "work", payload: "done"))
    }

    @Test func `a reader that was too slow is told to look`() async throws {
        let database = try await TestDatabase.make()
        let stream = database.pool.listen("flood", "end")
        var notifications = stream.makeAsyncIterator()
        #expect(await notifications.next() == .reconnected)
        try await database.pool.query("SELECT pg_notify('flood', n::text) FROM generate_series(1, 3000) n")
        try await database.pool.query("SELECT pg_notify('end', '')")
        var isTold = false
        var count = 0
        while let notification = await notifications.next() {
            count += 1
            if notification == .reconnected { isTold = true }
            if notification == .notification(channel: "end", payload: "") { break }
        }
        // Either the reader kept up and saw all, or it was told of the loss.
        #expect(isTold || count == 3001)
    }

    @Test func `the stream ends with the pool, and the connection with the stream`() async throws {
        let database = try await TestDatabase.make()
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        func listeners() async throws -> Int {
            try await administrator.query(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = \(database.name) AND query LIKE 'LISTEN%'"
            ).only.decode(Int.self)
        }
        let task = Task {
            for await _ in database.pool.listen("work") {}
        }
        try await eventually { try await listeners() == 1 }
        task.cancel()
        await task.value
        try await eventually { try await listeners() == 0 }

        var notifications = database.pool.listen("work").makeAsyncIterator()
        #expect(await notifications.next() == .reconnected)
        await database.pool.close()
        #expect(await notifications.next() == nil)
        try await eventually { try await listeners() == 0 }
        var late = database.pool.listen("work").makeAsyncIterator()
        #expect(await late.next() == nil)
    }
}
