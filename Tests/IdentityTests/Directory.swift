import CreditLedger
import Identity
import MailTypes
import Postgres
import Synchronization
import TestDatabases

/// A database with one account, and a clock that the test turns.
struct Directory {
    let database: TestDatabase
    let account: AccountID
    let clock = TestClock()

    init() async throws {
        database = try await TestDatabase.make(migrations: CreditLedger.migrations + IdentitySchema.migrations)
        account = try await Self.account("first", in: database)
    }

    func account(_ name: String) async throws -> AccountID { try await Self.account(name, in: database) }

    func keys(cacheSeconds: Int64 = IdentityLimits.cacheSeconds) -> APIKeys {
        APIKeys(pool: database.pool, cacheSeconds: cacheSeconds, clock: { [clock] in clock.seconds })
    }

    /// A new key with everything that a test may want of it.
    func key(_ name: String = "server", _ terms: KeyTerms = KeyTerms()) async throws -> (key: APIKey, id: APIKeyID) {
        let made = try await keys().create(account: account, name: name, terms: terms)
        return (made.key, made.record.id)
    }

    /// By the database's clock.
    func hoursFromNow(_ hours: Int32) async throws -> PostgresTimestamp {
        try await database.pool.query("SELECT date_trunc('second', now()) + \(hours) * interval '1 hour'").only
            .decode(PostgresTimestamp.self)
    }

    private static func account(_ name: String, in database: TestDatabase) async throws -> AccountID {
        try await database.pool.withTransaction { connection in
            try await CreditLedger(chainKey: [1]).createAccount(name: name, on: connection)
        }
    }
}

final class TestClock: Sendable {
    private let now = Atomic<Int64>(1_000)

    var seconds: Int64 { now.load(ordering: .relaxed) }

    func advance(bySeconds seconds: Int64) { now.add(seconds, ordering: .relaxed) }
}
