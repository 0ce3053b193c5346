import Foundation
import TestPeers
import TestSupport
import Testing

/// Certificates that are ordered from Pebble, an authority that nobody here wrote, which comes to this machine by HTTP and by
/// TLS to see whether the names lead here.
@Suite(.serialized) struct AutomaticCertificateTests {
    private static let pebble = Programs.find("/usr/bin/pebble", "/usr/local/bin/pebble")

    /// What a test lacks; nil where all is there.
    private static var missing: String? {
        pebble == nil ? "pebble is not installed" : NameServer.program == nil ? "nsd is not installed" : nil
    }

    /// An authority, its name server, and the ports at which it looks for us.
    private struct Peers {
        let directory: TemporaryDirectory
        let certificates: TestCertificates
        let names: NameServer
        let pebble: RunningProgram
        let authorityPort, managementPort, plainPort, tlsPort: Int

        init(rejects: Int = 20) throws {
            directory = try TemporaryDirectory()
            certificates = try TestCertificates(in: directory.path)
            let shown = try certificates.sinkOptions(for: "localhost")
            names = try NameServer(
                try #require(NameServer.program),
                zone: "news A 127.0.0.1\nmail A 127.0.0.1\nlost A 127.0.0.1\n")
            authorityPort = try LoopbackPort.free()
            managementPort = try LoopbackPort.free()
            plainPort = try LoopbackPort.free()
            tlsPort = try LoopbackPort.free()
            let settings: [String: Any] = [
                "pebble": [
                    "listenAddress": "127.0.0.1:\(authorityPort)",
                    "managementListenAddress": "127.0.0.1:\(managementPort)", "certificate": shown[1],
                    "privateKey": shown[3], "httpPort": plainPort, "tlsPort": tlsPort, "ocspResponderURL": "",
                    "externalAccountBindingRequired": false,
                ] as [String: Any]
            ]
            let file = directory.path + "/pebble.json"
            try JSONSerialization.data(withJSONObject: settings).write(to: URL(fileURLWithPath: file))
            pebble = try RunningProgram(
                "/usr/bin/env",
                [
                    "--default-signal", try #require(AutomaticCertificateTests.pebble), "-config", file, "-dnsserver",
                    "127.0.0.1:\(names.port)", "-strict",
                ],
                environment: [
                    "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "\(rejects)", "PEBBLE_AUTHZREUSE": "0",
                ], log: directory.path + "/pebble.log")
        }

        func stop() { names.stop() }

        var directoryURL: String { "https://localhost:\(authorityPort)/dir" }

        /// What the authority certifies with, once it runs.
        func roots() async throws -> String {
            let file = directory.path + "/issuer.pem"
            try await eventually {
                let finished = try Programs.finish(
                    "/usr/bin/env",
                    [
                        "curl", "-sS", "--max-time", "5", "--cacert", certificates.roots, "-o", file,
                        "https://localhost:\(managementPort)/roots/0",
                    ])
                return finished.status == 0
            }
            return file
        }

        func flags(_ names: String...) -> [String] {
            names.flatMap { ["--acme", $0] } + [
                "--acme-directory", directoryURL, "--acme-roots", certificates.roots, "--acme-contact",
                "canary-contact@example.com", "--log-level", "info",
            ]
        }

        /// The certificate that a handshake shows: its serial number, or nothing where the issuer does not vouch for it.
        func serial(_ port: Int, _ name: String, roots: String, _ more: String...) throws -> String? {
            let finished = try Programs.finish(
                "/usr/bin/env",
                [
                    "timeout", "20", "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", name,
                    "-verify_hostname", name, "-verify_return_error", "-CAfile", roots,
                ] + more, input: "")
            guard finished.output.contains("Verify return code: 0") else { return nil }
            return try Programs.run("/usr/bin/env", ["openssl", "x509", "-noout", "-serial"], input: finished.output)
        }
    }

    private func serve(
        _ peers: Peers, _ flags: [String], tlsPort: Int? = nil, database: ExternalPostgres? = nil
    ) throws -> Installation {
        try Installation(
            directory: peers.directory, route: "smtp://127.0.0.1:1", credits: 1,
            serve: ["--http", "127.0.0.1:\(tlsPort ?? peers.tlsPort)"] + flags, databaseURL: database?.url())
    }

    private func waitForCertificate(
        _ peers: Peers, _ port: Int, _ name: String, _ roots: String, otherThan old: String? = nil
    ) async throws -> String {
        var found: String?
        try await eventually {
            found = try peers.serial(port, name, roots: roots)
            return found != nil && found != old
        }
        return try #require(found)
    }

    @Test(
        .timeLimit(.minutes(5)),
        .enabled(if: AutomaticCertificateTests.missing == nil, "\(AutomaticCertificateTests.missing ?? "")"))
    func `by TLS alone: ordered, shown, renewed without a restart, kept over one`() async throws {
        let peers = try Peers(rejects: 50)
        defer { peers.stop() }
        let roots = try await peers.roots()
        let installation = try serve(peers, peers.flags("news.example", "mail.example"))
        // Until then it shows a certificate that nobody trusts, and answers nevertheless.
        let first = try await waitForCertificate(peers, peers.tlsPort, "news.example", roots)
        #expect(try peers.serial(peers.tlsPort, "mail.example", roots: roots) == first)
        #expect(try peers.serial(peers.tlsPort, "lost.example", roots: roots) == nil)
        let answer = try Programs.run(
            "/usr/bin/env",
            [
                "curl", "-sS", "-i", "--max-time", "20", "--cacert", roots, "--resolve",
                "news.example:\(peers.tlsPort):127.0.0.1", "-H", "Authorization: Bearer \(installation.key)",
                "https://news.example:\(peers.tlsPort)/v1/credits",
            ])
        #expect(answer.hasPrefix("HTTP/1.1 200"))

        struct Row: Decodable {
            let names: [String]
            let failures: Int
            let not_before, not_after, due_at: Int64
        }
        let row = try #require(
            try JSONDecoder().decode(
                [Row].self, from: Data(installation.sluice("certificate", "list", "--json").utf8)
            ).first)
        #expect(row.names == ["mail.example", "news.example"] && row.failures == 0)
        let share = Double(row.due_at - row.not_before) / Double(row.not_after - row.not_before)
        #expect((0.61...0.667).contains(share), "\(share)")

        try installation.sluice("certificate", "renew", "mail.example")
        let second = try await waitForCertificate(peers, peers.tlsPort, "news.example", roots, otherThan: first)
        #expect(installation.server.isRunning)

        installation.server.kill9()
        try installation.restart()
        #expect(try peers.serial(peers.tlsPort, "news.example", roots: roots) == second)
        let doctor = try Programs.finish(
            Programs.sluice,
            ["doctor", "--dns", "127.0.0.1:\(peers.names.port)", "--data", peers.directory.path + "/data"])
        #expect(doctor.output.contains("ok       the certificate for mail.example,news.example lasts"))

        let log = try String(contentsOfFile: peers.directory.path + "/serve.log", encoding: .utf8)
        #expect(!log.contains("canary-contact") && !log.contains("PRIVATE KEY"))
    }

    @Test(
        .timeLimit(.minutes(5)),
        .enabled(if: AutomaticCertificateTests.missing == nil, "\(AutomaticCertificateTests.missing ?? "")"))
    func `a name that leads elsewhere is no certificate, and the reason is told`() async throws {
        let peers = try Peers()
        defer { peers.stop() }
        let roots = try await peers.roots()
        let port = try LoopbackPort.free()
        // Nobody listens where the authority looks.
        let installation = try serve(peers, peers.flags("news.example"), tlsPort: port)
        try await eventually {
            try installation.sluice("certificate", "list").contains("a name was not proven: news.example")
        }
        #expect(try peers.serial(port, "news.example", roots: roots) == nil)
        let doctor = try Programs.finish(
            Programs.sluice,
            ["doctor", "--dns", "127.0.0.1:\(peers.names.port)", "--data", peers.directory.path + "/data"])
        #expect(doctor.status == 1 && doctor.output.contains("PROBLEM  no certificate for news.example yet"))
        // It still answers, and waits with the next try.
        #expect(installation.server.isRunning)
        #expect(
            try String(contentsOfFile: peers.directory.path + "/serve.log", encoding: .utf8).contains(
                "no certificate: the old one stays"))
    }

    /// The authority comes to a node that knows of the order from the records alone.
    @Test(
        .timeLimit(.minutes(5)),
        .enabled(if: AutomaticCertificateTests.missing == nil, "\(AutomaticCertificateTests.missing ?? "")"))
    func `two nodes: one orders, the other answers the authority, and both show the certificate`() async throws {
        let peers = try Peers()
        defer { peers.stop() }
        let database = try ExternalPostgres()
        defer { database.stop() }
        let roots = try await peers.roots()
        let installation = try serve(peers, peers.flags("news.example", "mail.example"), database: database)
        let first = try await waitForCertificate(peers, peers.tlsPort, "news.example", roots)
        let secondPort = try LoopbackPort.free()
        let second = try installation.startNode(
            "second", roles: "api",
            [
                "--http", "127.0.0.1:\(secondPort)", "--operator-socket", peers.directory.path + "/second.sock",
                "--log-level", "info",
            ])
        defer { second.kill9() }
        _ = try second.readPort()
        // It has it from the records before it takes its first connection.
        #expect(try peers.serial(secondPort, "mail.example", roots: roots) == first)

        func orders(_ log: String) throws -> Int {
            let text = try String(contentsOfFile: "\(peers.directory.path)/\(log).log", encoding: .utf8)
            return text.matches(of: /ordering a certificate/).count
        }
        #expect(try orders("serve") == 1 && orders("second") == 0)
        // The node that the authority reaches stands still until the other has taken the order.
        kill(installation.server.identifier, SIGSTOP)
        do {
            try installation.sluice("certificate", "renew", "mail.example")
            try await eventually("the second node orders") { try orders("second") == 1 }
        } catch {
            kill(installation.server.identifier, SIGCONT)
            throw error
        }
        kill(installation.server.identifier, SIGCONT)
        let renewed = try await waitForCertificate(peers, secondPort, "news.example", roots, otherThan: first)
        try await eventually("the first node shows it") {
            try peers.serial(peers.tlsPort, "news.example", roots: roots) == renewed
        }
        #expect(try orders("serve") == 1 && orders("second") == 1)
        let log = try String(contentsOfFile: peers.directory.path + "/second.log", encoding: .utf8)
        #expect(!log.contains("no certificate") && !log.contains("PRIVATE KEY"))
    }

    // MARK: Settings

    private func check(_ arguments: [String]) throws -> Programs.Finished {
        try Programs.finish(
            Programs.sluice, ["config", "check", "--helo", "mail.example.net", "--data", "/nonexistent"] + arguments)
    }

    @Test func `the names are all that an operator gives`() throws {
        let sound = try check(["--acme", "news.example.com"])
        #expect(sound.status == 0, "\(sound.output)")
        #expect(sound.output.contains("a certificate for news.example.com is ordered"))
        // The address of its pages follows from the name.
        #expect(!sound.output.contains("public_url") && !sound.output.contains("port 443"))
        let moved = try check(["--acme", "a.example.com,b.example.com", "--http", "0.0.0.0:8443"])
        #expect(moved.status == 0 && moved.output.contains("nothing listens there"), "\(moved.output)")
        #expect(moved.output.contains("a.example.com,b.example.com"))
    }

    @Test(arguments: [
        (["--acme", "*.example.com"], "wildcards"), (["--acme", "localhost"], "localhost is not a host name"),
        (["--acme", "192.0.2.1"], "192.0.2.1 is not a host name"), (["--acme", ","], "1 to 100 names"),
        (["--acme", "a.example.com", "--acme-directory", "http://ca.example/dir"], "is not an https URL"),
        (["--acme", "a.example.com", "--acme-contact", "nobody"], "a contact is a mail address"),
        (["--acme", "a.example.com", "--acme-roots", "/none"], "cannot be read"),
        (["--acme", "a.example.com", "--tls-key", "/none"], "leave out tls_key"),
        (["--acme-contact", "a@example.com"], "without the names of acme"),
        (["--cors-origin", "*"], "would be every page"), (["--cors-origin", "app.example.com"], "is no origin"),
        (["--cors-origin", "https://app.example.com/"], "is no origin"),
        (["--cors-origin", "http://app.example.com"], "need https"),
        (["--cors-origin", "https://app.example.com:443"], "leave the usual port out"),
    ]) func `what makes no sense is named`(_ arguments: [String], _ words: String) throws {
        let finished = try check(arguments)
        #expect(finished.status == 1 && finished.output.contains(words), "\(finished.output)")
    }

    @Test func `pages are named as often as one likes`() throws {
        let finished = try check(["--cors-origin", "https://a.example.com", "--cors-origin", "http://localhost:3000"])
        #expect(finished.status == 0, "\(finished.output)")
    }
}
