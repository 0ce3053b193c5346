import CreditLedger
import Feedback
import MailTypes
import Postgres
import TestDatabases
import Vault
import Webhooks

/// A suppression list and two accounts. Records and keys share one database here.
struct Lists {
    let database: TestDatabase
    let list: SuppressionList
    let vault: Vault
    let first: AccountID
    let second: AccountID

    init() async throws {
        database = try await TestDatabase.make(
            migrations: CreditLedger.migrations + FeedbackSchema.migrations + Vault.migrations
                + Vault.recordsMigrations + WebhookSchema.migrations)
        vault = Vault(pool: database.pool, records: database.pool, masterKey: MasterKey())
        list = SuppressionList(records: database.pool, vault: vault)
        first = try await Self.account("first", vault, database)
        second = try await Self.account("second", vault, database)
    }

    private static func account(_ name: String, _ vault: Vault, _ database: TestDatabase) async throws -> AccountID {
        try await database.pool.withTransaction { connection in
            let account = try await CreditLedger(chainKey: [1]).createAccount(name: name, on: connection)
            try await vault.createAccountKey(account, on: connection)
            return account
        }
    }

    func fingerprint(_ address: String, _ account: AccountID) async throws -> Fingerprint {
        try await vault.accountKeys(account).fingerprinter.fingerprint(EmailAddress(address))
    }

    @discardableResult
    func run<Value: Sendable>(
        _ body: (SuppressionList, PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await database.pool.withTransaction { connection in try await body(list, connection) }
    }

    static func addresses(_ texts: String...) throws -> [EmailAddress] { try texts.map { try EmailAddress($0) } }
}
