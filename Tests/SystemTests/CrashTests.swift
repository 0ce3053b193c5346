import Foundation
import TestSupport
import Testing

/// The server is killed over and over in the middle of a campaign. A checker that reads only the sink's log and the
/// API's counters then looks whether promises P1 to P3 were kept.
@Suite(.serialized) struct CrashTests {
    @Test(.timeLimit(.minutes(15))) func `a campaign survives twenty kills`() async throws {
        try await killRepeatedly(kills: 20, recipients: 20_000, inDoubt: "resend", seed: 20_261_121)
    }

    private func killRepeatedly(kills: Int, recipients: Int, inDoubt: String, seed: UInt64) async throws {
        let seed = Seed.of(seed)
        var generator = SeededGenerator(seed)
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(
            directory, ["--bounce-share", "0.03", "--defer-share", "0.05", "--seed", "\(seed)"])
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: recipients + 77,
            // Kills may meet the same mails again and again; who is doubted more often than this ends in doubt.
            serve: ["--in-doubt-resends", "10"])
        let lines = (0..<recipients).map { #"{"email":"r\#($0)@example.net","name":"Reader \#($0)"}"# }
        let campaign = try installation.send(
            subject: "Hello {{name}}", text: "Dear {{name}},\nthis is your copy.\n",
            recipients: lines.joined(separator: "\n"))

        for kill in 0..<kills {
            // Some kills come right after the start, most while mails are under way.
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...1_500, using: &generator)))
            #expect(installation.server.isRunning, "kill \(kill): the server ended by itself")
            installation.server.kill9()
            try installation.restart()
            let status = try installation.status(campaign)
            #expect(status.sum == recipients, "kill \(kill): the counters sum to \(status.sum)")
        }
        let status = try await installation.wait(for: campaign, seconds: 600)
        try check(status, sink, installation, recipients: recipients)
    }

    private func check(
        _ status: Installation.Status, _ sink: SinkProcess, _ installation: Installation, recipients: Int
    ) throws {
        let copies = try sink.copies()
        let surplus = copies.values.reduce(0) { $0 + $1 - 1 }
        print(
            "crash test: \(status["delivered"]) delivered, \(status["bounced"]) bounced, \(surplus) copies too many, "
                + "\(status["in_doubt_resent"]) resent in doubt")
        #expect(status.state == "completed")
        #expect(status.sum == recipients)
        #expect(status["pending"] == 0 && status["deferred"] == 0)
        #expect(status["delivered"] + status["bounced"] == recipients)
        // Nobody is lost, and nobody counts as delivered who got nothing.
        #expect(copies.count == status["delivered"])
        // More copies than recipients only where the answer was lost, and each of those is on record (P3).
        #expect(surplus <= status["in_doubt_resent"] + status["in_doubt"])
        for (recipient, identifiers) in try sink.messageIDs() where identifiers.count != 1 {
            Issue.record("copies for \(recipient) have different Message-IDs")
        }
        // The credits add up to the last one (P2).
        #expect(status.credits.charged == status["delivered"])
        #expect(status.credits.held == 0)
        #expect(status.credits.charged + status.credits.released == recipients)
        struct Balance: Decodable {
            let posted, held, available: Int
        }
        let balance = try JSONDecoder().decode(
            Balance.self,
            from: Data(installation.sluice("credits", "balance", "--account", installation.account, "--json").utf8))
        #expect(balance.posted == recipients + 77 - status["delivered"])
        #expect(balance.held == 0)
        try installation.sluice("ledger", "verify")
    }
}
