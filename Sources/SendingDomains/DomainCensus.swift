import MailTypes
package import Postgres

/// How the sending domains of all live accounts stand, and whether they are looked after.
package struct DomainCensus: Sendable, Hashable {
    package var pending = 0
    package var verified = 0
    package var failing = 0
    package var stopped = 0
    /// Seconds for which the domain that waits longest for its next look has waited by now; 0 where none waits.
    package var lateSeconds = 0.0
    /// When a domain was looked after last, in seconds before now; nil where none ever was.
    package var lastLookSeconds: Double?

    package init() {}
}

extension SendingDomains {
    /// Nil where domains count as proven without a look.
    package func census(on pool: PostgresPool) async throws -> DomainCensus? {
        guard !trusts else { return nil }
        return try await pool.query(
            """
            SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'verified'),
                count(*) FILTER (WHERE state = 'failing'), count(*) FILTER (WHERE state = 'stopped'),
                extract(epoch FROM greatest(clock_timestamp() - min(next_check_at), interval '0'))::double precision,
                extract(epoch FROM clock_timestamp() - max(checked_at))::double precision
            FROM domains WHERE account_id <= \(AccountID.mostLive)
            """
        ).map { row in
            let (pending, verified, failing, stopped, late, lastLook) = try row.decode(
                Int64.self, Int64.self, Int64.self, Int64.self, Double?.self, Double?.self)
            var census = DomainCensus()
            (census.pending, census.verified) = (Int(pending), Int(verified))
            (census.failing, census.stopped) = (Int(failing), Int(stopped))
            (census.lateSeconds, census.lastLookSeconds) = (late ?? 0, lastLook)
            return census
        }.first
    }
}
