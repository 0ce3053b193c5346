import Foundation
import TestSupport
import Testing

/// What operators see and do, over the socket of a running server.
@Suite(.serialized) struct OperatorTests {
    private static func recipients(_ count: Int) -> String {
        (0..<count).map { #"{"email": "reader\#($0)@city.example"}"# + "\n" }.joined()
    }

    private func curl(_ arguments: String...) throws -> String {
        try Programs.run("/usr/bin/env", ["curl", "-sS", "--fail-with-body", "--max-time", "20"] + arguments)
    }

    @Test(.timeLimit(.minutes(5))) func `watch and steer`() async throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let port = try LoopbackPort.free()
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 1_000,
            serve: ["--operator", "127.0.0.1:\(port)"])
        let socket = directory.path + "/data/operator.sock"

        // Nobody else may connect.
        let mode = try FileManager.default.attributesOfItem(atPath: socket)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path + "/data").filter {
                $0.contains("operator")
            } == ["operator.sock"])

        let first = try installation.send(subject: "One", text: "Hello.", recipients: Self.recipients(20))
        _ = try await installation.wait(for: first, seconds: 60)

        // Metrics, over both listeners.
        for arguments in [["--unix-socket", socket, "http://node/metrics"], ["http://127.0.0.1:\(port)/metrics"]] {
            let text = try Programs.run("/usr/bin/env", ["curl", "-sS", "--max-time", "20"] + arguments)
            let samples = try PrometheusLines.read(text)
            #expect(
                samples.first { $0.name == "sluice_messages_total" && $0.labels == ["outcome": "delivered"] }?.value
                    == 20)
            var labels =
                samples.first { $0.name == "sluice_lane_answers_total" && $0.labels["answer"] == "accepted" }?.labels
            #expect(labels?.removeValue(forKey: "site")?.hasPrefix("127.0.0.1:") == true)
            #expect(labels == ["provider": "route", "source": "default", "answer": "accepted"])
            #expect(!text.contains("reader"))
        }
        // The port is for reading.
        #expect(
            try Programs.finish(
                "/usr/bin/env", ["curl", "-sS", "--fail", "-X", "POST", "http://127.0.0.1:\(port)/lanes/route/suspend"]
            ).status != 0)
        #expect(
            try Programs.finish("/usr/bin/env", ["curl", "-sS", "--fail", "http://127.0.0.1:\(port)/trace?site=route"])
                .status != 0)

        // A table, JSON, the nodes.
        let table = try installation.sluice("top", "--once")
        #expect(table.contains("node test") && table.contains("\nroute ") && table.contains("20 delivered"))
        #expect(!table.contains("\u{1B}"))
        #expect(try installation.sluice("top", "--json").contains(#""delivered" : 20"#))
        #expect(try installation.sluice("nodes").contains(/test +alive/))

        // For how long bounces are refunded.
        let account = ["--account", installation.account]
        #expect(
            try installation.sluice("account", "refunds", "--account", installation.account, "--for", "7200")
                == "refunds for 7200 seconds\n")
        #expect(try installation.sluice("account", "list").contains(/tester .* 7,200 s *\n/))
        try installation.sluice("account", "refunds", "--account", installation.account, "--default")
        #expect(try !installation.sluice("account", "list", "--json").contains("refund_for"))

        // An account's mail waits for as long as it is suspended.
        #expect(try installation.sluice("account", "suspend", "--account", installation.account) == "suspended\n")
        let second = try installation.send(subject: "Two", text: "Hello.", recipients: Self.recipients(20))
        try await Task.sleep(for: .milliseconds(1_500))
        #expect(try installation.status(second)["pending"] == 20)
        #expect(try installation.sluice("top", "--once").contains("stopped"))
        #expect(try installation.sluice("lane", "list").contains(/suspend +account +1 .* by the operator/))
        #expect(try installation.sluice("account", "list").contains(/tester .* suspended\n/))
        #expect(
            try installation.sluice("account", "list", "--json").contains(
                /"order" : \{\s*"action" : "suspend",\s*"kind" : "account",\s*"reason" : "by the operator"\s*\}/))
        func campaigns(_ more: String...) throws -> String {
            try Programs.run(
                Programs.sluice, ["campaign", "list", "--data", directory.path + "/data"] + account + more)
        }
        #expect(try campaigns().contains(/account suspended\n/))
        #expect(try campaigns().contains(/completed .* 0\n/))
        try installation.sluice("account", "resume", "--account", installation.account)
        _ = try await installation.wait(for: second, seconds: 60)

        // A lane's mail as well.
        #expect(
            try installation.sluice("lane", "suspend", "route", "--for", "50", "--reason", "two+2 & words")
                .hasPrefix("route 127.0.0.1:"))
        let third = try installation.send(subject: "Three", text: "Hello.", recipients: Self.recipients(20))
        try await Task.sleep(for: .milliseconds(1_500))
        #expect(try installation.status(third)["pending"] == 20)
        #expect(try installation.sluice("lane", "list").contains(/route .*suspended .* two\+2 & words, for/))
        try installation.sluice("lane", "resume", "route")
        #expect(try await installation.wait(for: third, seconds: 60)["delivered"] == 20)

        // A campaign's, until it is failed: nothing of it is sent or charged.
        try installation.sluice("account", "suspend", "--account", installation.account)
        func steer(_ action: String, _ campaign: String, _ more: String...) throws -> String {
            try Programs.run(
                Programs.sluice,
                ["campaign", action, campaign, "--data", directory.path + "/data"] + account + more)
        }
        let fourth = try installation.send(subject: "Four", text: "Hello.", recipients: Self.recipients(5))
        #expect(try steer("suspend", fourth, "--for", "3600", "--reason", "a \"word\"") == "suspended\n")
        try installation.sluice("account", "resume", "--account", installation.account)
        try await Task.sleep(for: .milliseconds(1_500))
        #expect(try installation.status(fourth)["pending"] == 5)
        #expect(try campaigns().contains(/\ suspended until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n/))
        #expect(
            try campaigns("--json").contains(
                /"order":\{"kind":"campaign","action":"suspend","reason":"a \\"word\\"","ends_at":"20[^"]*Z"\}\}/))
        #expect(try campaigns("--json").contains(#""order":null}"#))
        #expect(try !installation.get("/v1/campaigns").contains("order"))
        #expect(try steer("drain", fourth) == "draining\n")
        #expect(try campaigns().contains(/\ draining\n/))
        let resumed = try JSONDecoder().decode(Installation.Status.self, from: Data(steer("resume", fourth).utf8))
        #expect(["queued", "sending", "completed"].contains(resumed.state))
        _ = try await installation.wait(for: fourth, seconds: 60)
        try installation.sluice("account", "drain", "--account", installation.account)
        let fifth = try installation.send(subject: "Five", text: "Hello.", recipients: Self.recipients(5))
        try installation.sluice("account", "fail", "--account", installation.account, "--yes")
        let failed = try await installation.wait(for: fifth, seconds: 60)
        #expect(failed["bounced"] == 5 && failed.credits.charged == 0 && failed.credits.released == 5)
        try installation.sluice("account", "resume", "--account", installation.account)
        #expect(try installation.sluice("ledger", "verify").contains("no difference"))
        #expect(try sink.copies().values.max() == 4)

        // What is wrong is said.
        for arguments in [
            ["lane", "suspend", "nowhere"], ["lane", "resume", "nowhere"], ["account", "resume"] + account,
            ["account", "suspend", "--account", "99"], ["account", "fail", "--account", "99", "--yes"],
            ["account", "fail"] + account, ["campaign", "suspend", fourth] + account,
            ["campaign", "fail", fourth, "--yes"] + account, ["lane", "fail", "route"],
            ["lane", "suspend", "route", "--for", "0"],
        ] {
            let finished = try Programs.finish(Programs.sluice, arguments + ["--data", directory.path + "/data"])
            #expect(finished.status != 0 && !finished.errors.isEmpty, "\(arguments)")
        }
        #expect(installation.server.terminate() == "" && !FileManager.default.fileExists(atPath: socket))
        let finished = try Programs.finish(Programs.sluice, ["top", "--data", directory.path + "/data"])
        #expect(finished.status != 0 && finished.errors.contains("no server listens"))
    }

    @Test(.timeLimit(.minutes(3))) func `trace`() async throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 100)
        let (log, output) = (directory.path + "/trace.err", directory.path + "/trace.out")
        let trace = try RunningProgram(
            "/bin/sh",
            [
                "-c", "exec \"$0\" trace route --data \"$1\" > \"$2\"", Programs.sluice,
                directory.path + "/data",
                output,
            ],
            log: log)
        func text(_ file: String) -> String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }
        for _ in 0..<600 where !text(log).contains("listening") { try await Task.sleep(for: .milliseconds(50)) }
        let campaign = try installation.send(
            subject: "Private subject", text: "A private word.",
            recipients: #"{"email": "jane.doe@city.example"}"# + "\n")
        _ = try await installation.wait(for: campaign, seconds: 60)
        for _ in 0..<600 where !text(output).contains("content of") { try await Task.sleep(for: .milliseconds(50)) }
        let heard = text(output)
        #expect(heard.contains("> RCPT TO:<***@city.example>") && heard.contains("< 250"))
        for secret in ["jane", "doe", "private", "Private", "b-"] { #expect(!heard.contains(secret), "\(secret)") }
        // A listener does not keep the server from ending.
        let start = ContinuousClock.now
        _ = installation.server.terminate()
        #expect(ContinuousClock.now - start < .seconds(20))
        _ = trace.terminate()
    }

    @Test(.timeLimit(.minutes(2))) func `loopback only`() throws {
        let directory = try TemporaryDirectory()
        let finished = try Programs.finish(
            Programs.sluice, ["serve", "--operator", "0.0.0.0:9100", "--data", directory.path + "/data"])
        #expect(finished.status != 0 && finished.errors.contains("not on loopback"))
    }
}
