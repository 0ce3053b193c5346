import DNSResolution
import Foundation
import MailTypes
import NIOConcurrencyHelpers
import SMTPTransport
import TLSPolicies
import Testing

/// The cache, on a clock of its own and with records and fetches as the test says.
@Suite(.timeLimit(.minutes(1))) struct MTASTSPoliciesTests {
    private struct World: Sendable {
        var now = Date(timeIntervalSince1970: 1_800_000_000)
        var record: Result<[String], DNSFailure> = .success(["v=STSv1; id=1"])
        var policy: Result<MTASTSPolicy, MTASTSFault> = .success(enforcing("a.example"))
        var fetches = 0
        var delay: Duration = .zero
    }

    private let world = NIOLockedValueBox(World())
    private let domain = try! DomainName("d.example")

    private static func enforcing(_ host: String, maxAge: Int = 864_000) -> MTASTSPolicy {
        MTASTSPolicy(mode: .enforce, maxAge: maxAge, patterns: [host])
    }

    private static let fault = MTASTSFault(.stsPolicyFetchError, "no")

    private func policies(domains: Int = 10) -> MTASTSPolicies {
        var limits = MTASTSPolicies.Limits()
        limits.domains = domains
        let world = world
        return MTASTSPolicies(
            limits: limits,
            texts: { name throws(DNSFailure) in try world.withLockedValue { $0.record }.get() },
            fetch: { _ throws(MTASTSFault) in
                let (delay, policy) = world.withLockedValue { world in
                    world.fetches += 1
                    return (world.delay, world.policy)
                }
                if delay > .zero { try? await Task.sleep(for: delay) }
                return try policy.get()
            },
            now: { world.withLockedValue { $0.now } })
    }

    private func change(_ body: (inout World) -> Void) { world.withLockedValue { body(&$0) } }
    private var fetches: Int { world.withLockedValue { $0.fetches } }

    /// Lets a refresh that nobody waits for come to its end.
    private func settle(_ policies: MTASTSPolicies, fetches wanted: Int) async throws {
        while fetches < wanted { try await Task.sleep(for: .milliseconds(2)) }
        try await Task.sleep(for: .milliseconds(50))
    }

    @Test func `a policy is fetched once and again when its record changes`() async {
        let policies = policies()
        for _ in 0..<3 {
            #expect(await policies.finding(for: domain) == .init(policy: Self.enforcing("a.example")))
        }
        #expect(fetches == 1)
        change {
            $0.record = .success(["v=STSv1; id=2"])
            $0.policy = .success(Self.enforcing("b.example"))
        }
        #expect(await policies.finding(for: domain) == .init(policy: Self.enforcing("b.example")))
        #expect(await policies.finding(for: domain) == .init(policy: Self.enforcing("b.example")))
        #expect(fetches == 2)
    }

    @Test func `without a record nothing is fetched`() async {
        let policies = policies()
        for record in [
            Result<[String], DNSFailure>.failure(.permanent(.noSuchDomain)), .failure(.temporary(.timeout)),
            .success(["v=spf1"]), .success(["v=STSv1; id=1", "v=STSv1; id=2"]),
        ] {
            change { $0.record = record }
            #expect(await policies.finding(for: domain) == .init())
        }
        #expect(fetches == 0)
        #expect(policies.count == 0)
    }

    /// Who can suppress answers must not be able to take a policy away (RFC 8461 §10.2).
    @Test func `a policy that was seen outlives its record and its server`() async {
        let policies = policies()
        let policy = Self.enforcing("a.example")
        #expect(await policies.finding(for: domain).policy == policy)
        change { $0.record = .failure(.permanent(.noSuchDomain)) }
        #expect(await policies.finding(for: domain) == .init(policy: policy))
        change { $0.record = .failure(.temporary(.bogus)) }
        #expect(await policies.finding(for: domain) == .init(policy: policy))
        change {
            $0.record = .success(["v=STSv1; id=2"])
            $0.policy = .failure(Self.fault)
        }
        #expect(await policies.finding(for: domain) == .init(policy: policy, fault: Self.fault))
        change { $0.now += 864_000 - 1 }
        #expect(await policies.finding(for: domain) == .init(policy: policy, fault: Self.fault))
        change { $0.now += 1 }
        #expect(await policies.finding(for: domain) == .init(fault: Self.fault))
    }

    @Test func `a failed fetch is not repeated at once`() async {
        let policies = policies()
        change { $0.policy = .failure(Self.fault) }
        for _ in 0..<3 { #expect(await policies.finding(for: domain) == .init(fault: Self.fault)) }
        #expect(fetches == 1)
        change { $0.now += 299 }
        _ = await policies.finding(for: domain)
        #expect(fetches == 1)
        change {
            $0.now += 1
            $0.policy = .success(Self.enforcing("a.example"))
        }
        #expect(await policies.finding(for: domain) == .init(policy: Self.enforcing("a.example")))
        #expect(fetches == 2)
    }

    @Test func `one in use is refreshed every day and nobody waits for it`() async throws {
        let policies = policies()
        _ = await policies.finding(for: domain)
        change {
            $0.now += 86_400
            $0.policy = .success(Self.enforcing("b.example"))
        }
        #expect(await policies.finding(for: domain).policy == Self.enforcing("a.example"))
        try await settle(policies, fetches: 2)
        #expect(await policies.finding(for: domain).policy == Self.enforcing("b.example"))
        #expect(fetches == 2)
    }

    @Test func `mode none takes the policy away`() async {
        let policies = policies()
        _ = await policies.finding(for: domain)
        change {
            $0.record = .success(["v=STSv1; id=2"])
            $0.policy = .success(MTASTSPolicy(mode: .none, maxAge: 100, patterns: []))
        }
        #expect(await policies.finding(for: domain) == .init())
        #expect(fetches == 2)
        _ = await policies.finding(for: domain)
        #expect(fetches == 2)
    }

    @Test func `all who ask at once share a fetch`() async {
        let policies = policies()
        change { $0.delay = .milliseconds(200) }
        await withTaskGroup(of: MTASTSPolicies.Finding.self) { tasks in
            for _ in 0..<50 { tasks.addTask { await policies.finding(for: self.domain) } }
            for await finding in tasks { #expect(finding.policy == Self.enforcing("a.example")) }
        }
        #expect(fetches == 1)
    }

    @Test func `the number of domains is bounded and those in use stay`() async throws {
        let policies = policies(domains: 10)
        for number in 0..<100 {
            change { $0.now += 1 }
            _ = await policies.finding(for: domain)
            _ = await policies.finding(for: try DomainName("d\(number).example"))
            #expect(policies.count <= 10)
        }
        #expect(fetches == 101)
    }
}
