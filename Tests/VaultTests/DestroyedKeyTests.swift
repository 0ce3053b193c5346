import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

/// What is left of a destroyed key in the vault's files.
@Suite struct DestroyedKeyTests {
    /// The server's own cleaning, which comes by each minute, or each second here.
    @Test(.timeLimit(.minutes(2))) func `the wrapped key is gone from the data file soon, were it the only one`()
        async throws
    {
        let records = try await TestDatabase.make(migrations: Vault.recordsMigrations)
        let database = try await TestDatabase.make(migrations: Vault.migrations)
        let vault = Vault(pool: database.pool, records: records.pool, masterKey: MasterKey())
        let (account, campaign) = (AccountID(rawValue: 1), CampaignID(rawValue: 7))
        _ = try await vault.createCampaignKey(account, campaign)
        let administrator = try await PostgresConnection.connect(database.configuration(role: "postgres"))
        try await administrator.execute(script: "ALTER SYSTEM SET autovacuum_naptime = '1s'")
        try await administrator.query("SELECT pg_reload_conf()")
        let wrapped = try await administrator.query("SELECT wrapped FROM campaign_keys").only.decode([UInt8].self)
        func isInFile() async throws -> Bool {
            try await administrator.query("CHECKPOINT")
            return try await administrator.query(
                "SELECT position(\(wrapped) IN pg_read_binary_file(pg_relation_filepath('campaign_keys'))) > 0"
            ).only.decode(Bool.self)
        }
        #expect(try await isInFile())
        _ = try await vault.destroyCampaignKey(account, campaign)
        try await eventually("the dead row is cleared") { try await !isInFile() }
        await administrator.close()
    }
}
