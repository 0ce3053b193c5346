import Foundation
import Testing

/// Rows and keys are damaged while a campaign is on its way: it ends all the same, its books add up, somebody is told, and
/// the node goes on.
@Suite(.serialized) struct DamageFaultTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sql: String
    }

    private static func spoilt(_ column: String) -> String {
        "\(column) = set_byte(\(column), 20, get_byte(\(column), 20) # 1)"
    }

    static let damages = [
        Damage(
            testDescription: "a group of the journal",
            sql: "UPDATE journal SET \(spoilt("sealed")) WHERE seq = (SELECT min(seq) FROM journal)"),
        Damage(
            testDescription: "the recipients of a batch",
            sql: """
                UPDATE batch_recipients SET \(spoilt("sealed"))
                WHERE batch_no = (SELECT min(batch_no) FROM batches WHERE state IN (1, 2))
                """),
    ]

    @Test(.timeLimit(.minutes(3)), arguments: damages) func `what is damaged on the way`(_ damage: Damage) async throws
    {
        let run = try FaultRun(recipients: 2_500, seed: 91)
        let installation = run.installation
        try await Self.pause(run)
        let damaged = try run.checker.console.rows("WITH d AS (\(damage.sql) RETURNING 1) SELECT count(*) FROM d")
        #expect(damaged == [["1"]])
        try installation.sluice("campaign", "resume", "--account", installation.account, run.campaign)
        try await run.waitForEnd()
        #expect(installation.server.isRunning)
        let summary = try run.checker.checkEnd()
        #expect(summary.inDoubt > 0, "nobody knows what became of those")
        try installation.sluice("ledger", "verify")
        #expect(run.log.contains("batch cannot be"), "\(run.log.suffix(2_000))")
        run.stop()
    }

    /// Nobody can read any more what it was, or what became of it, so it does not end by itself; it can be ended.
    @Test(.timeLimit(.minutes(3))) func `the key of a campaign is damaged`() async throws {
        let run = try FaultRun(recipients: 2_500, seed: 93)
        let installation = run.installation
        try await Self.pause(run)
        var vault = try SQLConsole(installation)
        vault.database = "sluice_vault"
        // Triggers refuse it, as they refuse all but the end of a key.
        _ = try vault.rows(
            "SET session_replication_role = replica; UPDATE campaign_keys SET \(Self.spoilt("wrapped"))")
        try installation.sluice("campaign", "resume", "--account", installation.account, run.campaign)
        try await run.wait("somebody is told", seconds: 30) { run.log.contains("batch cannot be") }
        try installation.sluice("campaign", "cancel", "--account", installation.account, run.campaign)
        let status = try installation.status(run.campaign)
        #expect(status.state == "cancelled" && status.sum == 2_500 && status.credits.held == 0)
        #expect(status["in_doubt"] > 0 && status.credits.charged == status["delivered"])
        try run.checker.checkBooks()
        try installation.sluice("ledger", "verify")
        #expect(installation.server.isRunning)
        run.stop()
    }

    /// Stops the campaign, and then the node as a crash does: what it had in its memory, keys above all, is gone.
    private static func pause(_ run: FaultRun) async throws {
        let installation = run.installation
        try await run.waitUntilTaken(150)
        try installation.sluice("campaign", "pause", "--account", installation.account, run.campaign)
        try await run.wait("nothing is at work", seconds: 30) {
            try run.checker.console.number("SELECT count(*) FROM batches WHERE lease_node IS NOT NULL") == 0
        }
        installation.server.kill9()
        try installation.restart()
    }

    /// Its key is another's: nothing of the account is sent or looked up, until the key is mended.
    @Test(.timeLimit(.minutes(3))) func `the key of an account is damaged`() async throws {
        let run = try FaultRun(recipients: 1_500, seed: 92)
        let installation = run.installation
        try await run.waitUntilTaken(100)
        installation.server.kill9()
        try installation.restart()
        var vault = try SQLConsole(installation)
        vault.database = "sluice_vault"
        _ = try vault.rows(
            "UPDATE account_keys SET \(Self.spoilt("wrapped")) WHERE account_id = \(installation.account)")
        installation.server.kill9()
        let before = try await run.takenAtRest()
        try installation.restart()
        try await run.wait("the account is stopped", seconds: 30) { run.log.contains("account stopped") }
        let answer = try installation.get("/v1/suppressions?address=somebody@example.org")
        #expect(answer.contains("account_key_lost"), "\(answer)")
        try await Task.sleep(for: .seconds(2))
        #expect(try run.taken == before, "no mail of the account is sent")
        #expect(installation.server.isRunning)
        // Mended, it goes on where it was.
        _ = try vault.rows(
            "UPDATE account_keys SET \(Self.spoilt("wrapped")) WHERE account_id = \(installation.account)")
        installation.server.kill9()
        try installation.restart()
        try await run.waitForEnd()
        _ = try run.checker.checkEnd()
        run.stop()
    }
}
