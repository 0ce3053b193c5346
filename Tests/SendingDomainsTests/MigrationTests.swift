import Campaigns
import CreditLedger
import Feedback
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@Suite struct MigrationTests {
    @Test func `domains from before the proofs go on for the grace time, one account's each`() async throws {
        let before = Stores.migrations.filter { !SendingDomainsSchema.migrations.contains($0) }
        let database = try await TestDatabase.make(migrations: before, logger: .silent)
        try await database.owner.query("INSERT INTO accounts (account_id, name) VALUES (1, 'first'), (2, 'second')")
        try await database.owner.query(
            """
            INSERT INTO domains (account_id, domain, created_at) VALUES
                (1, 'shop.example', now()), (2, 'shop.example', now() - interval '1 day'), (1, 'own.example', now())
            """)
        try await database.owner.withConnection { connection in
            _ = try await Migrations.apply(before + SendingDomainsSchema.migrations, on: connection)
        }
        let rows = try await database.pool.query(
            """
            SELECT d.domain || ' ' || d.account_id || ' ' || d.state || ' ' || (o.domain IS NOT NULL)::text
            FROM domains d LEFT JOIN domain_owners o USING (domain, account_id) ORDER BY 1
            """
        ).map { try $0.decode(column: 0, as: String.self) }
        #expect(rows == ["own.example 1 failing true", "shop.example 1 pending false", "shop.example 2 failing true"])
        // An older node that still runs adds domains as it always did.
        try await database.pool.query("INSERT INTO domains (account_id, domain) VALUES (1, 'late.example')")
        let late = try await database.pool.query("SELECT state FROM domains WHERE domain = 'late.example'").only
        #expect(try late.decode(column: 0, as: String.self) == "pending")
    }
}
