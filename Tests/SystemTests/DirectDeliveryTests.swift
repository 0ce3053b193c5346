import Foundation
import TestPeers
import Testing

/// Mail to the recipients' own hosts, found in a real DNS.
@Suite(.serialized) struct DirectDeliveryTests {
    private static let zone = """
        one MX 10 mail
        two MX 5 mail
        mail A 127.0.0.1
        plain A 127.0.0.1
        null MX 0 .
        six MX 10 mail6
        mail6 AAAA ::1
        both A 127.0.0.1
        both AAAA ::1

        """

    private static let recipients = """
        {"email":"a@one.example"}
        {"email":"b@two.example"}
        {"email":"c@plain.example"}
        {"email":"d@null.example"}
        {"email":"e@missing.example"}
        """

    @Test(.timeLimit(.minutes(5))) func `mail goes to the hosts of the domain`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: nil, credits: 5,
            serve: ["--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations"])
        let campaign = try installation.send(subject: "Hello", text: "Hello", recipients: Self.recipients)
        let status = try await installation.wait(for: campaign, seconds: 60)
        #expect(status["delivered"] == 3)
        #expect(status["bounced"] == 2, "null MX and a domain that does not exist are final")
        #expect(try Set(sink.copies().keys) == ["a@one.example", "b@two.example", "c@plain.example"])
        #expect(status.credits.charged == 3 && status.credits.released == 2)
    }

    @Test(.timeLimit(.minutes(5))) func `mail goes over IPv6 where there is no other way`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        guard LoopbackPort.hasVersion6 else { return print("skipped: this machine has no address ::1") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        // Nobody listens at 127.0.0.1, which is tried first.
        let sink = try SinkProcess(directory, ["--host", "::1"])
        let installation = try Installation(
            directory: directory, route: nil, credits: 5,
            serve: ["--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations"])
        let campaign = try installation.send(
            subject: "Hello", text: "Hello",
            recipients: #"{"email":"a@six.example"}"# + "\n" + #"{"email":"b@both.example"}"# + "\n")
        #expect(try await installation.wait(for: campaign, seconds: 60)["delivered"] == 2)
        #expect(try sink.copies() == ["a@six.example": 1, "b@both.example": 1])
    }

    @Test(.timeLimit(.minutes(5))) func `hosts on private addresses are not dialled`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: nil, credits: 5,
            serve: ["--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)"])
        let campaign = try installation.send(subject: "Hello", text: "Hello", recipients: Self.recipients)
        let status = try await installation.wait(for: campaign, seconds: 60)
        #expect(status["delivered"] == 0 && status["bounced"] == 5)
        #expect(status.credits.charged == 0)
        #expect(try sink.stop().copies == 0)
    }

    @Test(.timeLimit(.minutes(5))) func `a hangup reads the provider rules anew`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let sink = try SinkProcess(directory)
        let file = directory.path + "/shaping.yaml"
        func write(_ rules: String) throws { try rules.write(toFile: file, atomically: true, encoding: .utf8) }
        try write("providers:\n  partner: {mx: [mail.example], connections: 3}\n")
        let installation = try Installation(
            directory: directory, route: nil, credits: 50,
            serve: [
                "--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations",
                "--providers", file,
            ])
        func log() throws -> [Substring] {
            try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8).split(separator: "\n")
                .filter { $0.contains("provider rules") }
        }
        func limits() throws -> [String: Int] {
            struct Lane: Decodable {
                let name: String
                let connectionLimit: Int
            }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let lanes = try decoder.decode(
                [Lane].self, from: Data(installation.sluice("lane", "list", "--json").utf8))
            return Dictionary(uniqueKeysWithValues: lanes.map { ($0.name, $0.connectionLimit) })
        }
        func reload(_ rules: String, lines: Int) async throws {
            try write(rules)
            kill(installation.server.identifier, SIGHUP)
            for _ in 0..<600 where try log().count < lines { try await Task.sleep(for: .milliseconds(50)) }
            #expect(try log().count == lines)
        }
        let first = try installation.send(
            subject: "Hello", text: "Hello", recipients: #"{"email":"a@one.example"}"# + "\n")
        #expect(try await installation.wait(for: first, seconds: 60)["delivered"] == 1)
        #expect(try limits() == ["partner mail.example": 3])

        // What is wrong is said, with its place, and changes nothing.
        let mistakes = [
            (
                "providers:\n  partner: {mx: [mail.example], connection: 9}\n",
                ":2:33: providers.partner: unknown key connection; did you mean connections?"
            ),
            (
                "providers:\n  partner:\n    mx: [mail.example]\n    rate: 0/s\n",
                ":4:11: providers.partner.rate: 0/s is not a rate"
            ),
            (
                "providers:\n  partner: {mx: [mail.example], connections: 9}\n  other: {mx: [.mail.example]}\n",
                ":3:16: providers.other.mx[0]: mail.example is also in partner"
            ),
        ]
        for (place, (rules, problem)) in mistakes.enumerated() {
            try await reload(rules, lines: place + 1)
            let line = try #require(try log().last)
            #expect(line.contains("error") && line.contains(file + problem), "\(line)")
            #expect(try limits() == ["partner mail.example": 3])
            // The same file does not start a server.
            let start = try Programs.finish(
                Programs.sluice, ["serve", "--providers", file, "--data", directory.path + "/none"])
            #expect(start.status != 0 && start.errors.contains(file + problem), "\(start.errors)")
        }

        // A good file holds for lanes at work, and for those that come.
        try await reload(
            """
            providers:
              partner: {mx: [mail.example], connections: 7}
              newcomer: {mx: [plain.example], connections: 2}

            """, lines: 4)
        #expect(try log().last?.contains("notice") == true)
        #expect(try limits() == ["partner mail.example": 7])
        let second = try installation.send(
            subject: "Hello", text: "Hello",
            recipients: #"{"email":"b@two.example"}"# + "\n" + #"{"email":"c@plain.example"}"# + "\n")
        #expect(try await installation.wait(for: second, seconds: 60)["delivered"] == 2)
        #expect(try limits() == ["partner mail.example": 7, "newcomer plain.example": 2])
        #expect(installation.server.isRunning)
    }
}
