import DNSResolution
import MailTypes
import TestPeers
import TestSupport
import Testing

/// The resolver against a real name server.
@Suite(.serialized) struct NameServerTests {
    private static let zone = """
        a.mx A 192.0.2.10
        a.mx AAAA 2001:db8::10
        b.mx A 192.0.2.20
        two MX 20 b.mx
        two MX 10 a.mx
        mixed MX 10 A.Mx.EXAMPLE.
        own A 192.0.2.30
        own6 AAAA 2001:db8::30
        null MX 0 .
        null A 192.0.2.99
        nullandmore MX 0 .
        nullandmore MX 10 a.mx
        nothing TXT "no mail here"
        dangling MX 10 gone
        dangling A 192.0.2.99
        half MX 10 gone
        half MX 20 a.mx
        hollow MX 10 nothing
        under_score A 192.0.2.40
        underscore MX 10 under_score
        literal MX 10 192.0.2.50.
        odd MX 10 we\\.ird
        odd MX 10 bl\\032ank
        odd MX 20 b.mx
        alias CNAME two
        aliasalias CNAME alias
        tohost CNAME a.mx
        viaalias MX 10 tohost
        loop1 CNAME loop2
        loop2 CNAME loop1
        toloop MX 10 loop1
        nowhere CNAME gone
        same MX 10 a.mx
        same MX 30 a.mx
        *.wild MX 10 b.mx
        text TXT "v=DKIM1; k=rsa; " "p=AAAA"
        text TXT "second"
        _dmarc.text TXT "v=DMARC1; p=none"
        \((0..<12).map { "many A 192.0.2.\(100 + $0)" }.joined(separator: "\n"))
        \((0..<24).map { "host\($0) A 198.51.100.\($0)\nmanyhosts MX \($0 / 2) host\($0)" }.joined(separator: "\n"))
        \((0..<10).map { "ties MX 10 host\($0)" }.joined(separator: "\n"))
        \((0..<14).map { "chain\($0) CNAME chain\($0 + 1)" }.joined(separator: "\n"))
        chain14 A 192.0.2.60
        \((0..<40).map { "big TXT \"\($0) " + String(repeating: "x", count: 200) + "\"" }.joined(separator: "\n"))
        """

    private func withServer(_ body: (NameServer) async throws -> Void) async throws {
        guard let program = NameServer.program else { return print("skipped: nsd is not installed") }
        let server = try NameServer(program, zone: Self.zone)
        defer { server.stop() }
        try await body(server)
    }

    private func describe(_ resolver: Resolver, _ domain: String) async throws -> String {
        do {
            switch try await resolver.mailRoute(for: DomainName(domain)) {
            case .nullMX: return "null MX"
            case .hosts(let hosts):
                return hosts.map { host in
                    "\(host.preference) \(host.name) [\(host.addresses.map(\.description).joined(separator: " "))]"
                }.joined(separator: ", ")
            }
        } catch let failure as DNSFailure {
            return (failure.isPermanent ? "permanent: " : "temporary: ") + failure.description
        }
    }

    @Test func `mail routes of all shapes`() async throws {
        try await withServer { server in
            let resolver = try Resolver(ResolverConfiguration(forwarders: [server.server]))
            let a = "a.mx.example [192.0.2.10 2001:db8::10]"
            let b = "b.mx.example [192.0.2.20]"
            for (domain, expected) in [
                ("two.example", "10 \(a), 20 \(b)"), ("mixed.example", "10 \(a)"),
                ("own.example", "0 own.example [192.0.2.30]"), ("own6.example", "0 own6.example [2001:db8::30]"),
                ("null.example", "null MX"), ("nullandmore.example", "10 \(a)"),
                ("nothing.example", "permanent: the domain has neither mail hosts nor an address"),
                ("missing.example", "permanent: the domain does not exist"),
                ("below.missing.example", "permanent: the domain does not exist"),
                ("dangling.example", "temporary: no mail host of the domain has an address"),
                ("hollow.example", "temporary: no mail host of the domain has an address"),
                ("half.example", "20 \(a)"), ("underscore.example", "10 under_score.example [192.0.2.40]"),
                ("literal.example", "permanent: no mail host of the domain has an address"),
                ("odd.example", "20 \(b)"), ("alias.example", "10 \(a), 20 \(b)"),
                ("aliasalias.example", "10 \(a), 20 \(b)"), ("nowhere.example", "permanent: the domain does not exist"),
                ("viaalias.example", "10 tohost.example [192.0.2.10 2001:db8::10]"), ("same.example", "10 \(a)"),
                ("x.wild.example", "10 \(b)"), ("x.y.wild.example", "10 \(b)"),
                ("chain7.example", "0 chain7.example [192.0.2.60]"),
            ] {
                #expect(try await describe(resolver, domain) == expected, "\(domain)")
            }
            // libunbound may see the loop as a failure or as a name without records.
            #expect(try await describe(resolver, "loop1.example").hasPrefix("temporary: "))
            #expect(try await describe(resolver, "toloop.example").hasPrefix("temporary: "))
            #expect(try await describe(resolver, "chain0.example").hasPrefix("temporary: "))
        }
    }

    @Test func `hosts and addresses are bounded`() async throws {
        try await withServer { server in
            let resolver = try Resolver(ResolverConfiguration(forwarders: [server.server]))
            guard case .hosts(let hosts) = try await resolver.mailRoute(for: DomainName("manyhosts.example")) else {
                Issue.record("no hosts")
                return
            }
            #expect(hosts.count == 16)
            #expect(hosts.map(\.preference) == (0..<16).map { $0 / 2 })
            guard case .hosts(let many) = try await resolver.mailRoute(for: DomainName("many.example")) else {
                Issue.record("no hosts")
                return
            }
            #expect(many.map(\.addresses.count) == [8])
        }
    }

    @Test func `ties are shuffled by the generator`() async throws {
        try await withServer { server in
            var orders: [[String]] = []
            for seed in [UInt64(1), 1, 2, 3, 4] {
                let resolver = try Resolver(
                    ResolverConfiguration(forwarders: [server.server]), generator: SeededGenerator(seed: seed))
                guard case .hosts(let hosts) = try await resolver.mailRoute(for: DomainName("ties.example")) else {
                    continue
                }
                orders.append(hosts.map(\.name))
            }
            #expect(orders.count == 5)
            #expect(orders[0] == orders[1])
            #expect(Set(orders).count == 4)
            #expect(orders.allSatisfy { Set($0) == Set((0..<10).map { "host\($0).example" }) })
        }
    }

    @Test func `families are ordered as configured`() async throws {
        try await withServer { server in
            var configuration = ResolverConfiguration(forwarders: [server.server])
            configuration.prefersVersion6 = true
            let both = try Resolver(configuration)
            #expect(try await describe(both, "same.example") == "10 a.mx.example [2001:db8::10 192.0.2.10]")
            configuration.usesVersion6 = false
            let one = try Resolver(configuration)
            #expect(try await describe(one, "same.example") == "10 a.mx.example [192.0.2.10]")
        }
    }

    @Test func `text records are joined`() async throws {
        try await withServer { server in
            let resolver = try Resolver(ResolverConfiguration(forwarders: [server.server]))
            #expect(try await Set(resolver.txt("text.example")) == ["v=DKIM1; k=rsa; p=AAAA", "second"])
            #expect(try await resolver.txt("_dmarc.text.example") == ["v=DMARC1; p=none"])
            // 8 KB: over UDP it does not fit.
            #expect(try await resolver.txt("big.example").count == 40)
            await #expect(throws: DNSFailure.permanent(.noRecords)) { try await resolver.txt("own.example") }
            await #expect(throws: DNSFailure.permanent(.noSuchDomain)) { try await resolver.txt("gone.example") }
            for name in [
                "", ".", "a..b", "a b", "a.example.", "a\\.example", "a\u{0}.example",
                String(repeating: "a.", count: 200) + "b",
            ] {
                await #expect(throws: DNSFailure.permanent(.nameUnusable)) { try await resolver.txt(name) }
            }
        }
    }

    @Test func `many calls at once all get their answer`() async throws {
        try await withServer { server in
            var configuration = ResolverConfiguration(forwarders: [server.server])
            configuration.maximumConcurrentQuestions = 16
            let resolver = try Resolver(configuration)
            let right = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        let route = try await resolver.mailRoute(for: DomainName("d\(number % 250).wild.example"))
                        let host = MailHost(name: "b.mx.example", preference: 10, addresses: [.v4(0xC000_0214)])
                        return route == .hosts([host])
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(right == 400)
        }
    }
}
