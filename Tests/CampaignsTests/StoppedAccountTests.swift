import CreditLedger
import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Campaigns

/// A lost key stops its account, before anything of it is sent, and nobody else.
@Suite struct StoppedAccountTests {
    @Test func `mail of an account without its key is not claimed, and that of others is`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 10)
        let campaign = try await fixture.sent(8)
        _ = try await fixture.sent(4, account: other)
        let key = try await fixture.takeKey(of: fixture.account)
        let store = fixture.newStore()
        let claimed = try await store.claim(node: "n", leaseSeconds: 60, limit: 16)
        #expect(claimed.map(\.id.account) == [other])
        // It was not even begun.
        #expect(try await fixture.status(campaign).state == .queued)
        #expect(try await store.claim(node: "n", leaseSeconds: 60, limit: 16).isEmpty)
        let leased = try await fixture.records.owner.query(
            "SELECT count(*) FROM batches WHERE lease_node IS NOT NULL AND account_id = \(fixture.account.rawValue)"
        ).only.decode(Int64.self)
        #expect(leased == 0)

        // What comes due meanwhile is not looked at again and again.
        func epochs() async throws -> Int64 {
            try await fixture.records.owner.query("SELECT sum(epoch)::bigint FROM batches").only.decode(Int64.self)
        }
        let before = try await epochs()
        try await fixture.makeDue()
        #expect(try await store.claim(node: "n", leaseSeconds: 60, limit: 16).isEmpty)
        #expect(try await epochs() == before)

        try await fixture.putBack(key, of: fixture.account)
        try await fixture.makeDue()
        let resumed = try await fixture.newStore().claim(node: "n", leaseSeconds: 60, limit: 16)
        #expect(resumed.count == 2 && resumed.allSatisfy { $0.id.account == fixture.account })
    }

    @Test func `an address is neither suppressed nor looked up under another key`() async throws {
        let fixture = try await CampaignFixture.make()
        let address = try EmailAddress("gone@example.org")
        _ = try await fixture.suppressions.add(
            [address], account: fixture.account, reason: .unsubscribe, origin: .recipient)
        _ = try await fixture.takeKey(of: fixture.account)
        let list = SuppressionList(records: fixture.records.pool, vault: fixture.newVault())
        let calls: [() async throws -> Void] = [
            { _ = try await list.find(address, account: fixture.account) },
            { _ = try await list.remove(address, account: fixture.account) },
            { _ = try await list.add([address], account: fixture.account, reason: .manual, origin: .customer) },
        ]
        for call in calls {
            let error = await #expect(throws: VaultError.self) { try await call() }
            #expect(error?.code == .accountKeyMissing)
        }
        let keys = try await fixture.vaultDatabase.owner.query("SELECT count(*) FROM account_keys").only.decode(
            Int64.self)
        #expect(keys == 0)
    }

    @Test func `an account that an older version has made and not used gets its key at the next start`() async throws {
        let fixture = try await CampaignFixture.make()
        let account = try await fixture.records.pool.withTransaction { connection in
            try await fixture.ledger.createAccount(name: "older", on: connection)
        }
        #expect(try await fixture.vault.existingAccountKeys(account)?.checkValue == nil)
        _ = try await fixture.takeKey(of: fixture.account)
        try await fixture.newVault().completeAccounts()
        _ = try await fixture.newVault().accountKeys(account)
        // Not so one whose key was lost.
        let error = await #expect(throws: VaultError.self) { try await fixture.newVault().accountKeys(fixture.account) }
        #expect(error?.code == .accountKeyMissing)
    }

    @Test func `a migration expects a key of those accounts that must have one`() async throws {
        let before = Stores.migrations.filter { $0.version < 520 }
        let database = try await TestDatabase.make(migrations: before, logger: .silent)
        try await database.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    INSERT INTO account_names (name) VALUES ('a'), ('b'), ('c'), ('d');
                    INSERT INTO accounts (account_id, name) SELECT account_id, name FROM account_names;
                    INSERT INTO domains (account_id, domain) VALUES (1, 'a.example');
                    INSERT INTO suppressions (account_id, fingerprint, reason, origin)
                    VALUES (2, decode(repeat('00', 16), 'hex'), 4, 'customer');
                    INSERT INTO campaigns (account_id, campaign_id, from_domain) VALUES (3, 1, 'c.example');
                    """)
            _ = try await Migrations.apply(Stores.migrations, on: connection)
        }
        let expected = try await database.owner.query(
            "SELECT account_id FROM account_key_checks WHERE check_value IS NULL ORDER BY 1"
        ).map { try $0.decode(Int64.self) }
        #expect(expected == [1, 2, 3])
    }
}

extension CampaignFixture {
    /// As another process has it: nothing is in memory.
    func newVault() -> Vault {
        stores.newVault()
    }

    func newStore() -> DeliveryStore {
        DeliveryStore(
            records: records.pool, vault: newVault(), ledger: ledger, suppressions: suppressions, logger: .silent)
    }

    /// Takes the account's key out of the vault, as a restore of an older backup leaves it.
    func takeKey(of account: AccountID) async throws -> [UInt8] {
        try await vaultDatabase.owner.query(
            "DELETE FROM account_keys WHERE account_id = \(account.rawValue) RETURNING wrapped"
        ).only.decode([UInt8].self)
    }

    func putBack(_ wrapped: [UInt8], of account: AccountID) async throws {
        try await vaultDatabase.owner.query(
            "INSERT INTO account_keys (account_id, wrapped) VALUES (\(account.rawValue), \(wrapped))")
    }
    /// As if the time had passed for which they wait.
    func makeDue() async throws {
        try await records.owner.query("UPDATE batches SET due_at = clock_timestamp() WHERE lease_node IS NULL")
        try await records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
    }
}
