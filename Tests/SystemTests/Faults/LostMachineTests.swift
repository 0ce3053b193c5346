import Foundation
import Testing

@Suite(.serialized) struct LostMachineTests {
    private struct Answer: Decodable {
        let id: String?
        let key: String?
    }

    private func curl(_ path: String, _ key: String, _ body: String) -> [String] {
        [
            "curl", "-sS", "--max-time", "60", "-H", "Authorization: Bearer \(key)", "-H",
            "Content-Type: application/json", "-d", body, "http://\(LostMachine.address):8025\(path)",
        ]
    }

    /// The row of its account is locked then, and with it all mail of the account on all nodes.
    @Test(.timeLimit(.minutes(3)))
    func `a machine that is lost in the middle of a transaction frees its locks within seconds`() async throws {
        guard let machine = try LostMachine() else { return }
        let database = try ExternalPostgres(address: LostMachine.hostAddress)
        let directory = try TemporaryDirectory()
        // The cable between the two is this test's own.
        let data = [
            "--data", directory.path, "--database-url", database.url(address: LostMachine.hostAddress),
            "--allow-unsafe-database",
        ]
        let created = try Programs.run(Programs.sluice, ["account", "create", "a", "--credits", "5", "--json"] + data)
        let key = try #require(try JSONDecoder().decode(Answer.self, from: Data(created.utf8)).key)
        try Programs.run(Programs.sluice, ["domain", "add", "news.example.com", "--account", "1"] + data)
        let server = try machine.start(
            Programs.sluice,
            [
                "serve", "--roles", "api", "--http", "\(LostMachine.address):8025", "--force", "--helo",
                "mail.example.com",
            ] + data,
            log: directory.path + "/serve.log")
        _ = try server.readPort()
        let draft = try Programs.run(
            "/usr/bin/env",
            curl(
                "/v1/campaigns", key, #"{"from": "news@news.example.com", "subject": "Hello", "text": "Hello."}"#))
        let campaign = try #require(try JSONDecoder().decode(Answer.self, from: Data(draft.utf8)).id)

        // Makes the transaction last until the machine is gone.
        let holder = try RunningProgram(
            database.console.binaries + "/psql",
            [
                "-X", "-q", "-h", "127.0.0.1", "-p", "\(database.port)", "-U", "postgres", "-d", "sluice", "-c",
                "BEGIN; SELECT FROM campaigns FOR UPDATE; SELECT pg_sleep(2); COMMIT",
            ], log: directory.path + "/psql.log")
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice api' AND "
        while try database.console.number("SELECT count(*) FROM pg_locks WHERE mode = 'RowShareLock'") == 0 {
            usleep(10_000)
        }
        let request = try RunningProgram(
            "/usr/bin/env", curl("/v1/campaigns/\(campaign)/cancel", key, ""), log: directory.path + "/curl.log")
        let end = ContinuousClock.now + .seconds(20)
        while try database.console.number(waiting + "wait_event_type = 'Lock'") == 0, .now < end { usleep(10_000) }
        try machine.lose()
        while try database.console.number(waiting + "state = 'idle in transaction'") == 0, .now < end { usleep(10_000) }
        #expect(.now < end, "the transaction did not come so far")

        let start = ContinuousClock.now
        _ = try database.console.rows("SET lock_timeout = '60s'; SELECT 1 FROM accounts FOR UPDATE")
        #expect(ContinuousClock.now - start < .seconds(25))
        #expect(server.isRunning)
        server.kill9()
        withExtendedLifetime((holder, request)) {}
    }
}
