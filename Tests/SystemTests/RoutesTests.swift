import Foundation
import TestSupport
import Testing

/// A server whose file names its smarthosts.
@Suite(.serialized) struct RoutesTests {
    @Test(.timeLimit(.minutes(5))) func `two smarthosts and then one`() async throws {
        let (first, second) = (try TemporaryDirectory(), try TemporaryDirectory())
        let directory = try TemporaryDirectory()
        let (one, two) = (try SinkProcess(first), try SinkProcess(second))
        let file = directory.path + "/routes.yaml"
        try """
        routes:
          - url: smtp://127.0.0.1:\(one.port)
            weight: 2
          - {url: "smtp://localhost:\(two.port)", connections: 4}
        """.write(toFile: file, atomically: false, encoding: .utf8)
        let installation = try Installation(
            directory: directory, route: nil, credits: 400, serve: ["--routes", file])
        defer { installation.killWithDatabase() }
        func send(_ range: Range<Int>) async throws -> Int? {
            let lines = range.map { #"{"email":"r\#($0)@example.org"}"# }
            let campaign = try installation.send(
                subject: "Hello", text: "Hello", recipients: lines.joined(separator: "\n"))
            return try await installation.wait(for: campaign, seconds: 60)["delivered"]
        }
        #expect(try await send(0..<200) == 200)
        let (atOne, atTwo) = (try one.copies(), try two.copies())
        #expect(atOne.count > atTwo.count && atTwo.count > 20)
        #expect(atOne.merging(atTwo, uniquingKeysWith: +).count == 200)
        let lanes = try installation.sluice("lane", "list")
        #expect(lanes.contains("127.0.0.1:\(one.port)") && lanes.contains("localhost:\(two.port)"), "\(lanes)")
        // One goes away: its mail arrives by the other.
        _ = try one.stop()
        #expect(try await send(200..<300) == 100)
        #expect(try two.copies().filter { $0.key.hasPrefix("r2") && $0.key.count == 16 }.count == 100)
    }

    /// The password of a real server changes, and the server that sends through it is told by SIGHUP.
    @Test(.timeLimit(.minutes(5))) func `a password changes`() async throws {
        let directory = try TemporaryDirectory()
        guard let exim = try EximServer(directory, password: "first") else { return }
        defer { exim.stop() }
        let (file, secret) = (directory.path + "/routes.yaml", directory.path + "/password")
        func write(_ text: String, to path: String) throws {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        }
        func writeRoutes(weight: String = "1", _ more: String = "") throws {
            try write(
                """
                routes:
                  - url: smtp://127.0.0.1:\(exim.port)
                    user: sluice
                    password_file: \(secret)
                    tls: encrypted
                    weight: \(weight)
                \(more)
                """, to: file)
        }
        try write("wrong\n", to: secret)
        try writeRoutes()
        let installation = try Installation(
            directory: directory, route: nil, credits: 100, serve: ["--routes", file])
        defer { installation.killWithDatabase() }
        func log() -> String {
            (try? String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)) ?? ""
        }
        func reload(until words: String) async throws {
            let before = log().utf8.count
            kill(installation.server.identifier, SIGHUP)
            try await eventually(words) {
                String(decoding: log().utf8.dropFirst(before), as: UTF8.self).contains(words)
            }
        }
        func send(_ range: Range<Int>) throws -> String {
            try installation.send(
                subject: "Hello", text: "Hello",
                recipients: range.map { #"{"email":"r\#($0)@example.net"}"# }.joined(separator: "\n"))
        }

        let first = try send(0..<20)
        try await eventually("the login fails") {
            try installation.sluice("lane", "list").contains("login failed: reply 535")
        }
        // Mistakes change nothing and are named with their place.
        try writeRoutes(weight: "0")
        try await reload(until: "routes[0].weight: 0 is not a number from 1 to 1000")
        try writeRoutes("    paswort: x")
        try await reload(until: "\(file):7:5: routes[0]: unknown key paswort")
        try writeRoutes("  - url: smtp://127.0.0.1:1")
        try await reload(until: "127.0.0.1:1 is new: to add or remove smarthosts, restart the node")
        #expect(try installation.status(first)["delivered"] == 0)
        #expect(try exim.acceptedCount() == 0)

        try writeRoutes()
        try write("first\n", to: secret)
        try await reload(until: "smarthosts reloaded")
        #expect(try await installation.wait(for: first, seconds: 120)["delivered"] == 20)

        // From one good password to the next: no login fails in between.
        try exim.change(password: "second")
        try write("second\n", to: secret)
        try writeRoutes(weight: "7")
        try await reload(until: "changed=127.0.0.1:\(exim.port)")
        let second = try send(20..<60)
        #expect(try await installation.wait(for: second, seconds: 120)["delivered"] == 40)
        #expect(try exim.acceptedCount() == 60)
        #expect(log().split(separator: "\n").count { $0.contains("login at the smarthost failed") } == 1)
        for word in ["wrong", "first", "second"] { #expect(!log().contains(word), "\(word)") }
    }

    /// Mail goes by one smarthost but for a domain that has its own, and for none after a reload.
    @Test(.timeLimit(.minutes(5))) func `rules of domains, read anew`() async throws {
        let (first, second) = (try TemporaryDirectory(), try TemporaryDirectory())
        let directory = try TemporaryDirectory()
        let (usual, partner) = (try SinkProcess(first), try SinkProcess(second))
        let file = directory.path + "/routes.yaml"
        func write(_ domains: String) throws {
            try "routes: [{url: \"smtp://127.0.0.1:\(usual.port)\"}]\n\(domains)"
                .write(toFile: file, atomically: false, encoding: .utf8)
        }
        try write("domains: {\"*.partner.example\": {via: \"smtp://127.0.0.1:\(partner.port)\"}}")
        let installation = try Installation(
            directory: directory, route: nil, credits: 10, serve: ["--routes", file])
        defer { installation.killWithDatabase() }
        func send(_ addresses: String...) async throws {
            let campaign = try installation.send(
                subject: "Hello", text: "Hello",
                recipients: addresses.map { #"{"email":"\#($0)"}"# }.joined(separator: "\n"))
            #expect(try await installation.wait(for: campaign, seconds: 60)["delivered"] == addresses.count)
        }
        try await send("a@example.org", "a@x.partner.example")
        #expect(try usual.copies() == ["a@example.org": 1] && partner.copies() == ["a@x.partner.example": 1])

        func reload(until words: String) async throws {
            kill(installation.server.identifier, SIGHUP)
            try await eventually(words) {
                try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8).contains(words)
            }
        }
        try write("domains: {x.partner.example: {via: direct}}")
        try await reload(until: "no mail went to the recipients' own servers before")
        try write("domains: {partner.example: {via: \"smtp://127.0.0.1:\(partner.port)\"}}")
        try await reload(until: "smarthosts reloaded")
        try await send("b@x.partner.example", "b@partner.example")
        #expect(try usual.copies() == ["a@example.org": 1, "b@x.partner.example": 1])
        #expect(try partner.copies() == ["a@x.partner.example": 1, "b@partner.example": 1])
    }
}
