import Foundation
import TestSupport
import Testing

/// A real server with a live and a test campaign side by side (decisions 0125 to 0127).
@Suite(.serialized) struct TestMailTests {
    private static let outcomes = [
        ("ada@simulator.test", "delivered"), ("bounce+1@simulator.test", "bounced"),
        ("suppressed@simulator.test", "suppressed"), ("complaint@simulator.test", "delivered"),
        ("defer@simulator.test", "delivered"), ("block@simulator.test", "bounced"),
        ("unsubscribe@simulator.test", "delivered"), ("kim@example.net", "delivered"),
    ]

    /// The API with one of the keys.
    private struct Caller {
        let installation: Installation
        let key: String
        let account: String

        func get(_ path: String) throws -> String { try installation.get(path, key: key) }

        func post(_ path: String, _ body: String) throws -> String {
            try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(key)", "-H",
                    "Content-Type: application/json", "-d", body, "http://127.0.0.1:\(installation.apiPort)\(path)",
                ])
        }

        func send(_ subject: String, to addresses: [String]) throws -> String {
            try installation.send(
                subject: subject, text: "Hello",
                recipients: addresses.map { #"{"email":"\#($0)"}"# + "\n" }.joined(), key: key)
        }

        /// The campaign as it is then.
        func waitForEnd(of campaign: String) async throws -> String {
            try await eventually("\(campaign) ends") {
                try get("/v1/campaigns/\(campaign)").contains(#""state":"completed""#)
            }
            return try get("/v1/campaigns/\(campaign)")
        }
    }

    private struct Page: Decodable {
        let data: [Entry]
        struct Entry: Decodable { let email, outcome: String }
    }

    private struct Suppressions: Decodable {
        let data: [Entry]
        struct Entry: Decodable { let reason: String }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a test campaign runs to its end beside a live one, and nobody outside sees it`() async throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 50,
            serve: ["--results-for", "600", "--allow-private-destinations"])
        let made = try installation.sluice("key", "create", "trial", "--account", installation.account, "--test")
        let key = made.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(key.hasPrefix("sl_test_"))
        #expect(try installation.sluice("key", "list", "--account", installation.account).contains("sl_test_"))
        let number = try #require(Int(installation.account))
        let live = Caller(installation: installation, key: installation.key, account: installation.account)
        let test = Caller(installation: installation, key: key, account: "\(500_000_000_000 + number)")
        #expect(try test.post("/v1/domains", #"{"domain": "\#(installation.domain)"}"#).contains(#""state":"pending""#))
        let told = directory.path + "/told"
        let listener = try listen(test, to: told, directory)
        defer { _ = listener.terminate() }

        let trial = try test.send("Trial", to: Self.outcomes.map(\.0))
        let people = (0..<20).map { "reader\($0)@example.net" }
        let campaign = try live.send("Real", to: people)

        let ended = try await test.waitForEnd(of: trial)
        #expect(ended.contains(#""test":true"#) && ended.contains(#""held":0,"charged":0,"released":0,"refunded":0"#))
        let recipients = try JSONDecoder().decode(
            Page.self, from: Data(test.get("/v1/campaigns/\(trial)/recipients").utf8))
        #expect(
            Dictionary(uniqueKeysWithValues: recipients.data.map { ($0.email, $0.outcome) })
                == Dictionary(uniqueKeysWithValues: Self.outcomes))
        let real = try await live.waitForEnd(of: campaign)
        #expect(real.contains(#""test":false"#) && real.contains(#""delivered":20"#))

        // Suppressions and complaints are the test account's own.
        try await eventually("complaint and wish are taken in") {
            try Self.suppression("unsubscribe@simulator.test", test) == "unsubscribe"
        }
        for (address, reason) in [
            ("bounce+1@simulator.test", "hard_bounce"), ("complaint@simulator.test", "complaint"),
            ("unsubscribe@simulator.test", "unsubscribe"),
        ] {
            #expect(try Self.suppression(address, test) == reason, "\(address)")
            #expect(try Self.suppression(address, live) == nil, "\(address)")
        }
        try await eventually("webhooks tell of it, and that it is test") {
            let text = try String(contentsOfFile: told, encoding: .utf8)
            return ["message.complained", "message.unsubscribed", "message.bounced", "campaign.completed"].allSatisfy {
                text.contains("\"type\":\"\($0)\"")
            } && text.contains(#""test":true"#)
        }
        #expect(try test.get("/v1/campaigns/\(campaign)").contains("not_found"))
        #expect(try live.get("/v1/campaigns/\(trial)").contains("not_found"))

        // Credits: what the live mail has cost, and nothing else.
        #expect(try live.get("/v1/credits").contains(#""posted":30,"held":0"#))
        #expect(try test.get("/v1/credits/entries").contains(#""data":[]"#))
        _ = try installation.sluice("ledger", "verify")
        #expect(try Set(sink.copies().keys) == Set(people), "the sink saw the live mail alone")
        let log = try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)
        #expect(!log.contains(key) && !log.contains("bounce+1@"))
    }

    private static func suppression(_ address: String, _ caller: Caller) throws -> String? {
        let path = "/v1/suppressions?address=\(address.replacing("+", with: "%2B"))"
        return try JSONDecoder().decode(Suppressions.self, from: Data(caller.get(path).utf8)).data.first?.reason
    }

    /// A webhook of the test account, and a program that writes down what it is told.
    private func listen(_ test: Caller, to file: String, _ directory: TemporaryDirectory) throws -> RunningProgram {
        let port = try LoopbackPort.free()
        let added = try test.installation.sluice(
            "webhook", "add", "http://127.0.0.1:\(port)/", "--account", test.account, "--allow-private-destinations")
        let secret = try #require(added.split(separator: "\n").last { $0.hasPrefix("whsec_") })
        return try RunningProgram(
            "/bin/sh",
            [
                "-c", #"exec "$0" webhook listen --port "$1" --secret "$2" > "$3""#, Programs.sluice, "\(port)",
                String(secret), file,
            ], log: directory.path + "/listen.log")
    }
}
