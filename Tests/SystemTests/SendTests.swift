import Foundation
import TestSupport
import Testing

/// `sluice send` and `sluice suppression`, as scripts see them.
@Suite(.serialized) struct SendTests {
    @Test(.timeLimit(.minutes(10))) func `the exit status tells how it went, and a failure leaves no draft`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 20)
        let mail = directory.path + "/mail.txt"
        try "Hello {{name|friend}}\n".write(toFile: mail, atomically: false, encoding: .utf8)
        func file(_ name: String, _ content: String) throws -> String {
            let path = "\(directory.path)/\(name)"
            try content.write(toFile: path, atomically: false, encoding: .utf8)
            return path
        }
        let good = try file("good.txt", "E-Mail;name\na@example.net;Ada\nb@example.net;Bo\n")
        let mixed = try file("mixed.csv", "email\nc@example.net\nbad line\nbounce+d@example.net\n")
        func send(_ recipients: String, _ more: String..., environment: [String: String] = [:]) throws
            -> Programs.Finished
        {
            try Programs.finish(
                Programs.sluice,
                [
                    "send", "--from", "Shop <shop@\(installation.domain)>", "--subject", "Hi", "--text", mail,
                    "--recipients", recipients,
                ] + more,
                environment: ["SLUICE_KEY": installation.key, "SLUICE_URL": "http://127.0.0.1:\(installation.apiPort)"]
                    .merging(environment) { $1 })
        }
        func drafts() throws -> Int {
            try installation.get("/v1/campaigns").components(separatedBy: "\"state\":\"draft\"").count - 1
        }

        let sent = try send(good)
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(try sink.copies().keys.sorted() == ["a@example.net", "b@example.net"])

        let refused = try send(mixed)
        #expect(refused.status == 2)
        #expect(refused.errors.contains("line 3: column 1: the address has no domain"))
        #expect(try sink.copies().count == 2)
        #expect(try send(mixed, "--skip-invalid").status == 4)
        let lacking = try send(good, "--html", try file("mail.html", "<p>{{city}} {{name}}</p>"))
        #expect(lacking.status == 2)
        #expect(lacking.errors.contains("2 of 2 recipients have no value for {{city}} (2)"), "\(lacking.errors)")
        #expect(
            try send(good, "--html", try file("else.html", "<p>{{#a}}x{{else}}y{{/a}}</p>")).errors.contains("{{else}}")
        )
        #expect(try send(good, "--missing-variables", "perhaps").status == 64)
        #expect(try send(try file("gone.csv", "email\nbounce+e@example.net\n")).status == 5)

        #expect(try send(directory.path + "/none.csv").errors.contains("there is no file"))
        #expect(try send(directory.path + "/none.csv").status == 2)
        #expect(try send(try file("empty.csv", "")).status == 2)
        #expect(try send(try file("header.csv", "email\n")).status == 2)
        #expect(try send(good, "--at", "2020-01-01T00:00:00Z").status == 64)
        #expect(try send(good, "--at", "x\"}").status == 64)
        #expect(try send(good, "--charset", "utf-9").status == 2)
        #expect(try send(good, environment: ["SLUICE_URL": "127.0.0.1:1"]).status == 2)
        #expect(try send(good, environment: ["SLUICE_KEY": "sl_live_nothing"]).status == 2)
        let dead = try send(good, environment: ["SLUICE_URL": "http://127.0.0.1:1"])
        #expect(dead.status == 3)
        #expect(dead.errors == "Error: no server answers at http://127.0.0.1:1: nothing listens there\n")
        let many = (0..<50).map { "m\($0)@example.net" }.joined(separator: "\n")
        #expect(try send(try file("many.csv", "email\n" + many)).errors.contains("insufficient_credits"))
        // What is wrong with the files shows before a draft is made: none was deleted again.
        #expect(try drafts() == 0)
        let cancelled =
            try installation.get("/v1/campaigns").components(separatedBy: "\"state\":\"cancelled\"").count - 1
        #expect(cancelled == 1)

        let quoted = try send(good, "--quote")
        #expect(quoted.status == 0)
        #expect(try drafts() == 1)
    }

    @Test(.timeLimit(.minutes(10))) func `a list of suppressions says which lines it did not take`() throws {
        let directory = try TemporaryDirectory()
        let data = ["--data", directory.path + "/data"]
        try Programs.run(Programs.sluice, ["account", "create", "tester"] + data)
        func suppression(_ arguments: String..., input: String? = nil) throws -> Programs.Finished {
            try Programs.finish(Programs.sluice, ["suppression"] + arguments + ["--account", "1"] + data, input: input)
        }
        let list = directory.path + "/list.csv"
        try "Date;E-Mail\n1; a@example.net \n2;ada\n3;b..b@example.net\n4;\n5;c\u{200B}c@example.net\n"
            .write(toFile: list, atomically: false, encoding: .utf8)
        let added = try suppression("add", list)
        #expect(added.status == 1)
        #expect(added.output == "2 added, 0 listed already, 3 not taken\n")
        #expect(added.errors.contains("\(list): line 3: column 2: the address has no domain\n"))
        #expect(added.errors.contains("\(list): line 5: the line has no email\n"))
        #expect(added.errors.contains("\(list): line 6: column 2: the invisible character U+200B"))
        let again = try suppression("add", input: "a@example.net\r\n\r\n \"b..b\"@example.net\r\nd@example.net")
        #expect(again.status == 0)
        #expect(again.output == "1 added, 2 listed already, 0 not taken\n")
        #expect(try suppression("list", "--address", "A@example.net").status == 0)
        #expect(try suppression("list", "--address", "z@example.net").status == 1)

        let first = try suppression("list", "--limit", "2")
        #expect(first.output.split(separator: "\n").count == 3)
        let cursor = try #require(first.errors.split(separator: " ").last.map { $0.trimmingCharacters(in: .newlines) })
        let rest = try suppression("list", "--limit", "2", "--after", cursor)
        #expect(rest.output.split(separator: "\n").count == 2)
        #expect(!rest.errors.contains("more follow"))
        #expect(try suppression("list", "--limit", "0").status == 64)
        #expect(try suppression("add", directory.path + "/none").errors.contains("there is no file"))
    }
}
