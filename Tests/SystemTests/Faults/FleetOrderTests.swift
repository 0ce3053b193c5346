import Foundation
import Testing

/// Orders of operators reach every node that delivers.
@Suite(.serialized) struct FleetOrderTests {
    /// A node's lane as `sluice lane list --json` tells it.
    private struct Lane: Decodable {
        let name: String
        let state: String
        let accepted: Int
    }

    @Test(.timeLimit(.minutes(10))) func `two nodes obey`() async throws {
        let database = try ExternalPostgres()
        // One node takes 8,000 at once: there is enough for the other, and slow enough that both are busy for a while.
        let recipients = 10_500
        let run = try FaultRun(recipients: recipients, seed: 91, database: database, sink: ["--slow-ms", "100"])
        let installation = run.installation
        let account = ["--account", installation.account]
        let sockets = [run.directory.path + "/data/operator.sock", run.directory.path + "/other.sock"]
        func command(_ arguments: String...) throws {
            try Programs.run(
                Programs.sluice,
                arguments + account + ["--data", run.directory.path + "/data", "--database-url", database.url()])
        }
        /// The only one of each node, once both have it.
        func lanes() throws -> [Lane] {
            let lanes = try sockets.flatMap { socket in
                let text = try Programs.run(
                    Programs.sluice, ["lane", "list", "--json", "--operator-socket", socket])
                return try JSONDecoder().decode([Lane].self, from: Data(text.utf8))
            }
            guard lanes.count == sockets.count else { throw CocoaError(.fileReadNoSuchFile) }
            return lanes
        }
        /// All batches are given back, so that no mail is under way any more.
        func isStill() throws -> Bool {
            try run.checker.console.number("SELECT count(*) FROM batches WHERE lease_node IS NOT NULL") == 0
        }

        // Held until both are there, or the first had it all.
        try await run.waitUntilTaken(50)
        try command("account", "suspend")
        try run.startNode("other", ["--operator-socket", sockets[1]])
        try await run.wait("the nodes are there and hold nothing", seconds: 60) {
            try run.checker.console.number("SELECT count(*) FROM nodes") == 2 && isStill()
        }
        try command("account", "resume")
        try await run.wait("both deliver", seconds: 120) {
            try lanes().allSatisfy { $0.accepted > 20 }
                && run.checker.console.number("SELECT count(DISTINCT lease_node) FROM batches") == 2
        }

        // Stopped while both have work: not one more final dot.
        try command("account", "suspend", "--reason", "test")
        try await run.wait("both have stopped", seconds: 30) { try isStill() }
        let taken = try run.taken
        #expect(taken < recipients)
        try await run.pause(4_000...5_000)
        #expect(try run.taken == taken)
        #expect(try installation.status(run.campaign)["delivered"] == taken)

        // On again, both.
        let before = try lanes().map(\.accepted)
        try command("account", "resume")
        try await run.wait("both go on", seconds: 120) {
            try zip(lanes(), before).allSatisfy { $0.accepted > $1 }
        }
        try await run.waitForEnd(seconds: 400)
        let summary = try run.checker.checkEnd()
        print("two nodes, suspended and resumed: \(summary)")
        #expect(summary.delivered == recipients && summary.surplus == 0 && summary.resent == 0)
        #expect(try lanes().map(\.accepted).reduce(0, +) == recipients)

        // A lane that is drained takes nothing new, on neither node.
        try installation.sluice("credits", "grant", "--account", installation.account, "400", "--key", "more")
        try Programs.run(Programs.sluice, ["lane", "drain", "route", "--operator-socket", sockets[0]])
        try await run.wait("both drain", seconds: 30) { try lanes().allSatisfy { $0.state == "draining" } }
        let addresses = (0..<400).map { "late\($0)@example.net" }
        let late = try installation.send(
            subject: "Late", text: "Hello.",
            recipients: addresses.map { #"{"email":"\#($0)"}"# }.joined(separator: "\n"))
        try await run.wait("all of it went back", seconds: 60) {
            try installation.status(late)["deferred"] == 400 && isStill()
        }
        func arrived() throws -> [String: FaultChecker.Traffic] {
            try FaultChecker.traffic(run.sink.logPath).filter { $0.key.hasPrefix("late") }
        }
        #expect(try arrived().isEmpty)
        // The other node's order is lifted with it.
        try Programs.run(Programs.sluice, ["lane", "resume", "route", "--operator-socket", sockets[1]])
        let status = try await installation.wait(for: late, seconds: 120)
        #expect(status["delivered"] == 400 && status.credits.charged == 400)
        let copies = try arrived()
        #expect(copies.count == 400 && copies.values.allSatisfy { $0.copies == 1 })
        #expect(try run.checker.console.numbers("SELECT posted, held FROM accounts") == [50, 0])
        try run.checker.checkBooks()
        try installation.sluice("ledger", "verify")
        run.stop()
    }
}
