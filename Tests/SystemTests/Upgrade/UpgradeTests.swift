import Foundation
import Identity
import Logging
import Postgres
import TestStores
import Testing

/// The databases are brought to a newer schema while a node of the version before sends mail, answers requests and takes
/// an upload in.
@Suite(.serialized) struct UpgradeTests {
    /// What a later version might bring, to the tables and functions that all mail goes through.
    private static let further = [
        Migration(
            version: 900_001, name: "columns",
            sql: "ALTER TABLE campaigns ADD COLUMN remark text; ALTER TABLE batches ADD COLUMN remark text"),
        Migration(
            version: 900_002, name: "an index", sql: "CREATE INDEX batches_by_remark ON batches (account_id, remark)"),
        Migration(
            version: 900_003, name: "functions of a newer text",
            sql: """
                DO $$
                DECLARE
                    f record;
                BEGIN
                    FOR f IN SELECT pg_get_functiondef(oid) AS text FROM pg_proc
                        WHERE pronamespace = current_schema()::regnamespace AND proname IN
                            ('append_journal', 'claim_batches', 'commit_journal', 'extend_leases', 'heartbeat', 'ledger_lock')
                    LOOP EXECUTE replace(f.text, 'BEGIN', 'BEGIN NULL;'); END LOOP;
                END $$
                """),
    ]

    /// The present version is the older one here, and another process's transaction stands still over a table that is to
    /// change. The migration gives way to all others until that has ended.
    @Test(.timeLimit(.minutes(5))) func `a migration waits for nobody long, and nobody for it`() async throws {
        let run = try UpgradeRun(credits: 20_000)
        defer { run.stop() }
        let campaign = try run.send("reader", 1_600, slowly: true)
        let upload = try run.beginUpload()
        let probe = RequestProbe(["/v1/campaigns/\(campaign)", "/v1/credits", "/v1/campaigns"], of: run.installation)
        try await run.wait("mail is under way") { try run.taken > 100 }

        let console = run.database.console
        let holder = try RunningProgram(
            console.binaries + "/psql",
            [
                "-X", "-q", "-d",
                "postgresql://postgres@127.0.0.1:\(run.database.port)/sluice?application_name=standing",
                "-c", "BEGIN; SELECT count(*) FROM batches; SELECT pg_sleep(600)",
            ], log: run.directory.path + "/holder.log")
        try await run.wait("the transaction stands") {
            try console.number(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'standing' AND wait_event = 'PgSleep'")
                == 1
        }
        let longest = try await LongestWait(run.database.url())
        let watch = Task { await longest.run() }
        let owner = try PostgresConfiguration(connectionString: run.database.url())
        let migration = Task {
            let list = Stores.migrations + IdentitySchema.migrations + Self.further
            try await Migrations.apply(list, as: owner, logger: Logger(label: "test"))
        }
        try await run.wait("the migration waits") {
            try console.number(
                """
                SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE application_name = 'sluice migrations' AND locktype = 'relation' AND NOT granted
                """) == 1
        }
        // Several tries long everything goes on.
        let (before, lines, answers) = (try run.taken, upload.written, probe.answered)
        try await run.wait("mail, upload and requests go on beside it") {
            try run.taken > before + 300 && upload.written > lines + 600 && probe.answered > answers + 50
        }
        #expect(try console.number("SELECT count(*) FROM schema_migrations WHERE version > 900000") == 0)
        _ = try console.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'standing'")
        try await migration.value
        #expect(try console.number("SELECT count(*) FROM schema_migrations WHERE version > 900000") == 3)
        withExtendedLifetime(holder) {}

        // Half a second is what the migration waits, and whoever stands behind it.
        watch.cancel()
        await watch.value
        #expect((0.2...2).contains(longest.seconds), "\(longest.seconds) s")
        try await run.send(upload)
        try await run.checkEnd()
        let statuses = try await probe.finish()
        #expect(Set(statuses.keys) == [200], "\(statuses)")
        #expect(run.installation.server.isRunning)
    }

    /// With the program of an older release, which `make upgrade` builds.
    @Test(.timeLimit(.minutes(10))) func `a release beside the one before`() async throws {
        guard let older = ProcessInfo.processInfo.environment["SLUICE_OLDER"] else {
            return print("skipped: SLUICE_OLDER names no program of an older release; make upgrade builds one")
        }
        let run = try UpgradeRun(program: older, credits: 100_000)
        defer { run.stop() }
        let installation = run.installation
        try await fill(run)
        let campaign = try run.send("reader", 4_000, slowly: true)
        let upload = try run.beginUpload()
        let probe = RequestProbe(
            ["/v1/campaigns/\(campaign)", "/v1/credits", "/v1/suppressions?limit=10"], of: installation)
        try await run.wait("mail is under way") { try run.taken > 200 }

        let console = run.database.console
        let schema = try console.number("SELECT count(*) FROM schema_migrations")
        let longest = try await LongestWait(run.database.url())
        let watch = Task { await longest.run() }
        let start = ContinuousClock.now
        try installation.sluice("account", "list", of: Programs.sluice)
        let (seconds, made) = (
            ContinuousClock.now - start, try console.number("SELECT count(*) FROM schema_migrations")
        )
        watch.cancel()
        await watch.value
        print("\(made - schema) migrations in \(seconds), nobody waited longer than \(longest.seconds) s for a table")
        #expect(made > schema, "SLUICE_OLDER is not older")
        #expect(longest.seconds < 2, "\(longest.seconds) s")

        // The older node goes on with what it had, and with what was paused and uploaded meanwhile.
        let before = try run.taken
        try await run.wait("the older node sends on") { try run.taken > before + 300 }
        for paused in run.paused {
            _ = try installation.post("/v1/campaigns/\(paused)/resume", "application/json", Data("{}".utf8))
        }
        try await run.send(upload)
        try await run.checkEnd()
        let statuses = try await probe.finish()
        #expect(Set(statuses.keys) == [200], "\(statuses)")
        #expect(installation.server.isRunning)
        try installation.sluice("ledger", "verify", of: Programs.sluice)

        // A newer one joins, and the older stops.
        let newer = try installation.startNode(
            "newer", roles: "api,delivery",
            ["--http", "127.0.0.1:0", "--operator-socket", run.directory.path + "/newer.sock"])
        try installation.handOver(to: newer, of: Programs.sluice)
        try run.send("later", 1_000)
        try await run.checkEnd()
        try installation.sluice("ledger", "verify")
    }

    /// Accounts, suppressions, campaigns that have ended, one that is paused and one that waits for its time.
    private func fill(_ run: UpgradeRun) async throws {
        let installation = run.installation
        for number in 1...5 { try installation.sluice("account", "create", "other\(number)", "--credits", "100") }
        let list = run.directory.path + "/suppressions.csv"
        try ("email\n" + (0..<100_000).map { "gone\($0)@example.net\n" }.joined()).write(
            toFile: list, atomically: false, encoding: .utf8)
        try installation.sluice("suppression", "import", "--account", installation.account, list)
        for number in 1...3 { try run.send("ended\(number)-", 1_500) }
        try await run.checkEnd()
        let paused = try run.send("paused", 1_000, slowly: true)
        _ = try installation.post("/v1/campaigns/\(paused)/pause", "application/json", Data("{}".utf8))
        run.paused.append(paused)
        _ = try installation.sluice("ledger", "verify")
    }
}
