import Foundation
import TestPeers
import Testing

/// `sluice doctor` beside a name server of our own.
@Suite(.serialized) struct DoctorTests {
    private static let zone = """
        out A 9.9.9.1
        other A 9.9.9.3
        shop MX 10 mx
        mx A 9.9.9.9
        _mta-sts.shop TXT "v=STSv1; id=1"
        inside MX 10 lan
        lan A 192.168.1.1
        null MX 0 .

        """
    private static let reverse = [
        "9.9.9.in-addr.arpa": """
        1 PTR out.example.
        2 PTR out.example.
        3 PTR other.example.

        """
    ]

    private struct Finding: Decodable {
        let level, text: String
    }

    @Test(
        .timeLimit(.minutes(2)),
        arguments: [
            ("out.example", "9.9.9.1", "shop.example", 0, "source address 9.9.9.1 is named out.example and back"),
            ("out.example", "9.9.9.1", "shop.example", 0, "has an MTA-STS policy"),
            ("out.example", "9.9.9.1", "shop.example", 0, "provider special: mail host mx.example is of mx.example"),
            ("out.example", "9.9.9.2", "shop.example", 1, "which does not lead back to it"),
            ("out.example", "9.9.9.3", "shop.example", 0, "is named other.example, not out.example"),
            ("out.example", "9.9.9.4", "shop.example", 1, "source address 9.9.9.4 has no name"),
            ("nobody.example", "9.9.9.1", "shop.example", 1, "EHLO name nobody.example has no address"),
            ("out.example", "9.9.9.1", "inside.example", 1, "not on the public Internet"),
            ("out.example", "9.9.9.1", "null.example", 1, "takes no mail"),
            ("out.example", "9.9.9.1", "missing.example", 1, "does not exist"),
        ]) func `findings`(_ helo: String, _ source: String, _ domain: String, _ status: Int32, _ words: String) throws
    {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone, others: Self.reverse)
        defer { dns.stop() }
        let rules = directory.path + "/providers.yaml"
        try "providers:\n  special:\n    mx: [mx.example]\n".write(toFile: rules, atomically: false, encoding: .utf8)
        let finished = try Programs.finish(
            Programs.sluice,
            [
                "doctor", domain, "--helo", helo, "--source", source, "--dns", "127.0.0.1:\(dns.port)", "--providers",
                rules, "--json",
            ])
        #expect(finished.status == status, "\(finished.output)\(finished.errors)")
        let findings = try JSONDecoder().decode([Finding].self, from: Data(finished.output.utf8))
        #expect(findings.contains { $0.text.contains(words) }, "\(finished.output)")
        #expect(findings.contains { $0.level == "problem" } == (status != 0))
    }

    @Test(.timeLimit(.minutes(2))) func `policies of a sending domain`() throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let records = """
            _dmarc.shop TXT "v=DMARC1; p=none; sp=reject"
            bounce.news.shop TXT "v=spf1 ip4:9.9.9.1 +all"

            """
        let dns = try NameServer(nsd, zone: Self.zone + records, others: Self.reverse)
        defer { dns.stop() }
        let finished = try Programs.finish(
            Programs.sluice,
            [
                "doctor", "--sending-domain", "news.shop.example", "--helo", "out.example", "--source", "9.9.9.1",
                "--dns",
                "127.0.0.1:\(dns.port)",
            ])
        #expect(finished.status == 0, "\(finished.output)\(finished.errors)")
        #expect(finished.output.contains("policy reject, by the record of shop.example"), "\(finished.output)")
        #expect(finished.output.contains("it lets everybody send"), "\(finished.output)")
    }

    @Test(
        .timeLimit(.minutes(2)),
        arguments: [
            ("shop.example", 1, "no IPv6 address, which the rule of the domain demands"),
            ("shop.example", 1, "TLS is at least verified"), ("x.shop.example", 0, "the smarthost 127.0.0.1:2525"),
        ]) func `rules of domains`(_ domain: String, _ status: Int32, _ words: String) throws
    {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone, others: Self.reverse)
        defer { dns.stop() }
        let routes = directory.path + "/routes.yaml"
        try """
        domains:
          shop.example: {tls: verified, family: ipv6}
          "*.shop.example": {via: "smtp://127.0.0.1:2525"}
        """.write(toFile: routes, atomically: false, encoding: .utf8)
        let finished = try Programs.finish(
            Programs.sluice,
            [
                "doctor", domain, "--helo", "out.example", "--source", "9.9.9.1", "--dns", "127.0.0.1:\(dns.port)",
                "--routes", routes,
            ])
        #expect(finished.status == status, "\(finished.output)\(finished.errors)")
        #expect(finished.output.contains(words), "\(finished.output)")
    }
}
