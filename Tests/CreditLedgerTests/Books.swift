import CreditLedger
import Logging
import MailTypes
import Postgres
import TestDatabases
import Testing

/// A database with one account, and the calls of the ledger each in a transaction of its own.
struct Books {
    let database: TestDatabase
    /// Waits longer for a connection than a program would: a thousand tasks share the pool on a busy machine.
    let pool: PostgresPool
    let ledger: CreditLedger
    let account: AccountID

    init(credits: Int64 = 0, limit: Int64 = 0) async throws {
        let ledger = CreditLedger(chainKey: [UInt8](repeating: 7, count: 32))
        database = try await TestDatabase.make(migrations: CreditLedger.migrations)
        var configuration = database.configuration()
        configuration.acquireTimeout = .seconds(300)
        pool = PostgresPool(configuration: configuration, logger: Logger(label: "test"))
        account = try await pool.withTransaction { connection in
            let account = try await ledger.createAccount(name: "Firma Käse & Söhne", limit: limit, on: connection)
            if credits > 0 { try await ledger.grant(credits, to: account, key: "opening", on: connection) }
            return account
        }
        self.ledger = ledger
    }

    static func campaign(_ number: Int64) -> CampaignID { CampaignID(rawValue: number) }

    @discardableResult
    func run<Value: Sendable>(
        _ body: (CreditLedger, AccountID, PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await pool.withTransaction { connection in try await body(ledger, account, connection) }
    }

    func reserve(
        _ holds: [(batch: Int32, amount: Int64)], campaign: Int64 = 1, key: String? = nil
    ) async throws {
        try await run { ledger, account, connection in
            _ = try await ledger.reserve(
                holds, account: account, campaign: Self.campaign(campaign), key: key, on: connection)
        }
    }

    @discardableResult
    func settle(
        _ batch: Int32, charged: Int64, carried: [(batch: Int32, amount: Int64)] = [], campaign: Int64 = 1,
        key: String? = nil
    ) async throws -> LedgerEntry {
        try await run { ledger, account, connection in
            let entry = try await ledger.settle(
                BatchID(account: account, campaign: Self.campaign(campaign), number: batch), charged: charged,
                carried: carried, key: key, on: connection)
            return try #require(entry)
        }
    }

    @discardableResult
    func release(_ batches: [Int32], campaign: Int64 = 1, key: String? = nil) async throws -> Int64 {
        try await run { ledger, account, connection in
            try await ledger.release(
                account: account, campaign: Self.campaign(campaign), batches: batches, key: key, on: connection)
        }
    }

    func balance() async throws -> CreditBalance { try await run { try await $0.balance($1, on: $2) } }

    func campaignCredits(_ campaign: Int64 = 1) async throws -> CampaignCredits {
        try await run { try await $0.campaignCredits(account: $1, campaign: Self.campaign(campaign), on: $2) }
    }

    func entries() async throws -> [LedgerEntry] { try await run { try await $0.entries($1, limit: 1_000, on: $2) } }

    func verify() async throws -> LedgerVerification {
        try await pool.withConnection { connection in try await ledger.verify(on: connection) }
    }

    /// Changes rows as the owner, with the guards taken off: what only a hand in the tables can do.
    func tamper(_ statement: String, table: String = "ledger_entries") async throws {
        try await database.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    ALTER TABLE \(table) DISABLE TRIGGER USER;
                    \(statement);
                    ALTER TABLE \(table) ENABLE TRIGGER USER;
                    """)
        }
    }
}
