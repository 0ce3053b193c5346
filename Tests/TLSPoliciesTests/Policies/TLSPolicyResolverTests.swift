import DNSResolution
import MailTypes
import NIOConcurrencyHelpers
import SMTPTransport
import Testing

@testable import TLSPolicies

/// Which protection each host gets, from what its domain and its DNS publish.
@Suite(.timeLimit(.minutes(1))) struct TLSPolicyResolverTests {
    private static let endEntity = TLSARecord(.endEntity, .publicKey, .sha256, [UInt8](repeating: 1, count: 32))
    private static let anchor = TLSARecord(.trustAnchor, .publicKey, .sha256, [UInt8](repeating: 2, count: 32))
    private static let fault = MTASTSFault(.stsWebPKIInvalid, "no")

    private let domain = try! DomainName("d.example")
    private let asked = NIOLockedValueBox<[String]>([])

    private func host(
        _ name: String = "mx.example", route: Bool = true, addresses: Bool = true, canonical: String? = nil
    ) -> MailHost {
        MailHost(
            name: name, preference: 10, addresses: [.v4(0xC000_0201)], isRouteSecure: route,
            areAddressesSecure: addresses, canonicalName: canonical)
    }

    private func resolver(
        tlsa: [String: Result<DNSRecords<TLSARecord>, DNSFailure>] = [:], sts: MTASTSPolicy? = nil,
        fault: MTASTSFault? = nil
    ) -> TLSPolicyResolver {
        let asked = asked
        let policies = MTASTSPolicies(
            texts: { _ throws(DNSFailure) in
                guard sts != nil || fault != nil else { throw .permanent(.noSuchDomain) }
                return ["v=STSv1; id=1"]
            },
            fetch: { _ throws(MTASTSFault) in
                guard let sts else { throw Self.fault }
                return sts
            })
        return TLSPolicyResolver(
            tlsa: { host, port throws(DNSFailure) in
                asked.withLockedValue { $0.append("_\(port)._tcp.\(host)") }
                return try (tlsa[host] ?? .failure(.permanent(.noSuchDomain))).get()
            }, policies: policies)
    }

    private func secure(_ records: TLSARecord...) -> Result<DNSRecords<TLSARecord>, DNSFailure> {
        .success(DNSRecords(values: records, isSecure: true))
    }

    private func describe(
        _ resolver: TLSPolicyResolver, _ hosts: [MailHost], _ minimum: TLSRequirement = .opportunistic
    ) async -> [String] {
        await resolver.policy(for: domain, hosts: hosts, minimum: minimum).hosts.map { host in
            let policy =
                switch host.policy {
                case .dane(let policy): "dane at \(policy.baseName) for \(policy.names.sorted())"
                case .refused(let cause): "refused(\(cause))"
                default: "\(host.policy)"
                }
            return policy + (host.fault.map { " (\($0.rawValue))" } ?? "")
        }
    }

    private func sts(_ mode: MTASTSPolicy.Mode, _ pattern: String = "mx.example") -> MTASTSPolicy {
        MTASTSPolicy(mode: mode, maxAge: 100, patterns: [pattern])
    }

    @Test func `secure TLSA records decide`() async {
        let resolver = resolver(tlsa: ["mx.example": secure(Self.endEntity)])
        for minimum in TLSRequirement.allCases {
            #expect(await describe(resolver, [host()], minimum) == ["dane at mx.example for [\"mx.example\"]"])
        }
        let anchored = self.resolver(tlsa: ["mx.example": secure(Self.anchor)])
        #expect(
            await describe(anchored, [host()]) == ["dane at mx.example for [\"d.example\", \"mx.example\"]"])
    }

    @Test func `insecure hosts are not asked about`() async {
        let resolver = resolver(tlsa: ["mx.example": secure(Self.endEntity)])
        for host in [host(route: false), host(addresses: false)] {
            #expect(await describe(resolver, [host]) == ["opportunistic"])
        }
        #expect(asked.withLockedValue { $0 } == [])
    }

    @Test func `insecure or missing records are as none`() async {
        for answer in [
            Result<DNSRecords<TLSARecord>, DNSFailure>.success(DNSRecords(values: [Self.endEntity], isSecure: false)),
            .success(DNSRecords(values: [], isSecure: false)), .failure(.permanent(.noRecords)),
            .failure(.permanent(.noSuchDomain)),
        ] {
            #expect(await describe(resolver(tlsa: ["mx.example": answer]), [host()]) == ["opportunistic"])
        }
    }

    /// RFC 7672 §2.1.3: an answer that is lost or forged never makes a host one without DANE.
    @Test(arguments: [DNSFailure.Reason.bogus, .serverFailure, .timeout, .refused, .tooManyAliases, .cancelled])
    func `doubtful answers refuse the host for now`(reason: DNSFailure.Reason) async {
        for sts in [nil, sts(.enforce)] {
            let resolver = resolver(tlsa: ["mx.example": .failure(.temporary(reason))], sts: sts)
            for minimum in TLSRequirement.allCases {
                #expect(
                    await describe(resolver, [host()], minimum) == ["refused(tlsaUnavailable) (dnssec-invalid)"])
            }
        }
    }

    @Test func `unusable records still demand TLS`() async {
        let resolver = resolver(tlsa: ["mx.example": secure()])
        #expect(await describe(resolver, [host()]) == ["required(verify: false) (tlsa-invalid)"])
        #expect(await describe(resolver, [host()], .encrypted) == ["required(verify: false) (tlsa-invalid)"])
        #expect(await describe(resolver, [host()], .verified) == ["required(verify: true) (tlsa-invalid)"])
        #expect(await describe(resolver, [host()], .dane) == ["refused(tlsaUnusable) (tlsa-invalid)"])
    }

    @Test func `the name behind aliases is asked for first`() async {
        let alias = host("alias.example", canonical: "mx.example")
        let both = resolver(tlsa: ["mx.example": secure(Self.endEntity), "alias.example": secure(Self.anchor)])
        #expect(await describe(both, [alias]) == ["dane at mx.example for [\"mx.example\"]"])
        #expect(asked.withLockedValue { $0 } == ["_25._tcp.mx.example"])
        let first = resolver(tlsa: ["alias.example": secure(Self.anchor)])
        #expect(
            await describe(first, [alias]) == ["dane at alias.example for [\"alias.example\", \"d.example\"]"])
        let doubtful = resolver(
            tlsa: ["mx.example": .failure(.temporary(.timeout)), "alias.example": secure(Self.endEntity)])
        #expect(await describe(doubtful, [alias])[0].hasPrefix("refused"))
    }

    @Test func `MTA-STS speaks where DANE does not`() async {
        let hosts = [host(), host("other.example")]
        #expect(
            await describe(resolver(sts: sts(.enforce)), hosts) == [
                "required(verify: true)", "refused(mailHostNotInPolicy) (validation-failure)",
            ])
        #expect(
            await describe(resolver(sts: sts(.testing)), hosts) == ["testing", "testing (validation-failure)"])
        #expect(await describe(resolver(sts: sts(.none)), hosts) == ["opportunistic", "opportunistic"])
        let fault = "opportunistic (sts-webpki-invalid)"
        #expect(await describe(resolver(fault: Self.fault), hosts) == [fault, fault])
    }

    @Test func `DANE wins over MTA-STS host by host`() async {
        let hosts = [host(), host("other.example"), host("third.example")]
        let resolver = resolver(
            tlsa: ["mx.example": .failure(.temporary(.bogus)), "other.example": secure(Self.endEntity)],
            sts: sts(.enforce, "*.example"))
        #expect(
            await describe(resolver, hosts) == [
                "refused(tlsaUnavailable) (dnssec-invalid)",
                "dane at other.example for [\"other.example\"]", "required(verify: true)",
            ])
    }

    @Test(
        arguments: [
            (TLSRequirement.opportunistic, nil, true, "opportunistic"),
            (.encrypted, nil, true, "required(verify: false)"),
            (.verified, nil, false, "required(verify: true)"),
            (.dane, nil, true, "refused(daneRequired) (dane-required)"),
            (.requireTLS, nil, true, "required(verify: true)"), (.requireTLS, nil, false, "opportunistic"),
            (.opportunistic, .testing, true, "testing"), (.encrypted, .testing, true, "required(verify: false)"),
            (.verified, .testing, true, "required(verify: true)"), (.requireTLS, .testing, false, "testing"),
            (.encrypted, .enforce, true, "required(verify: true)"),
            (.requireTLS, .enforce, false, "required(verify: true)"),
            (.dane, .enforce, true, "refused(daneRequired) (dane-required)"),
        ] as [(TLSRequirement, MTASTSPolicy.Mode?, Bool, String)])
    func `an account's wish raises what is published`(
        minimum: TLSRequirement, mode: MTASTSPolicy.Mode?, isRouteSecure: Bool, expected: String
    ) async {
        let resolver = resolver(sts: mode.map { sts($0) })
        let text = await describe(resolver, [host(route: isRouteSecure)], minimum)
        #expect(text == [expected])
    }

    /// REQUIRETLS waits for a policy that is announced, where nothing else proves the way.
    @Test func `a policy that could not be had proves nothing yet`() async {
        let hosts = [host("a.example", route: false), host("b.example")]
        #expect(
            await describe(resolver(fault: Self.fault), hosts, .requireTLS) == [
                "refused(mtaSTSPolicyUnavailable) (sts-webpki-invalid)", "required(verify: true) (sts-webpki-invalid)",
            ])
        #expect(
            await describe(resolver(fault: Self.fault), hosts, .encrypted)
                == Array(repeating: "required(verify: false) (sts-webpki-invalid)", count: 2))
    }

    @Test func `connections are shared where the protection is the same`() async throws {
        let other = try DomainName("e.example")
        let hosts = [host(), host("b.example")]
        func key(_ resolver: TLSPolicyResolver, _ domain: DomainName) async -> String {
            await resolver.policy(for: domain, hosts: hosts).laneKey
        }
        let plain = resolver()
        #expect(await key(plain, domain) == "")
        let dane = resolver(tlsa: ["mx.example": secure(Self.endEntity)])
        #expect(await key(dane, domain) == key(dane, other))
        #expect(await key(dane, domain) != "")
        // The recipients' domain may stand in the certificate: sessions cannot be shared.
        let anchored = resolver(tlsa: ["mx.example": secure(Self.anchor)])
        #expect(await key(anchored, domain) != key(anchored, other))
        let keys = [
            await key(dane, domain), await key(anchored, domain), await key(resolver(sts: sts(.enforce)), domain),
            await key(resolver(sts: sts(.testing)), domain),
            await key(resolver(sts: sts(.enforce, "*.example")), domain),
        ]
        #expect(Set(keys).count == keys.count)
    }
}
