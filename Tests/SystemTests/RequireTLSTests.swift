import Foundation
import TestPeers
import Testing

/// Mail that goes only where verified TLS is promised for the whole way (REQUIRETLS, RFC 8689), to hosts found in a real DNS.
@Suite(.serialized) struct RequireTLSTests {
    /// Host `a` does not offer REQUIRETLS, `b` does, `c` does under a certificate that nobody vouches for.
    private static let zone = """
        one MX 10 a
        one MX 20 b
        two MX 10 a
        three MX 10 c
        three MX 20 b
        four MX 10 c
        four MX 20 a
        a A 127.0.0.1
        b A 127.0.0.2
        c A 127.0.0.3

        """

    private struct Hosts {
        let a, b, c: SinkProcess
        let folder: String

        init(_ directory: TemporaryDirectory, _ certificates: TestCertificates) throws {
            let folder = directory.path
            func options(_ name: String, _ address: String, _ tls: [String]) -> [String] {
                ["--host", address, "--capture", "\(folder)/\(name)"] + tls
            }
            a = try SinkProcess(
                directory, options("a", "127.0.0.1", try certificates.sinkOptions(for: "a.example")), name: "sink-a")
            b = try SinkProcess(
                directory,
                options("b", "127.0.0.2", try certificates.sinkOptions(for: "b.example") + ["--requiretls"]),
                name: "sink-b", port: a.port)
            c = try SinkProcess(
                directory, options("c", "127.0.0.3", ["--starttls", "--requiretls"]), name: "sink-c", port: a.port)
            self.folder = folder
        }

        struct Envelope: Decodable, Hashable {
            let recipients: [String]
            let tls: Bool
            let requiretls: Bool

            init(_ recipient: String, requiretls: Bool) {
                recipients = [recipient]
                tls = true
                self.requiretls = requiretls
            }
        }

        /// What a host was told of the mails that it took.
        func envelopes(of host: String) throws -> Set<Envelope> {
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(host)")
            return Set(
                try names.filter { $0.hasSuffix(".json") }.map { name in
                    let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(host)/\(name)"))
                    return try JSONDecoder().decode(Envelope.self, from: data)
                })
        }
    }

    private static func serve(_ dns: NameServer, _ hosts: Hosts, _ certificates: TestCertificates) -> [String] {
        [
            "--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(hosts.a.port)", "--allow-private-destinations",
            "--trust-roots", certificates.roots,
        ]
    }

    private static func lines(_ addresses: String...) -> String {
        addresses.map { #"{"email":"\#($0)"}"# + "\n" }.joined()
    }

    /// Waits for a moment at which the counters are these.
    private func wait(
        _ installation: Installation, _ campaign: String, for wanted: [String: Int]
    ) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let status = try installation.status(campaign)
            if wanted.allSatisfy({ status[$0] == $1 }) { return }
            try #require(ContinuousClock.now < end, "\(status.counters)")
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    @Test(.timeLimit(.minutes(5))) func `mail goes to the first host that promises TLS`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        guard ZoneSigner.programs != nil else { return print("skipped: ldnsutils is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone, signer: ZoneSigner())
        defer { dns.stop() }
        let certificates = try TestCertificates(in: directory.path)
        let hosts = try Hosts(directory, certificates)
        let anchor = try #require(dns.trustAnchorFile)
        let installation = try Installation(
            directory: directory, route: nil, credits: 10,
            serve: Self.serve(dns, hosts, certificates) + ["--trust-anchor", anchor])
        defer { installation.killWithDatabase() }

        let campaign = try installation.send(
            subject: "Hello", text: "Hello",
            recipients: Self.lines("r@one.example", "r@two.example", "r@three.example", "r@four.example"),
            options: ["--require-tls"])
        // The certificate of one of the hosts of `four` may be better tomorrow.
        try await wait(installation, campaign, for: ["delivered": 2, "bounced": 1, "deferred": 1])
        #expect(
            try hosts.envelopes(of: "b") == [
                .init("r@one.example", requiretls: true), .init("r@three.example", requiretls: true),
            ])
        #expect(try hosts.envelopes(of: "a") == [])
        #expect(try hosts.envelopes(of: "c") == [])

        struct Page: Decodable {
            struct Recipient: Decodable { let email, enhanced: String }
            let data: [Recipient]
        }
        let page = try installation.get("/v1/campaigns/\(campaign)/recipients?outcome=bounced")
        let bounced = try JSONDecoder().decode(Page.self, from: Data(page.utf8)).data
        #expect(bounced.map(\.email) == ["r@two.example"])
        #expect(bounced.map(\.enhanced) == ["5.7.30"])

        // Mail that asks for nothing goes to the first host, also while the other campaign waits.
        let plain = try installation.send(
            subject: "Hello", text: "Hello", recipients: Self.lines("p@one.example", "p@four.example"))
        #expect(try await installation.wait(for: plain, seconds: 120)["delivered"] == 2)
        #expect(try hosts.envelopes(of: "a") == [.init("p@one.example", requiretls: false)])
        #expect(try hosts.envelopes(of: "c") == [.init("p@four.example", requiretls: false)])
    }

    /// The server takes up what another node has fetched: there is no record, and nobody could fetch.
    @Test(.timeLimit(.minutes(5))) func `a kept MTA-STS policy proves the way`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let certificates = try TestCertificates(in: directory.path)
        let hosts = try Hosts(directory, certificates)
        let installation = try Installation(
            directory: directory, route: nil, credits: 10, serve: Self.serve(dns, hosts, certificates))
        defer { installation.killWithDatabase() }
        _ = try SQLConsole(installation).rows(
            """
            INSERT INTO mta_sts_policies (domain, id, mode, mx, max_age_seconds, fetched_at, expires_at, kept_at)
            SELECT domain, '1', 'enforce', mx, 86400, now(), now() + interval '1 day', now()
            FROM (VALUES ('one.example', ARRAY['*.example']), ('two.example', ARRAY['other.example'])) p (domain, mx)
            """)
        // It has read what there was already.
        installation.server.kill9()
        try installation.restart()
        let campaign = try installation.send(
            subject: "Hello", text: "Hello",
            recipients: Self.lines("r@one.example", "r@two.example", "r@three.example"), options: ["--require-tls"])
        // Nothing proves the hosts of `three`; the policy of `two` does not name its host, which may change.
        try await wait(installation, campaign, for: ["delivered": 1, "bounced": 1, "deferred": 1])
        #expect(try hosts.envelopes(of: "b") == [.init("r@one.example", requiretls: true)])
        #expect(try hosts.envelopes(of: "a") == [])
        #expect(try hosts.envelopes(of: "c") == [])
    }
}
