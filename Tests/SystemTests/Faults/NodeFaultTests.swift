import Foundation
import Testing

/// Nodes stand still, die, are asked to stop or run out of what the system gives them.
@Suite(.serialized) struct NodeFaultTests {
    /// The first node stops for more than twice its lease while another takes its work, and then goes on.
    @Test(.timeLimit(.minutes(5))) func `a node stands still beyond its lease`() async throws {
        let database = try ExternalPostgres()
        let run = try FaultRun(recipients: 3_000, seed: 81, database: database)
        try await run.waitUntilTaken(300)
        try run.startNode("other")
        kill(run.installation.server.identifier, SIGSTOP)
        try await run.pause(7_000...7_500)
        kill(run.installation.server.identifier, SIGCONT)
        try await run.waitForEnd()
        #expect(run.installation.server.isRunning)
        try run.finish("stopped and continued")
    }

    @Test(.timeLimit(.minutes(5))) func `three nodes of which one is always dying`() async throws {
        let database = try ExternalPostgres()
        let run = try FaultRun(
            recipients: 5_000, seed: 82, database: database,
            sink: ["--bounce-share", "0.03", "--defer-share", "0.05"])
        try run.startNode("b")
        try run.startNode("c")
        for _ in 0..<6 {
            try await run.pause(700...1_800)
            let victim = ["b", "c"].randomElement(using: &run.generator) ?? "b"
            try run.node(victim).kill9()
            try run.checker.checkBooks()
            try run.startNode(victim)
        }
        run.installation.server.kill9()
        try await run.waitForEnd()
        try run.finish("three nodes")
    }

    /// Of a node that was killed the server still has statements before it. Its next incarnation has claimed the batches
    /// under another epoch by then: they change nothing, and what the dead one knew is given in by the next.
    @Test(.timeLimit(.minutes(5))) func `statements that outlive their node`() async throws {
        let database = try ExternalPostgres()
        let run = try FaultRun(recipients: 2_000, seed: 86, database: database)
        try await run.waitUntilTaken(300)
        let sessions = try await Self.stopJournal(of: run)
        defer { for session in sessions { kill(session, SIGCONT) } }
        // Answers go on coming, and what is to be committed lies in the sockets.
        try await run.pause(700...900)
        run.installation.server.kill9()
        let going = Task {
            try? await Task.sleep(for: .seconds(15))
            for session in sessions { kill(session, SIGCONT) }
        }
        try run.installation.restart()
        try await run.wait("the next incarnation has begun", seconds: 14) {
            run.log.contains("work of an earlier incarnation taken up")
        }
        for session in sessions { kill(session, SIGCONT) }
        going.cancel()
        try await run.waitForEnd()
        let summary = try run.finish("statements that outlive their node")
        #expect(summary.surplus == 0 && summary.delivered == 2_000)
    }

    /// Stops the server's processes that serve the node's journal, all of them between two statements: so none keeps a row
    /// locked.
    private static func stopJournal(of run: FaultRun) async throws -> [pid_t] {
        let ofJournal = "FROM pg_stat_activity WHERE application_name = 'sluice journal'"
        for _ in 0..<200 {
            let sessions = try run.checker.console.rows("SELECT pid \(ofJournal)").compactMap { pid_t($0[0]) }
            for session in sessions { kill(session, SIGSTOP) }
            let busy = try run.checker.console.number("SELECT count(*) \(ofJournal) AND state <> 'idle'")
            if !sessions.isEmpty, busy == 0 { return sessions }
            for session in sessions { kill(session, SIGCONT) }
            try await run.pause(5...40)
        }
        throw CocoaError(.featureUnsupported)
    }

    /// Each time the node ends by itself, soon, and nothing is in doubt.
    @Test(.timeLimit(.minutes(5))) func `asked to stop under load`() async throws {
        let run = try FaultRun(recipients: 2_000, seed: 83, suppressed: 2)
        for stop in 1...3 {
            try await run.waitUntilTaken(stop * 400)
            let start = ContinuousClock.now
            _ = run.installation.server.terminate()
            #expect(ContinuousClock.now - start < .seconds(20))
            try run.installation.restart()
        }
        try await run.waitForEnd()
        let summary = try run.finish("SIGTERM")
        #expect(summary.surplus == 0 && summary.resent == 0 && summary.inDoubt == 0)
        #expect(summary.delivered == 1_998)
    }

    /// The process may open few files: it has fewer connections, to mail servers and from API clients, and goes on.
    @Test(.timeLimit(.minutes(5))) func `few file descriptors`() async throws {
        let run = try FaultRun(
            recipients: 1_500, seed: 84, serve: ["--connections", "500"],
            launcher: ["prlimit", "--nofile=128:128"])
        let idle = (0..<200).compactMap { _ in LoopbackPort.connect(run.installation.apiPort) }
        #expect(idle.count == 200)
        let open = try FileManager.default.contentsOfDirectory(
            atPath: "/proc/\(run.installation.server.identifier)/fd"
        ).count
        #expect(open < 128, "\(open) descriptors")
        try await run.waitForEnd()
        #expect(run.installation.server.isRunning)
        for descriptor in idle { close(descriptor) }
        // Clients that had to wait are served now.
        #expect(try run.installation.status(run.campaign).state == "completed")
        let summary = try run.finish("few descriptors")
        #expect(summary.surplus == 0 && summary.resent == 0)
    }

    /// The node's wall clock jumps forward and back by an hour, further than the campaign may last. Leases and pauses go by
    /// steady clocks and by the database's.
    @Test(.timeLimit(.minutes(5))) func `the clock jumps by an hour`() async throws {
        let directory = try TemporaryDirectory()
        guard let clock = try ShiftedClock(directory) else { return print("skipped: there is no C compiler") }
        let run = try FaultRun(
            directory, recipients: 2_000, seed: 85, sink: ["--defer-share", "0.05"],
            launcher: clock.launcher)
        _ = try run.checker.console.rows("UPDATE campaigns SET expires_at = clock_timestamp() + interval '20 minutes'")
        for (taken, seconds) in [(200, 3_600), (700, -3_600), (1_200, 0)] {
            try await run.waitUntilTaken(taken)
            try clock.shift(seconds: seconds)
        }
        try await run.waitForEnd()
        let summary = try run.finish("clock")
        #expect(summary.surplus == 0 && summary.delivered == 2_000)
    }
}
