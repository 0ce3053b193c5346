import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Vault

/// A key that is lost or exchanged is never replaced: it stops its account, and no other.
@Suite struct AccountKeyLossTests {
    private let masterKey = MasterKey()
    private let account = AccountID(rawValue: 5)
    private let other = AccountID(rawValue: 6)

    private func make() async throws -> TestDatabase {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        for account in [account, other] { try await vault(database).createAccountKey(account, on: database) }
        return database
    }

    private func vault(_ database: TestDatabase) -> Vault {
        Vault(pool: database.pool, records: database.pool, masterKey: masterKey)
    }

    @Test(arguments: [
        ("DELETE FROM account_keys WHERE account_id = 5", VaultError.Code.accountKeyMissing, "has no key of it"),
        ("UPDATE account_keys SET wrapped = '\\x00' WHERE account_id = 5", .accountKeyWrong, "does not open"),
        (
            "UPDATE account_keys k SET wrapped = (SELECT wrapped FROM account_keys o WHERE o.account_id = 6) WHERE k.account_id = 5",
            .accountKeyWrong, "does not open"
        ),
        (
            "UPDATE account_key_checks SET check_value = decode(repeat('07', 16), 'hex') WHERE account_id = 5",
            .accountKeyWrong, "another key"
        ),
    ])
    func `a lost or wrong key stops its account alone, and nothing is changed`(
        _ damage: String, _ code: VaultError.Code, _ words: String
    ) async throws {
        let database = try await make()
        #expect(try await vault(database).accountKeyProblems() == [])
        try await database.owner.withConnection { try await $0.execute(script: damage) }
        let before = try await Self.state(database)
        let vault = vault(database)
        for _ in 0..<2 {
            let error = await #expect(throws: VaultError.self) { try await vault.accountKeys(account) }
            #expect(error?.code == code)
            #expect(error?.detail.hasPrefix("account 5 is stopped: ") == true)
            #expect(error?.detail.contains(words) == true)
            await #expect(throws: VaultError.self) { try await vault.existingAccountKeys(account) }
        }
        #expect(try await vault.accountKeyProblems().map(\.code) == [code])
        _ = try await vault.accountKeys(other)
        #expect(try await Self.state(database) == before)
    }

    @Test func `a key of before the check values gets its own when it is opened`() async throws {
        let database = try await make()
        try await database.owner.query("UPDATE account_key_checks SET check_value = NULL WHERE account_id = 5")
        #expect(try await vault(database).accountKeyProblems() == [])
        let keys = try await vault(database).accountKeys(account)
        let stored = try await database.owner.query("SELECT check_value FROM account_key_checks WHERE account_id = 5")
            .only.decode([UInt8].self)
        #expect(stored == keys.checkValue)
    }

    @Test func `a key of before the check values that is gone is missed`() async throws {
        let database = try await make()
        try await database.owner.query("UPDATE account_key_checks SET check_value = NULL WHERE account_id = 5")
        try await database.owner.query("DELETE FROM account_keys WHERE account_id = 5")
        let error = await #expect(throws: VaultError.self) { try await vault(database).accountKeys(account) }
        #expect(error?.code == .accountKeyMissing)
    }

    @Test func `who guesses account numbers makes no keys`() async throws {
        let database = try await make()
        let before = try await Self.state(database)
        let nobody = AccountID(rawValue: 99)
        #expect(try await vault(database).existingAccountKeys(nobody)?.checkValue == nil)
        let error = await #expect(throws: VaultError.self) { try await vault(database).accountKeys(nobody) }
        #expect(error?.code == .noKey)
        #expect(try await Self.state(database) == before)
    }

    @Test func `the check value is not one of the keys`() throws {
        let keys = AccountKeys(SealingKey())
        #expect(keys.checkValue.count == 16)
        #expect(!keys.tokenKey.exposed.starts(with: keys.checkValue))
        #expect(AccountKeys(SealingKey()).checkValue != keys.checkValue)
    }

    private static func state(_ database: TestDatabase) async throws -> [String] {
        try await database.owner.query(
            "SELECT k::text FROM account_keys k UNION ALL SELECT c::text FROM account_key_checks c ORDER BY 1"
        ).map { try $0.decode(String.self) }
    }
}
