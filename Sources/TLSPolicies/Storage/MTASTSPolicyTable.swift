import MailTypes
package import Postgres

/// The table `mta_sts_policies` (RFC 8461 §3.3): one row a domain, with its age by the database's clock.
package struct MTASTSPolicyTable: MTASTSPolicyStore {
    /// Rows that are kept.
    package static let mostRows = 50_000

    private let records: PostgresPool
    private let bound: Int

    /// - Parameter bound: rows that are kept; of more, those that nobody has fetched for longest go.
    package init(_ records: PostgresPool, atMost bound: Int = mostRows) {
        self.records = records
        self.bound = bound
    }

    // MARK: Writing

    /// Keeps policies where there is no later one. Forgets those that have expired, and those beyond the bound.
    package func keep(_ policies: [StoredMTASTSPolicy]) async throws {
        try await forgetExpired()
        for start in stride(from: 0, to: policies.count, by: Self.policiesAtOnce) {
            try await write(policies[start..<min(policies.count, start + Self.policiesAtOnce)])
        }
        try await forgetBeyondBound()
    }

    /// Rows that another node is busy with are its own affair: nobody waits, and nobody waits in a circle.
    private func forgetExpired() async throws {
        try await records.query(
            """
            DELETE FROM mta_sts_policies WHERE domain IN (
                SELECT domain FROM mta_sts_policies WHERE expires_at <= statement_timestamp() FOR UPDATE SKIP LOCKED)
            """)
    }

    private func write(_ part: ArraySlice<StoredMTASTSPolicy>) async throws {
        try await records.query(
            """
            INSERT INTO mta_sts_policies AS p
                (domain, id, mode, mx, max_age_seconds, fetched_at, expires_at, kept_at)
            SELECT n.domain, n.id, n.mode, string_to_array(n.mx, ' '), n.max_age, n.fetched_at,
                n.fetched_at + n.max_age * interval '1 second', clock_timestamp()
            FROM (
                SELECT *, statement_timestamp() - age * interval '1 millisecond' AS fetched_at
                FROM unnest(
                    \(part.map(\.domain.text)), \(part.map(\.id)), \(part.map(\.policy.mode.rawValue)),
                    \(part.map { $0.policy.patterns.joined(separator: " ") }), \(part.map { Int32($0.policy.maxAge) }),
                    \(part.map { Int64($0.age * 1_000) })
                ) AS u (domain, id, mode, mx, max_age, age)) n
            ORDER BY n.domain
            ON CONFLICT (domain) DO UPDATE
            SET id = excluded.id, mode = excluded.mode, mx = excluded.mx,
                max_age_seconds = excluded.max_age_seconds, fetched_at = excluded.fetched_at,
                expires_at = excluded.expires_at, kept_at = excluded.kept_at
            WHERE p.fetched_at < excluded.fetched_at
            """)
    }

    private func forgetBeyondBound() async throws {
        try await records.query(
            """
            DELETE FROM mta_sts_policies WHERE domain IN (
                SELECT domain FROM mta_sts_policies
                WHERE kept_at <= (
                    SELECT kept_at FROM mta_sts_policies ORDER BY kept_at DESC OFFSET \(Int64(bound)) LIMIT 1)
                FOR UPDATE SKIP LOCKED)
            """)
    }

    // MARK: Reading

    /// Policies that have not expired.
    ///
    /// - Parameter reading: only those that came since then, and some of before it; nil for all.
    /// - Returns: with them the name of this reading: microseconds since 1970 by the database's clock.
    package func kept(since reading: Int64?) async throws -> (policies: [StoredMTASTSPolicy], reading: Int64) {
        // Taken before the first page. What was being written then becomes visible later with an earlier time: so the next
        // reading goes back by more than a write takes.
        let now = try await records.query(
            "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
        ).only.decode(Int64.self)
        let since = reading.map { $0 - Self.writingMicroseconds } ?? 0
        var policies: [StoredMTASTSPolicy] = []
        var last = ""
        while true {
            let page = try await page(after: last, since: since)
            policies += page.compactMap(\.policy)
            guard page.count == Self.policiesAtOnce, let end = page.last else { return (policies, now) }
            last = end.domain
        }
    }

    /// - Returns: the policy is nil where its mode is of a later version of Sluice: whoever does not know it fetches the
    ///   policy himself.
    private func page(
        after last: String, since: Int64
    ) async throws -> [(domain: String, policy: StoredMTASTSPolicy?)] {
        try await records.query(
            """
            SELECT domain, id, mode, mx, max_age_seconds,
                extract(epoch FROM statement_timestamp() - fetched_at)::double precision
            FROM mta_sts_policies
            WHERE domain > \(last) AND kept_at >= to_timestamp(\(since) / 1000000.0)
                AND expires_at > statement_timestamp()
            ORDER BY domain LIMIT \(Int64(Self.policiesAtOnce))
            """
        ).map { row in
            let (domain, id, mode, patterns, maxAge, age) = try row.decode(
                String.self, String.self, String.self, [String].self, Int32.self, Double.self)
            let name = try DomainName(domain)
            let policy = MTASTSPolicy.Mode(rawValue: mode).map { mode in
                StoredMTASTSPolicy(
                    domain: name, id: id,
                    policy: MTASTSPolicy(mode: mode, maxAge: Int(maxAge), patterns: patterns), age: max(0, age))
            }
            return (domain, policy)
        }
    }

    private static let policiesAtOnce = 1_000
    private static let writingMicroseconds: Int64 = 60_000_000
}
