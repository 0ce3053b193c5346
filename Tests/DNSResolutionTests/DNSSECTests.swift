import DNSResolution
import MailTypes
import TestPeers
import Testing

/// What the resolver says about proof, against a real name server with a zone that `ldns-signzone` signed.
@Suite(.serialized) struct DNSSECTests {
    private static let digest = String(repeating: "0b9fa5a5", count: 8)
    private static let record = TLSARecord(
        .endEntity, .publicKey, .sha256,
        [UInt8](repeating: 0, count: 8).flatMap { _ in [0x0B, 0x9F, 0xA5, 0xA5] as [UInt8] })

    private static let zone = """
        mx A 192.0.2.10
        mx AAAA 2001:db8::10
        _25._tcp.mx TLSA 3 1 1 \(digest)
        _25._tcp.mx TLSA 0 1 1 \(digest)
        _2525._tcp.mx TLSA 2 0 2 \(digest)\(digest)
        bare A 192.0.2.20
        empty A 192.0.2.30
        _25._tcp.empty TXT "no TLSA here"
        useless A 192.0.2.31
        _25._tcp.useless TLSA 1 1 1 \(digest)
        alias CNAME mx
        away CNAME plain.other.
        d MX 10 mx
        mixed MX 10 mx
        mixed MX 20 plain.other.
        viaalias MX 10 alias
        viaaway MX 10 away
        toinside MX 10 host.unsigned
        own A 192.0.2.40
        spoilt A 192.0.2.66
        tospoilt MX 10 spoilt
        spoiltmx MX 10 mx
        spoilttlsa A 192.0.2.50
        _25._tcp.spoilttlsa TLSA 3 1 1 \(digest)
        _mta-sts.d TXT "v=STSv1; id=1"
        _smtp._tls.d TXT "v=TLSRPTv1; rua=mailto:r@d.example"
        unsigned NS ns
        """

    private static let others = [
        "other": """
        plain A 192.0.2.80
        _25._tcp.plain TLSA 3 1 1 \(digest)
        d MX 10 mx.example.
        _mta-sts.d TXT "v=STSv1; id=2"
        """,
        "unsigned.example": """
        host A 192.0.2.90
        _25._tcp.host TLSA 3 1 1 \(digest)
        """,
    ]

    private static let spoils = [
        ("192.0.2.66", "192.0.2.67"),
        ("spoiltmx.example.\t60\tIN\tMX\t10 mx.", "spoiltmx.example.\t60\tIN\tMX\t10 bare."),
        (
            "_25._tcp.spoilttlsa.example.\t60\tIN\tTLSA\t3 1 1 0b",
            "_25._tcp.spoilttlsa.example.\t60\tIN\tTLSA\t3 1 1 0c"
        ),
    ]

    /// Nil, with the reason printed, where a program is missing.
    private func server(days: Int = 10) throws -> NameServer? {
        guard let program = NameServer.program else {
            print("skipped: nsd is not installed")
            return nil
        }
        guard ZoneSigner.programs != nil else {
            print("skipped: ldnsutils is not installed")
            return nil
        }
        let signer = ZoneSigner(spoils: Self.spoils, days: days)
        return try NameServer(program, zone: Self.zone, signer: signer, others: Self.others)
    }

    private func resolver(_ server: NameServer, trusting: Bool = true) throws -> Resolver {
        var configuration = ResolverConfiguration(forwarders: [server.server], timeout: .seconds(60))
        if trusting { configuration.trustAnchorFile = server.trustAnchorFile }
        return try Resolver(configuration)
    }

    private func describe(_ resolver: Resolver, _ domain: String) async throws -> String {
        do {
            guard case .hosts(let hosts) = try await resolver.mailRoute(for: DomainName(domain)) else { return "none" }
            return hosts.map { host in
                let words = [
                    host.name, host.isRouteSecure ? "route" : nil, host.areAddressesSecure ? "addresses" : nil,
                    host.canonicalName.map { "= \($0)" },
                ]
                return words.compactMap(\.self).joined(separator: " ")
            }.joined(separator: ", ")
        } catch let failure as DNSFailure {
            return "\(failure)"
        }
    }

    @Test func `routes say what is proven`() async throws {
        guard let server = try server() else { return }
        defer { server.stop() }
        let resolver = try resolver(server)
        for (domain, expected) in [
            ("d.example", "mx.example route addresses"), ("own.example", "own.example route addresses"),
            ("mixed.example", "mx.example route addresses, plain.other route"),
            ("viaalias.example", "alias.example route addresses = mx.example"),
            // The alias is proven and its target is not.
            ("viaaway.example", "away.example route = plain.other"),
            ("toinside.example", "host.unsigned.example route"), ("plain.other", "plain.other"),
            // A forged MX may lead to a host that is proven.
            ("d.other", "mx.example addresses"),
            ("spoiltmx.example", "the answer does not carry the signatures that it must"),
            ("tospoilt.example", "the answer does not carry the signatures that it must"),
            ("missing.example", "the domain does not exist"),
        ] {
            #expect(try await describe(resolver, domain) == expected, "\(domain)")
        }
    }

    @Test func `without a trust anchor nothing is proven`() async throws {
        guard let server = try server() else { return }
        defer { server.stop() }
        let resolver = try resolver(server, trusting: false)
        #expect(try await describe(resolver, "d.example") == "mx.example")
        #expect(try await describe(resolver, "spoiltmx.example") == "bare.example")
        #expect(try await resolver.tlsa("mx.example", port: 25).isSecure == false)
    }

    @Test func `signatures that are over are bogus`() async throws {
        guard let server = try server(days: -10) else { return }
        defer { server.stop() }
        let resolver = try resolver(server)
        #expect(
            try await describe(resolver, "d.example") == "the answer does not carry the signatures that it must")
        await #expect(throws: DNSFailure.temporary(.bogus)) { try await resolver.tlsa("mx.example", port: 25) }
        #expect(try await describe(resolver, "plain.other") == "plain.other")
    }

    @Test func `TLSA records come with their proof`() async throws {
        guard let server = try server() else { return }
        defer { server.stop() }
        let resolver = try resolver(server)
        #expect(
            try await resolver.tlsa("mx.example", port: 25) == DNSRecords(values: [Self.record], isSecure: true))
        let anchor = try await resolver.tlsa("mx.example", port: 2_525)
        #expect(anchor.values.map { "\($0.usage) \($0.selector) \($0.matching)" } == ["trustAnchor certificate sha512"])
        // There, and of no use for SMTP.
        #expect(try await resolver.tlsa("useless.example", port: 25) == DNSRecords(values: [], isSecure: true))
        #expect(
            try await resolver.tlsa("plain.other", port: 25) == DNSRecords(values: [Self.record], isSecure: false))
        #expect(try await resolver.tlsa("host.unsigned.example", port: 25).isSecure == false)
        await #expect(throws: DNSFailure.permanent(.noSuchDomain)) {
            try await resolver.tlsa("bare.example", port: 25)
        }
        await #expect(throws: DNSFailure.permanent(.noRecords)) {
            try await resolver.tlsa("empty.example", port: 25)
        }
        await #expect(throws: DNSFailure.temporary(.bogus)) {
            try await resolver.tlsa("spoilttlsa.example", port: 25)
        }
    }

    @Test func `texts come with their proof`() async throws {
        guard let server = try server() else { return }
        defer { server.stop() }
        let resolver = try resolver(server)
        #expect(
            try await resolver.texts("_mta-sts.d.example") == DNSRecords(values: ["v=STSv1; id=1"], isSecure: true))
        #expect(
            try await resolver.texts("_mta-sts.d.other") == DNSRecords(values: ["v=STSv1; id=2"], isSecure: false))
        #expect(try await resolver.txt("_smtp._tls.d.example") == ["v=TLSRPTv1; rua=mailto:r@d.example"])
    }

    @Test func `addresses of a host`() async throws {
        guard let server = try server() else { return }
        defer { server.stop() }
        let resolver = try resolver(server)
        #expect(
            try await resolver.addresses(of: "mx.example").map(\.description) == ["192.0.2.10", "2001:db8::10"])
        await #expect(throws: DNSFailure.temporary(.bogus)) { try await resolver.addresses(of: "spoilt.example") }
        await #expect(throws: DNSFailure.permanent(.noSuchDomain)) {
            try await resolver.addresses(of: "missing.example")
        }
    }

    /// Name servers that fail at TLSA must not look like ones without records (RFC 7672 §2.1.3).
    @Test func `failures at TLSA are temporary`() async throws {
        for reply in [ScriptedServer.Reply.code(2), .code(5), .garbage] {
            let server = try ScriptedServer { _, type in type == "TYPE52" ? reply : .records([]) }
            defer { server.stop() }
            let resolver = try Resolver(server.resolverConfiguration)
            do {
                _ = try await resolver.tlsa("mx.example", port: 25)
                Issue.record("an answer")
            } catch {
                #expect(!error.isPermanent)
            }
            #expect(server.questions.contains("_25._tcp.mx.example TYPE52"))
        }
    }
}
