import DNSResolution
import MailTypes
import SMTPTransport
import TLSPolicies
import TestDatabases
import TestSupport
import Testing

/// An engine shares MTA-STS policies with other nodes.
struct PolicyExchangeTests {
    @Test func `an engine takes up what other nodes have fetched, and nobody has asked it yet`() async throws {
        let fixture = try await DeliveryFixture.make()
        let table = MTASTSPolicyTable(fixture.records.pool)
        let policies = MTASTSPolicies(
            texts: { _ throws(DNSFailure) in throw .permanent(.noSuchDomain) },
            fetch: { _ throws(MTASTSFault) in throw MTASTSFault(.stsPolicyFetchError, "no") }, store: table)
        let domain = try DomainName("d.example")
        let policy = MTASTSPolicy(mode: .enforce, maxAge: 864_000, patterns: ["mx.example", "*.d.example"])
        try await table.keep([StoredMTASTSPolicy(domain: domain, id: "1", policy: policy, age: 0)])
        try await fixture.withEngine(port: 1, tlsPolicies: TLSPolicyResolver(tlsa: nil, policies: policies)) { _ in
            try await eventually("the policy is there") { policies.count == 1 }
        }
        #expect(await policies.finding(for: domain).policy == policy)
    }
}
