package import DNSResolution
package import Foundation
package import MailTypes
import Synchronization

/// The MTA-STS policies of the domains that mail goes to (RFC 8461 §3.3, §5.1): fetched once, then kept for as long as
/// they say.
///
/// Whoever can suppress DNS or HTTPS answers cannot make a policy that was seen go away: what is cached holds until it
/// expires, whatever happens to its record or its web server. A ``MTASTSPolicyStore`` carries that over to later processes
/// and to other nodes; without one, or while it is away, a process knows what it has fetched itself.
package final class MTASTSPolicies: Sendable {
    package struct Limits: Sendable {
        /// Domains that are remembered. Beyond that, those unused for longest are forgotten.
        package var domains = 50_000
        /// Time between two fetches for a domain of which the first failed (§3.3 suggests five minutes).
        package var retryPause: TimeInterval = 300
        /// After this a policy is fetched again though its record says that it is the same, so that one in use does not
        /// run out while its web server is down (§10.2). Half of its time, if that is less.
        package var refreshAge: TimeInterval = 86_400

        package init() {}
    }

    /// What is known about a domain.
    package struct Finding: Sendable, Hashable {
        /// Nil if there is none, or mode `none`.
        package let policy: MTASTSPolicy?
        /// The domain announces a policy that could not be had just now. If an older one still holds, it is in `policy`.
        package let fault: MTASTSFault?

        package init(policy: MTASTSPolicy? = nil, fault: MTASTSFault? = nil) {
            self.policy = policy
            self.fault = fault
        }
    }

    private struct Entry {
        var policy: MTASTSPolicy?
        var id = ""
        var fetchedAt = Date.distantPast
        var refreshAt = Date.distantPast
        var fault: MTASTSFault?
        var failedAt = Date.distantPast
        var usedAt: Date

        func holds(at now: Date) -> Bool {
            guard let policy else { return false }
            return now < fetchedAt.addingTimeInterval(TimeInterval(policy.maxAge))
        }
    }

    private struct State {
        var entries: [DomainName: Entry] = [:]
        var fetches: [DomainName: Task<Void, Never>] = [:]
        /// Whose policies the store has not been given.
        var unkept: Set<DomainName> = []
        /// Of the store; nil before the first.
        var reading: Int64?
        var exchange: Task<Void, any Error>?
    }

    /// Gives the TXT records of a name.
    package typealias TextLookup = @Sendable (_ name: String) async throws(DNSFailure) -> [String]
    package typealias Fetch = @Sendable (DomainName) async throws(MTASTSFault) -> MTASTSPolicy

    private let limits: Limits
    private let texts: TextLookup
    private let fetch: Fetch
    private let store: (any MTASTSPolicyStore)?
    private let now: @Sendable () -> Date
    private let spread: @Sendable () -> Double
    private let state = Mutex(State())

    /// - Parameter spread: the part of a policy's refresh age after which this process refreshes it. Different each time,
    ///   so that of many nodes one is the first and saves the others the fetch.
    package init(
        limits: Limits = Limits(), texts: @escaping TextLookup, fetch: @escaping Fetch,
        store: (any MTASTSPolicyStore)? = nil, now: @escaping @Sendable () -> Date = { Date() },
        spread: @escaping @Sendable () -> Double = { .random(in: 0.75...1) }
    ) {
        precondition(limits.domains > 0, "a cache without room")
        self.limits = limits
        self.texts = texts
        self.fetch = fetch
        self.store = store
        self.now = now
        self.spread = spread
    }

    package convenience init(
        limits: Limits = Limits(), resolver: Resolver, fetcher: MTASTSFetcher,
        store: (any MTASTSPolicyStore)? = nil
    ) {
        self.init(
            limits: limits, texts: { name throws(DNSFailure) in try await resolver.txt(name) },
            fetch: { domain throws(MTASTSFault) in try await fetcher.fetch(domain) }, store: store)
    }

    /// Domains that are remembered.
    package var count: Int { state.withLock { $0.entries.count } }

    package func finding(for domain: DomainName) async -> Finding {
        // Before the first look into the store a policy that it has might be missed.
        if store != nil, state.withLock({ $0.reading == nil }) { try? await exchange() }
        // A record that is missing, broken or cannot be asked for takes no policy away (§3.1).
        if let record = await record(of: domain) {
            // All who ask while a fetch is under way share it.
            let task = state.withLock { state -> Task<Void, Never>? in
                let entry = state.entries[domain]
                var task = state.fetches[domain]
                if task == nil, needsFetch(entry, record) {
                    task = Task { await self.refresh(domain, record) }
                    state.fetches[domain] = task
                }
                // Nobody waits for a mere refresh.
                let isCurrent = entry?.holds(at: now()) == true && entry?.id == record.id
                return isCurrent ? nil : task
            }
            await task?.value
        }
        return state.withLock { state in
            guard var entry = state.entries[domain] else { return Finding() }
            let now = now()
            entry.usedAt = now
            state.entries[domain] = entry
            let policy = entry.holds(at: now) && entry.policy?.mode != MTASTSPolicy.Mode.none ? entry.policy : nil
            return Finding(policy: policy, fault: entry.fault)
        }
    }

    private func record(of domain: DomainName) async -> MTASTSRecord? {
        do throws(DNSFailure) {
            return MTASTSRecord(texts: try await texts("_mta-sts.\(domain)"))
        } catch {
            return nil
        }
    }

    private func needsFetch(_ entry: Entry?, _ record: MTASTSRecord) -> Bool {
        guard let entry else { return true }
        let now = now()
        guard now >= entry.failedAt.addingTimeInterval(limits.retryPause) else { return false }
        guard entry.holds(at: now), entry.id == record.id else { return true }
        return now >= entry.refreshAt
    }

    private func refresh(_ domain: DomainName, _ record: MTASTSRecord) async {
        if store != nil {
            // Another node may have fetched it a moment ago.
            try? await exchange()
            let isDone = state.withLock { state in
                guard !needsFetch(state.entries[domain], record) else { return false }
                state.fetches[domain] = nil
                return true
            }
            if isDone { return }
        }
        let result: Result<MTASTSPolicy, MTASTSFault>
        do throws(MTASTSFault) {
            result = .success(try await fetch(domain))
        } catch {
            result = .failure(error)
        }
        state.withLock { state in
            let now = now()
            var entry = state.entries[domain] ?? Entry(usedAt: now)
            switch result {
            case .success(let policy):
                entry = self.entry(policy, id: record.id, fetchedAt: now, usedAt: now)
                if store != nil { state.unkept.insert(domain) }
            case .failure(let fault):
                entry.fault = fault
                entry.failedAt = now
            }
            state.entries[domain] = entry
            state.fetches[domain] = nil
            makeRoom(&state.entries, keeping: domain, at: now)
        }
        if store != nil, case .success = result { exchangeSoon() }
    }

    private func entry(_ policy: MTASTSPolicy, id: String, fetchedAt: Date, usedAt: Date) -> Entry {
        let refreshAge = min(limits.refreshAge, TimeInterval(policy.maxAge) / 2) * spread()
        return Entry(
            policy: policy, id: id, fetchedAt: fetchedAt, refreshAt: fetchedAt.addingTimeInterval(refreshAge),
            usedAt: usedAt)
    }

    /// Forgets a tenth at a time, so that the search is rare. First what no longer holds, then what is unused for longest.
    private func makeRoom(_ entries: inout [DomainName: Entry], keeping domain: DomainName, at now: Date) {
        guard entries.count > limits.domains else { return }
        let ranked = entries.filter { $0.key != domain }
            .sorted { left, right in
                let (leftHolds, rightHolds) = (left.value.holds(at: now), right.value.holds(at: now))
                return leftHolds == rightHolds ? left.value.usedAt < right.value.usedAt : rightHolds
            }
        let excess = max(entries.count - limits.domains, limits.domains / 10)
        for (name, _) in ranked.prefix(excess) { entries[name] = nil }
    }

    // MARK: Store

    /// Gives the store what this process has fetched, and takes up what others have. To be called from time to time.
    ///
    /// - Throws: what the store throws. Nothing is lost: the next exchange makes up for it.
    package func exchange() async throws {
        guard let store else { return }
        // All who ask at once share one.
        let task = state.withLock { state in
            if let task = state.exchange { return task }
            let task = Task { try await self.exchange(with: store) }
            state.exchange = task
            return task
        }
        try await task.value
    }

    private func exchange(with store: any MTASTSPolicyStore) async throws {
        defer { state.withLock { $0.exchange = nil } }
        let (unkept, reading) = state.withLock { state in
            let now = now()
            let unkept = state.unkept.compactMap { domain -> (kept: StoredMTASTSPolicy, fetchedAt: Date)? in
                guard let entry = state.entries[domain], let policy = entry.policy, entry.holds(at: now) else {
                    return nil
                }
                let age = max(0, now.timeIntervalSince(entry.fetchedAt))
                return (StoredMTASTSPolicy(domain: domain, id: entry.id, policy: policy, age: age), entry.fetchedAt)
            }
            state.unkept = Set(unkept.map(\.kept.domain))
            return (unkept, state.reading)
        }
        if !unkept.isEmpty {
            try await store.keep(unkept.map(\.kept))
            state.withLock { state in
                for (kept, fetchedAt) in unkept where state.entries[kept.domain]?.fetchedAt == fetchedAt {
                    state.unkept.remove(kept.domain)
                }
            }
        }
        let found = try await store.kept(since: reading)
        state.withLock { state in
            for kept in found.policies { takeUp(kept, &state.entries) }
            state.reading = found.reading
        }
    }

    private func takeUp(_ kept: StoredMTASTSPolicy, _ entries: inout [DomainName: Entry]) {
        let now = now()
        let fetchedAt = now.addingTimeInterval(-kept.age)
        let known = entries[kept.domain]
        guard known.map({ $0.fetchedAt < fetchedAt }) ?? true else { return }
        var entry = entry(
            kept.policy, id: kept.id, fetchedAt: fetchedAt, usedAt: known?.usedAt ?? fetchedAt)
        if let known, known.failedAt > fetchedAt { (entry.fault, entry.failedAt) = (known.fault, known.failedAt) }
        guard entry.holds(at: now) else { return }
        entries[kept.domain] = entry
        makeRoom(&entries, keeping: kept.domain, at: now)
    }

    /// Makes nobody wait. What fails is left to the next exchange.
    private func exchangeSoon() {
        Task {
            // One that is under way may have begun too early.
            while state.withLock({ !$0.unkept.isEmpty }), (try? await exchange()) != nil {}
        }
    }
}
