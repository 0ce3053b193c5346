import DNSResolution
import Foundation
import MailTypes
import NIOConcurrencyHelpers
import SMTPTransport
import TLSPolicies
import TestSupport
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

    private func policies(domains: Int = 10, store: Shelf? = nil, spread: Double = 1) -> MTASTSPolicies {
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
            }, store: store,
            now: { world.withLockedValue { $0.now } }, spread: { spread })
    }

    private func change(_ body: (inout World) -> Void) { world.withLockedValue { body(&$0) } }
    private var fetches: Int { world.withLockedValue { $0.fetches } }

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
        while await policies.finding(for: domain).policy != Self.enforcing("b.example") {
            try await Task.sleep(for: .milliseconds(2))
        }
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

    /// Nodes draw different parts, so that one of them is the first.
    @Test(arguments: [0.75, 1]) func `a policy that holds for less than two days is refreshed half-way`(
        part: Double
    ) async throws {
        change { $0.policy = .success(Self.enforcing("a.example", maxAge: 100_000)) }
        let policies = policies(spread: part)
        _ = await policies.finding(for: domain)
        change { $0.now += 50_000 * part - 1 }
        _ = await policies.finding(for: domain)
        #expect(fetches == 1)
        change { $0.now += 1 }
        _ = await policies.finding(for: domain)
        try await eventually { fetches == 2 }
    }

    // MARK: Store

    /// A store in memory, on the clock of the world.
    private final class Shelf: MTASTSPolicyStore {
        struct Away: Error {}

        private struct State {
            var policies: [DomainName: (kept: StoredMTASTSPolicy, fetchedAt: Date)] = [:]
            var isAway = false
            var calls = 0
        }

        private let state = NIOLockedValueBox(State())
        private let now: @Sendable () -> Date

        init(now: @escaping @Sendable () -> Date) { self.now = now }

        var domains: Set<DomainName> { state.withLockedValue { Set($0.policies.keys) } }
        func fetchedAt(_ domain: DomainName) -> Date? { state.withLockedValue { $0.policies[domain]?.fetchedAt } }
        var calls: Int { state.withLockedValue { $0.calls } }
        func setAway(_ isAway: Bool) { state.withLockedValue { $0.isAway = isAway } }

        func keep(_ policies: [StoredMTASTSPolicy]) async throws {
            let now = now()
            try state.withLockedValue { state in
                state.calls += 1
                if state.isAway { throw Away() }
                for kept in policies {
                    let fetchedAt = now - kept.age
                    if let present = state.policies[kept.domain], present.fetchedAt >= fetchedAt { continue }
                    state.policies[kept.domain] = (kept, fetchedAt)
                }
            }
        }

        func kept(since reading: Int64?) async throws -> (policies: [StoredMTASTSPolicy], reading: Int64) {
            let now = now()
            return try state.withLockedValue { state in
                state.calls += 1
                if state.isAway { throw Away() }
                let policies = state.policies.values.map { kept, fetchedAt in
                    StoredMTASTSPolicy(
                        domain: kept.domain, id: kept.id, policy: kept.policy,
                        age: now.timeIntervalSince(fetchedAt))
                }
                return (policies, 1)
            }
        }
    }

    private func shelf() -> Shelf {
        let world = world
        return Shelf { world.withLockedValue { $0.now } }
    }

    private func loseEverything() {
        change {
            $0.record = .failure(.permanent(.noSuchDomain))
            $0.policy = .failure(Self.fault)
        }
    }

    @Test func `a policy outlives the process that fetched it, until it expires`() async throws {
        let shelf = shelf()
        let policy = Self.enforcing("a.example")
        _ = await policies(store: shelf).finding(for: domain)
        try await eventually { shelf.domains == [domain] }
        loseEverything()
        change { $0.now += 1_000 }
        #expect(await policies(store: shelf).finding(for: domain) == .init(policy: policy))
        // Somebody changes the record only: the fetch fails, and what was kept holds.
        change { $0.record = .success(["v=STSv1; id=2"]) }
        #expect(await policies(store: shelf).finding(for: domain) == .init(policy: policy, fault: Self.fault))
        loseEverything()
        change { $0.now += 863_000 - 1 }
        #expect(await policies(store: shelf).finding(for: domain) == .init(policy: policy))
        change { $0.now += 1 }
        #expect(await policies(store: shelf).finding(for: domain) == .init())
    }

    @Test func `a node uses what another has fetched`() async throws {
        let shelf = shelf()
        let (first, second) = (policies(store: shelf), policies(store: shelf))
        _ = await second.finding(for: try DomainName("other.example"))
        let before = fetches
        let policy = await first.finding(for: domain).policy
        try await eventually { shelf.domains.contains(domain) }
        #expect(await second.finding(for: domain) == .init(policy: policy))
        #expect(fetches == before + 1, "the second node fetched it again")
        let older = shelf.fetchedAt(domain)
        // A later version, and its end.
        change {
            $0.record = .success(["v=STSv1; id=2"])
            $0.policy = .success(MTASTSPolicy(mode: .none, maxAge: 100_000, patterns: []))
            $0.now += 10
        }
        #expect(await second.finding(for: domain) == .init())
        try await eventually { shelf.fetchedAt(domain) != older }
        loseEverything()
        try await first.exchange()
        #expect(await first.finding(for: domain) == .init(), "the older policy came back")
        #expect(fetches == before + 2)
    }

    @Test func `without the store a node knows what it fetched, and tells it when the store is back`() async throws {
        let shelf = shelf()
        shelf.setAway(true)
        let policies = policies(store: shelf)
        let policy = Self.enforcing("a.example")
        #expect(await policies.finding(for: domain) == .init(policy: policy))
        await #expect(throws: Shelf.Away.self) { try await policies.exchange() }
        loseEverything()
        #expect(await policies.finding(for: domain) == .init(policy: policy))
        #expect(shelf.domains == [])
        shelf.setAway(false)
        change { $0.now += 500 }
        try await policies.exchange()
        #expect(await self.policies(store: shelf).finding(for: domain) == .init(policy: policy))
        change { $0.now += 863_500 }
        #expect(await self.policies(store: shelf).finding(for: domain) == .init(), "its time began anew")
    }

    @Test func `the store is not asked for mail to domains that are known or publish nothing`() async throws {
        let shelf = shelf()
        let policies = policies(store: shelf)
        _ = await policies.finding(for: domain)
        try await eventually { shelf.domains == [domain] }
        try await policies.exchange()
        let calls = shelf.calls
        for _ in 0..<10 { _ = await policies.finding(for: domain) }
        change { $0.record = .failure(.permanent(.noSuchDomain)) }
        for number in 0..<10 { _ = await policies.finding(for: try DomainName("d\(number).example")) }
        #expect(shelf.calls == calls)
    }
}
