package import Campaigns
package import TLSPolicies

/// Keeps MTA-STS policies in the database of records.
package struct MTASTSPolicyRecords: MTASTSPolicyStore {
    private let store: DeliveryStore

    package init(_ store: DeliveryStore) {
        self.store = store
    }

    package func keep(_ policies: [KeptMTASTSPolicy]) async throws {
        try await store.keepMTASTSPolicies(
            policies.map {
                StoredMTASTSPolicy(
                    domain: $0.domain, id: $0.id, mode: $0.policy.mode.rawValue, patterns: $0.policy.patterns,
                    maxAge: $0.policy.maxAge, age: $0.age)
            })
    }

    package func kept(since reading: Int64?) async throws -> (policies: [KeptMTASTSPolicy], reading: Int64) {
        let found = try await store.mtaSTSPolicies(since: reading)
        let policies = found.policies.compactMap { stored -> KeptMTASTSPolicy? in
            // A mode of a later version of Sluice: whoever does not know it fetches the policy himself.
            guard let mode = MTASTSPolicy.Mode(rawValue: stored.mode) else { return nil }
            return KeptMTASTSPolicy(
                domain: stored.domain, id: stored.id,
                policy: MTASTSPolicy(mode: mode, maxAge: stored.maxAge, patterns: stored.patterns), age: stored.age)
        }
        return (policies, found.reading)
    }
}
