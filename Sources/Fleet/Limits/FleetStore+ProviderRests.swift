import MailTypes
import Postgres

extension FleetStore {
    /// Tells the other nodes of rests that this one has met, and learns of theirs. The later end of two counts; times are
    /// the database's.
    package func exchange(_ rests: [ProviderRest]) async throws -> [ProviderRest] {
        if !rests.isEmpty {
            try await records.query(
                """
                INSERT INTO provider_rests AS r (provider, source, until, code, enhanced)
                SELECT n.provider, n.source, clock_timestamp() + n.seconds * interval '1 second', n.code, n.enhanced
                FROM unnest(
                    \(rests.map(\.provider)), \(rests.map(\.source)), \(rests.map(\.secondsLeft)),
                    \(rests.map { Int32($0.code) }), \(rests.map { $0.enhanced?.description ?? "" })
                ) AS n (provider, source, seconds, code, enhanced)
                ORDER BY 1, 2
                ON CONFLICT (provider, source) DO UPDATE
                SET until = excluded.until, code = excluded.code, enhanced = excluded.enhanced
                WHERE r.until < excluded.until
                """)
        }
        let rows = try await records.query(
            """
            SELECT provider, source, extract(epoch FROM until - clock_timestamp())::float8, code, enhanced
            FROM provider_rests WHERE until > clock_timestamp()
            """)
        return try rows.map { row in
            let (provider, source, seconds, code, enhanced) = try row.decode(
                String.self, String.self, Double.self, Int32.self, String.self)
            return ProviderRest(
                provider: provider, source: source, secondsLeft: seconds, code: Int(code),
                enhanced: EnhancedStatusCode(enhanced))
        }
    }

    /// An operator has ended the rests of a provider.
    package func forgetRests(of provider: String) async throws {
        try await records.query("DELETE FROM provider_rests WHERE provider = \(provider)")
    }
}
