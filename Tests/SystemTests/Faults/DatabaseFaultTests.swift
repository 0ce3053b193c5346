import Foundation
import Testing

/// PostgreSQL is killed, away, out of disk space or cut off while mail is under way.
@Suite(.serialized) struct DatabaseFaultTests {
    /// The private server: single processes of it, and then all.
    @Test(.timeLimit(.minutes(5))) func `the private server is killed`() async throws {
        let run = try FaultRun(recipients: 2_400, seed: 71, sink: ["--bounce-share", "0.03", "--defer-share", "0.05"])
        let folder = run.installation.directory.path + "/data/postgres"
        for kill in 0..<3 {
            try await run.waitUntilTaken(300 + kill * 600)
            if kill == 0 {
                // One backend: PostgreSQL then restarts all of them.
                let pid = try run.checker.console.number(
                    """
                    SELECT pid FROM pg_stat_activity
                    WHERE usename IN ('sluice_app', 'sluice_api') AND backend_type = 'client backend' ORDER BY random() LIMIT 1
                    """)
                Glibc.kill(pid_t(pid), SIGKILL)
            } else {
                try ServerProcesses.kill9(dataFolder: folder)
            }
            try await run.pause(100...800)
            #expect(run.installation.server.isRunning)
        }
        try await run.waitForEnd()
        try run.finish("database killed")
    }

    /// The operator's server is gone for more than two leases, and the API says so meanwhile.
    @Test(.timeLimit(.minutes(5))) func `an outage longer than the lease`() async throws {
        let database = try ExternalPostgres()
        let run = try FaultRun(recipients: 2_000, seed: 72, database: database)
        try await run.waitUntilTaken(300)
        try database.kill9()
        try await run.pause(500...500)
        let before = try run.taken
        let answer = try Programs.finish(
            "/usr/bin/env",
            [
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30", "-H",
                "Authorization: Bearer \(run.installation.key)",
                "http://127.0.0.1:\(run.installation.apiPort)/v1/credits",
            ])
        #expect(answer.output.hasPrefix("5"), "said \(answer.output)")
        try await run.pause(3_000...3_500)
        // What was permitted before may still go out; nothing new does.
        #expect(try run.taken - before <= 16)
        try database.start()
        try await run.waitForEnd()
        #expect(run.installation.server.isRunning)
        let summary = try run.finish("outage")
        // Every answer came: nothing that the node knew was sent again.
        #expect(summary.surplus == 0 && summary.resent == 0 && summary.inDoubt == 0)
    }

    /// The disk is full for a while: nothing that was accepted is lost, and work goes on by itself once there is room.
    @Test(.timeLimit(.minutes(5))) func `a full disk`() async throws {
        let directory = try TemporaryDirectory()
        guard let disk = try SmallDisk(directory.path + "/data", megabytes: 160) else { return }
        defer { withExtendedLifetime(disk) {} }
        let run = try FaultRun(directory, recipients: 3_000, seed: 73)
        try await run.waitUntilTaken(300)
        disk.fill()
        // The log of the database takes what room is left in its open file; then it fails.
        try await run.wait("the database is out of space", seconds: 30) { disk.isFull(run.log) }
        try await run.pause(3_000...4_000)
        #expect(run.installation.server.isRunning)
        disk.free()
        try await run.waitForEnd()
        try run.finish("full disk")
    }

    /// The first node's connections to the database stand still, without an end, while mail goes on flowing.
    @Test(.timeLimit(.minutes(5))) func `a node cut off from the database only`() async throws {
        let database = try ExternalPostgres()
        let wire = try BreakableWire(to: database.port)
        let run = try FaultRun(recipients: 2_400, seed: 74, database: database, databasePort: wire.port)
        try await run.waitUntilTaken(300)
        wire.freeze()
        try run.startNode("other", ["--database-url", database.url()])
        try await run.waitForEnd()
        // Now the first one hears again, of leases long lost.
        wire.thaw()
        try await run.wait("the first node answers again", seconds: 60) {
            try run.installation.status(run.campaign).purgedAt != nil
        }
        try run.finish("cut off")
        wire.cut()
    }
}

/// A small file system of its own, in memory.
final class SmallDisk {
    private let path: String
    private let ballast: String

    /// Nil, after printing why, where this process may not mount.
    init?(_ path: String, megabytes: Int) throws {
        self.path = path
        ballast = path + "/ballast"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let mounted = try Programs.finish(
            "/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=\(megabytes)m,mode=755", "tmpfs", path])
        guard mounted.status == 0 else {
            print("skipped: no file system can be mounted here")
            return nil
        }
    }

    deinit { _ = try? Programs.finish("/usr/bin/env", ["umount", "--lazy", path]) }

    func fill() {
        _ = try? Programs.finish("/usr/bin/env", ["dd", "if=/dev/zero", "of=" + ballast, "bs=64k"])
    }

    func free() { unlink(ballast) }

    /// Whether the database has met the end of the disk.
    func isFull(_ serverLog: String) -> Bool {
        let log = (try? String(contentsOfFile: path + "/postgres.log", encoding: .utf8)) ?? ""
        return serverLog.contains("53100") || log.contains("PANIC")
    }
}
