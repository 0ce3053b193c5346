import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Vault

@Suite("Vault")
struct VaultTests {
    private let account = AccountID(rawValue: 5)
    private let campaign = CampaignID(rawValue: 70)
    private let masterKey = MasterKey()
    private let place = SealContext(
        account: AccountID(rawValue: 5), campaign: CampaignID(rawValue: 70), batch: 1, purpose: .recipients)

    @Test func `a campaign key is found again`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let made = try await vault(database).createCampaignKey(account, campaign)
        let sealed = try made.seal([1, 2, 3], as: place)
        // Another vault object has nothing cached.
        let read = try await vault(database).campaignKey(account, campaign)
        #expect(try read.open(sealed, as: place) == [1, 2, 3])
    }

    @Test func `a campaign has one key`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let vault = vault(database)
        let key = try await vault.createCampaignKey(account, campaign)
        #expect(await failure { try await vault.createCampaignKey(account, campaign) } == .keyExists)
        #expect(try await vault.campaignKey(account, campaign).bytes == key.bytes)
        let others = [
            try await vault.createCampaignKey(AccountID(rawValue: 6), campaign),
            try await vault.createCampaignKey(account, CampaignID(rawValue: 71)),
        ]
        #expect(Set(others.map(\.bytes) + [key.bytes]).count == 3)
    }

    @Test func `a destroyed key is gone for good`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let vault = vault(database)
        _ = try await vault.createCampaignKey(account, campaign)
        #expect(try await vault.destroyCampaignKey(account, campaign))
        #expect(try await !vault.destroyCampaignKey(account, campaign))
        #expect(await failure { try await vault.campaignKey(account, campaign) } == .destroyed)
        #expect(await failure { try await vault.createCampaignKey(account, campaign) } == .keyExists)
        let row = try await database.owner.query(
            "SELECT wrapped IS NULL, destroyed_at IS NOT NULL FROM campaign_keys"
        ).only.decode(Bool.self, Bool.self)
        #expect(row == (true, true))
    }

    @Test func `a key that never was is told from a destroyed one`() async throws {
        let vault = vault(try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations))
        #expect(await failure { try await vault.campaignKey(account, campaign) } == .noKey)
        #expect(try await !vault.destroyCampaignKey(account, campaign))
    }

    @Test func `a key destroyed elsewhere is forgotten on request`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let (here, there) = (vault(database), vault(database))
        _ = try await here.createCampaignKey(account, campaign)
        #expect(try await there.destroyCampaignKey(account, campaign))
        here.forget(account, campaign)
        #expect(await failure { try await here.campaignKey(account, campaign) } == .destroyed)
    }

    @Test func `a destroyed key cannot be put back`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let vault = vault(database)
        _ = try await vault.createCampaignKey(account, campaign)
        let wrapped = try await database.pool.query("SELECT wrapped FROM campaign_keys").only.decode([UInt8].self)
        _ = try await vault.destroyCampaignKey(account, campaign)
        for pool in [database.pool, database.owner] {
            await #expect(throws: PostgresError.self) {
                try await pool.query("UPDATE campaign_keys SET wrapped = \(wrapped), destroyed_at = NULL")
            }
        }
    }

    @Test func `the application can neither delete nor rewrite keys`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let vault = vault(database)
        _ = try await vault.createCampaignKey(account, campaign)
        try await vault.createAccountKey(account, on: database)
        try await vault.checkMasterKey()
        let statements: [SQL] = [
            "DELETE FROM campaign_keys", "DELETE FROM account_keys", "DELETE FROM vault_check",
            "UPDATE account_keys SET wrapped = ''", "UPDATE vault_check SET sealed = ''",
            "UPDATE campaign_keys SET account_id = 9", "TRUNCATE campaign_keys",
        ]
        for statement in statements {
            let error = await #expect(throws: PostgresError.self) { try await database.pool.query(statement) }
            #expect(error?.sqlState == .insufficientPrivilege)
        }
    }

    @Test func `a row moved to another campaign does not unwrap`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        _ = try await vault(database).createCampaignKey(account, campaign)
        for (otherAccount, otherCampaign) in [(5, 71), (6, 70)] as [(Int64, Int64)] {
            try await database.owner.query(
                """
                INSERT INTO campaign_keys (account_id, campaign_id, wrapped)
                SELECT \(otherAccount), \(otherCampaign), wrapped FROM campaign_keys
                WHERE account_id = 5 AND campaign_id = 70
                """)
            let moved = await failure {
                try await vault(database).campaignKey(
                    AccountID(rawValue: otherAccount), CampaignID(rawValue: otherCampaign))
            }
            #expect(moved == .notAuthentic)
        }
    }

    @Test func `the database never holds a plain key`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let key = try await vault(database).createCampaignKey(account, campaign)
        let wrapped = try await database.pool.query("SELECT wrapped FROM campaign_keys").only.decode([UInt8].self)
        // A nonce of 12 octets and a tag of 16.
        #expect(wrapped.count == SealingKey.byteCount + 28)
        #expect(!wrapped.indices.dropLast(7).contains { wrapped[$0..<($0 + 8)].elementsEqual(key.bytes.prefix(8)) })
    }

    @Test func `the first master key is the vault's own`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        #expect(try await vault(database).checkMasterKey())
        #expect(try await !vault(database).checkMasterKey())
        let stranger = Vault(pool: database.pool, records: database.pool, masterKey: MasterKey())
        let error = await #expect(throws: VaultError.self) { try await stranger.checkMasterKey() }
        #expect(error?.code == .wrongMasterKey)
        #expect(error?.detail.contains("earlier key") == true)
        // The failed start has changed nothing.
        #expect(try await !vault(database).checkMasterKey())
    }

    @Test func `another master key opens nothing`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        _ = try await vault(database).createCampaignKey(account, campaign)
        try await vault(database).createAccountKey(account, on: database)
        let stranger = Vault(pool: database.pool, records: database.pool, masterKey: MasterKey())
        #expect(await failure { try await stranger.campaignKey(account, campaign) } == .notAuthentic)
        #expect(await failure { try await stranger.accountKeys(account) } == .accountKeyWrong)
    }

    @Test func `an account has one key, however many make it`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let address = try EmailAddress("jane@example.org")
        let vaults = (0..<8).map { _ in vault(database) }
        let fingerprints = try await withThrowingTaskGroup(of: Fingerprint.self) { group in
            for vault in vaults {
                group.addTask {
                    try await vault.createAccountKey(self.account, on: database)
                    return try await vault.accountKeys(self.account).fingerprinter.fingerprint(address)
                }
            }
            var found: Set<Fingerprint> = []
            for try await fingerprint in group { found.insert(fingerprint) }
            return found
        }
        #expect(fingerprints.count == 1)
        try await vault(database).createAccountKey(AccountID(rawValue: 6), on: database)
        let other = try await vault(database).accountKeys(AccountID(rawValue: 6))
        #expect(!fingerprints.contains(other.fingerprinter.fingerprint(address)))
        let again = try await vaults[0].accountKeys(account)
        #expect(fingerprints.contains(again.fingerprinter.fingerprint(address)))
    }

    @Test func `the ledger's key depends on the master key only`() async throws {
        let database = try await TestDatabase.make(migrations: Vault.migrations + Vault.recordsMigrations)
        let key = vault(database).ledgerChainKey
        #expect(key.count == 32)
        #expect(key == vault(database).ledgerChainKey)
        #expect(key != Vault(pool: database.pool, records: database.pool, masterKey: MasterKey()).ledgerChainKey)
    }

    private func vault(_ database: TestDatabase) -> Vault {
        Vault(pool: database.pool, records: database.pool, masterKey: masterKey)
    }

    private func failure(_ body: () async throws -> some Any) async -> VaultError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? VaultError)?.code
        }
    }
}

extension Vault {
    /// As the transaction that makes the account does.
    func createAccountKey(_ account: AccountID, on database: TestDatabase) async throws {
        try await database.owner.withConnection { try await self.createAccountKey(account, on: $0) }
    }
}
