import Foundation
import TestSupport
import Testing

/// Standard streams that cannot be written, and servers that end before their time.
@Suite(.serialized) struct StreamTests {
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 74), (">/dev/full 2>/dev/full", 74),
            ("| true", 0),
        ])
    func `a server whose streams cannot be written serves, and takes its database along`(
        redirection: String, expectedStatus: Int
    ) async throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        let port = try LoopbackPort.free()
        let server = try Self.shell(
            """
            { "$0" serve --data "$1" --http 127.0.0.1:\(port) --roles api --log-level info; echo $? >"$2"; } \
                \(redirection) & wait
            """, [Programs.sluice, data, directory.path + "/status"], directory)
        let answer = try await Self.health(port)
        #expect(answer.contains("ok"), "\(redirection)")
        let process = try #require(try Self.holder(of: data))
        let postmaster = try ServerProcesses.postmaster(data + "/postgres")
        kill(process, SIGTERM)
        try await Self.waitForEnd(of: process)
        try await Self.waitForEnd(of: postmaster)
        try await Self.waitForEnd(of: server.identifier)
        let status = try String(contentsOfFile: directory.path + "/status", encoding: .utf8)
        #expect(status == "\(expectedStatus)\n", "\(redirection)")
    }

    @Test(.timeLimit(.minutes(5)), arguments: [SIGSEGV, SIGILL, SIGABRT, SIGTRAP, SIGBUS])
    func `a server that crashes stops its database`(signal: Int32) async throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        let port = try LoopbackPort.free()
        let server = try Self.shell(
            "SWIFT_BACKTRACE=enable=no exec \"$0\" serve --data \"$1\" --http 127.0.0.1:\(port) --roles api",
            [Programs.sluice, data], directory)
        _ = try await Self.health(port)
        let postmaster = try ServerProcesses.postmaster(data + "/postgres")
        kill(server.identifier, signal)
        try await Self.waitForEnd(of: postmaster)
        try await Self.waitForEnd(of: server.identifier)
    }

    @Test(.timeLimit(.minutes(5))) func `a command whose results are lost says so by its status`() throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        func status(_ script: String) throws -> Int32 {
            try Programs.finish("/bin/sh", ["-c", script, Programs.sluice, data]).status
        }
        #expect(try status("\"$0\" account create x --data \"$1\" >/dev/null") == 0)
        #expect(try status("\"$0\" account list --data \"$1\" >/dev/full") == 74)
        #expect(try status("\"$0\" account list --data \"$1\" >&-") == 0)
        #expect(try status("\"$0\" account list --data \"$1\" 2>/dev/full") == 0)
        #expect(try status("\"$0\" campaign list --account 99 --data \"$1\"") == 1)
        #expect(try status("\"$0\" suppression list --account 99 --data \"$1\"") == 1)
    }

    // MARK: -

    private static func shell(
        _ script: String, _ arguments: [String], _ directory: TemporaryDirectory
    ) throws -> RunningProgram {
        try RunningProgram(
            "/usr/bin/env", ["--default-signal", "/bin/sh", "-c", script] + arguments,
            log: directory.path + "/serve.log")
    }

    private static func health(_ port: Int) async throws -> String {
        for _ in 0..<600 {
            let answer = try Programs.finish(
                "/usr/bin/env", ["curl", "-s", "--max-time", "5", "http://127.0.0.1:\(port)/health"])
            if answer.status == 0, !answer.output.isEmpty { return answer.output }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw CocoaError(.fileReadUnknown)
    }

    /// The server's process, as it wrote into its lock.
    private static func holder(of data: String) throws -> pid_t? {
        let files = try FileManager.default.contentsOfDirectory(atPath: data).filter { $0.hasSuffix("lock") }
        for file in files {
            let text = (try? String(contentsOfFile: "\(data)/\(file)", encoding: .utf8)) ?? ""
            if let process = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) { return process }
        }
        return nil
    }

    private static func waitForEnd(of process: pid_t) async throws {
        for _ in 0..<600 {
            let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            if text.isEmpty || text.contains(") Z ") { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("process \(process) is still there after a minute")
    }
}
