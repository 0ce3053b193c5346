import Postgres

extension FleetStore {
    /// Adds to what sources have sent on a day, and tells the fleet's sums of that day.
    ///
    /// - Parameters:
    ///   - sent: mails by source address and provider.
    ///   - day: in days since 1970, UTC.
    package func countUsage(_ sent: [SourceUsage: Int], onDay day: Int) async throws -> [SourceUsage: Int] {
        let list = Array(sent)
        if !list.isEmpty {
            try await records.query(
                """
                INSERT INTO source_usage AS u (source, provider, day, sent)
                SELECT s.source, s.provider, \(Int32(day)), s.sent
                FROM unnest(
                    \(list.map(\.key.source)), \(list.map(\.key.provider)), \(list.map { Int64($0.value) })
                ) AS s (source, provider, sent)
                ORDER BY 1, 2
                ON CONFLICT (source, provider, day) DO UPDATE SET sent = u.sent + excluded.sent
                """)
        }
        let rows = try await records.query(
            "SELECT source, provider, sent FROM source_usage WHERE day = \(Int32(day))")
        return try rows.reduce(into: [:]) { sums, row in
            let (source, provider, sent) = try row.decode(String.self, String.self, Int64.self)
            sums[SourceUsage(source: source, provider: provider)] = Int(sent)
        }
    }
}
