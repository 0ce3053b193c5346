import Feedback
import MailTypes
import Postgres
import Testing
import Vault

/// What a batch's look-up costs, counted by the server itself.
@Suite struct SuppressionCostTests {
    private static func fingerprints(_ numbers: ClosedRange<Int>) -> [Fingerprint] {
        numbers.map { Fingerprint(high: UInt64($0) &* 0x9E37_79B9_7F4A_7C15, low: UInt64($0)) }
    }

    @Test func `a batch of a thousand is asked for by one statement, which reads no row but those it finds`()
        async throws
    {
        let lists = try await Lists()
        let address = try EmailAddress("somebody@example.org")
        for start in stride(from: 1, to: 8_000, by: 4_000) {
            try await lists.run { list, connection in
                try await list.add(
                    Self.fingerprints(start...start + 3_999).map { NewSuppression($0, .hardBounce) },
                    account: lists.first, origin: .reply, on: connection)
            }
        }
        try await lists.run { list, connection in
            let before = try await Cost(on: connection)
            let asked = Self.fingerprints(7_501...8_500).map { Addressee($0, address) }
            #expect(try await list.which(of: asked, account: lists.first, on: connection).count == 500)
            let after = try await Cost(on: connection)
            #expect(after.statements - before.statements == 1)
            #expect(after.wholeScans == before.wholeScans)
            #expect(after.lookUps - before.lookUps == 1_000)
            #expect(after.rows - before.rows <= 500, "\(after.rows - before.rows) rows were read")
        }
    }

    /// What this session has asked of the table.
    private struct Cost {
        let statements, wholeScans, lookUps, rows: Int64

        init(on connection: PostgresConnection) async throws {
            (statements, wholeScans, lookUps, rows) = try await connection.query(
                """
                SELECT (SELECT coalesce(sum(generic_plans + custom_plans), 0)::bigint FROM pg_prepared_statements
                        WHERE statement LIKE '%FROM suppressions t%' AND statement NOT LIKE '%pg_prepared_statements%'),
                    seq_scan, idx_scan, idx_tup_fetch
                FROM pg_stat_xact_user_tables WHERE relname = 'suppressions'
                """
            ).only.decode(Int64.self, Int64.self, Int64.self, Int64.self)
        }
    }
}
