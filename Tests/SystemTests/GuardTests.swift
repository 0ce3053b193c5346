import Foundation
import Testing

/// What an operator is told while somebody with the owner's rights has switched off what guards the tables.
@Suite(.serialized) struct GuardTests {
    @Test(.timeLimit(.minutes(3))) func `verify and doctor say what guards no longer, as long as it is so`() throws {
        let installation = try Installation(
            directory: try TemporaryDirectory(), route: "smtp://127.0.0.1:9", credits: 10)
        defer { installation.killWithDatabase() }
        let database = try PrivateDatabase(installation)
        func asOwner(_ sql: String, in name: String = "sluice") throws {
            let binaries = try SQLConsole.binaries()
            try Programs.run(
                binaries + "/psql",
                ["-X", "-q", "-h", database.socketDirectory, "-U", "sluice_owner", "-d", name, "-c", sql])
        }
        func doctor() throws -> String {
            try Programs.finish(
                Programs.sluice,
                [
                    "doctor", "--dns", "127.0.0.1:1", "--helo", "mail.example.com", "--data",
                    installation.directory.path + "/data",
                ]
            ).output
        }
        #expect(try installation.sluice("ledger", "verify").contains("no difference"))
        #expect(try doctor().contains("ok       triggers, policies and grants are those that migrations have made"))

        // Before anything else was done: the books themselves are right.
        for (off, on, words, name) in [
            (
                "ALTER TABLE ledger_entries DISABLE TRIGGER USER",
                """
                ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER refuse_row, ENABLE ALWAYS TRIGGER refuse_statement,
                    ENABLE ALWAYS TRIGGER check_entry
                """, "the trigger refuse_row of ledger_entries is off, and should be always", "sluice"
            ),
            (
                "GRANT DELETE ON holds TO sluice_app", "REVOKE DELETE ON holds FROM sluice_app",
                "the grant of DELETE to sluice_app on holds (whole) comes from no migration", "sluice"
            ),
            (
                "ALTER TABLE campaign_keys DISABLE TRIGGER USER", "ALTER TABLE campaign_keys ENABLE TRIGGER USER",
                "vault: the trigger campaign_keys_only_destroyed of campaign_keys is off, and should be on",
                "sluice_vault"
            ),
        ] {
            try asOwner(off, in: name)
            let verified = try installation.sluice("ledger", "verify", expecting: 1)
            #expect(verified.contains("\n  \(words)\n"), "\(verified)")
            let examined = try doctor()
            #expect(examined.contains("PROBLEM  \(words): "), "\(examined)")
            try asOwner(on, in: name)
        }
        #expect(try installation.sluice("ledger", "verify").contains("no difference"))
    }
}
