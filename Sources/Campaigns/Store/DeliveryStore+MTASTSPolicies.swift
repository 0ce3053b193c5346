package import MailTypes
import Postgres

/// The MTA-STS policy of a domain (RFC 8461), as the database keeps it.
package struct StoredMTASTSPolicy: Sendable, Hashable {
    package let domain: DomainName
    /// Of the TXT record that announced it.
    package let id: String
    /// `enforce`, `testing` or `none`
    package let mode: String
    /// Names of mail hosts; `*.` stands for one label.
    package let patterns: [String]
    /// Seconds for which it holds.
    package let maxAge: Int
    /// Seconds since it was fetched, by the database's clock.
    package let age: Double

    package init(domain: DomainName, id: String, mode: String, patterns: [String], maxAge: Int, age: Double) {
        self.domain = domain
        self.id = id
        self.mode = mode
        self.patterns = patterns
        self.maxAge = maxAge
        self.age = age
    }
}

/// Nodes leave the policies that they have fetched here, for their next life and for each other.
extension DeliveryStore {
    /// Keeps policies where there is no later one. Forgets those that have expired, and beyond the bound those that nobody
    /// has fetched for longest.
    package func keepMTASTSPolicies(
        _ policies: [StoredMTASTSPolicy], atMost bound: Int = mtaSTSPolicyBound
    ) async throws {
        // Rows that another node is busy with are its own affair: nobody waits, and nobody waits in a circle.
        try await records.query(
            """
            DELETE FROM mta_sts_policies WHERE domain IN (
                SELECT domain FROM mta_sts_policies WHERE expires_at <= statement_timestamp() FOR UPDATE SKIP LOCKED)
            """)
        for start in stride(from: 0, to: policies.count, by: Self.policiesAtOnce) {
            let part = policies[start..<min(policies.count, start + Self.policiesAtOnce)]
            try await records.query(
                """
                INSERT INTO mta_sts_policies AS p
                    (domain, id, mode, mx, max_age_seconds, fetched_at, expires_at, kept_at)
                SELECT n.domain, n.id, n.mode, string_to_array(n.mx, ' '), n.max_age, n.fetched_at,
                    n.fetched_at + n.max_age * interval '1 second', clock_timestamp()
                FROM (
                    SELECT *, statement_timestamp() - age * interval '1 millisecond' AS fetched_at
                    FROM unnest(
                        \(part.map(\.domain.text)), \(part.map(\.id)), \(part.map(\.mode)),
                        \(part.map { $0.patterns.joined(separator: " ") }), \(part.map { Int32($0.maxAge) }),
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
        try await records.query(
            """
            DELETE FROM mta_sts_policies WHERE domain IN (
                SELECT domain FROM mta_sts_policies
                WHERE kept_at <= (
                    SELECT kept_at FROM mta_sts_policies ORDER BY kept_at DESC OFFSET \(Int64(bound)) LIMIT 1)
                FOR UPDATE SKIP LOCKED)
            """)
    }

    /// Rows that are kept.
    package static var mtaSTSPolicyBound: Int { 50_000 }

    /// Policies that have not expired.
    ///
    /// - Parameter reading: only those that came since then, and some of before it; nil for all.
    /// - Returns: with them the name of this reading: microseconds since 1970 by the database's clock.
    package func mtaSTSPolicies(
        since reading: Int64?
    ) async throws -> (policies: [StoredMTASTSPolicy], reading: Int64) {
        // Taken before the first page. What was being written then becomes visible later with an earlier time: so the next
        // reading goes back by more than a write takes.
        let now = try await records.query(
            "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
        ).only.decode(Int64.self)
        let since = reading.map { $0 - Self.writingMicroseconds } ?? 0
        var policies: [StoredMTASTSPolicy] = []
        var last = ""
        while true {
            let rows = try await records.query(
                """
                SELECT domain, id, mode, mx, max_age_seconds,
                    extract(epoch FROM statement_timestamp() - fetched_at)::double precision
                FROM mta_sts_policies
                WHERE domain > \(last) AND kept_at >= to_timestamp(\(since) / 1000000.0)
                    AND expires_at > statement_timestamp()
                ORDER BY domain LIMIT \(Int64(Self.policiesAtOnce))
                """)
            for row in rows {
                let (domain, id, mode, patterns, maxAge, age) = try row.decode(
                    String.self, String.self, String.self, [String].self, Int32.self, Double.self)
                last = domain
                policies.append(
                    StoredMTASTSPolicy(
                        domain: try DomainName(domain), id: id, mode: mode, patterns: patterns, maxAge: Int(maxAge),
                        age: max(0, age)))
            }
            if rows.count < Self.policiesAtOnce { return (policies, now) }
        }
    }

    private static var policiesAtOnce: Int { 1_000 }
    private static var writingMicroseconds: Int64 { 60_000_000 }
}
