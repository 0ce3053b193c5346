import CreditLedger
import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing

@testable import Campaigns

/// Sweeps look at what there is to do, and not at all that is kept. Measured in rows that are read without an index.
struct SweepCostTests {
    private static let rows = 20_000
    private static let tables = ["campaigns", "uncharged_mails", "refunds_due", "feedback_facts"]

    @Test func `what is kept of ended campaigns, refunds and feedback costs their sweeps nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        try await fill(fixture, beside: try await fixture.sent(1))
        var configuration = fixture.records.configuration()
        configuration.maximumConnections = 1
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        let refunds = Refunds(records: pool, ledger: fixture.ledger, logger: .silent)
        let before = try await rowsRead(fixture)
        #expect(try await refunds.sweep() == 0)
        #expect(try await refunds.sweepUncharged() == 0)
        #expect(try await FeedbackIntake(records: pool, followers: []).sweep() == 0)
        // The session that swept tells now of what it has read.
        try await pool.query("SELECT pg_stat_force_next_flush()")
        let read = try await rowsRead(fixture) - before
        #expect(read < Self.rows / 2)
        await pool.close()
    }

    /// Ended campaigns, and rows of one that goes on.
    private func fill(_ fixture: CampaignFixture, beside campaign: CampaignID) async throws {
        let (account, number) = (fixture.account.rawValue, campaign.rawValue)
        try await fixture.records.owner.query(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state, completed_at, results_until)
            SELECT \(account), \(number) - n, 'shop.example', 'completed', now(), now()
            FROM generate_series(1, \(Self.rows)) n
            """)
        for table in ["uncharged_mails", "refunds_due"] {
            try await fixture.records.owner.query(
                """
                INSERT INTO \(unescaped: table) (account_id, campaign_id, fingerprint)
                SELECT \(account), \(number), int8send(n) || int8send(0) FROM generate_series(1, \(Self.rows)) n
                """)
        }
        try await fixture.records.owner.query(
            """
            INSERT INTO feedback_facts (account_id, campaign_id, fingerprint, fact, channel, reason)
            SELECT \(account), \(number), int8send(n) || int8send(0), 2, 'reply', ''
            FROM generate_series(1, \(Self.rows)) n
            """)
        for table in Self.tables {
            try await fixture.records.owner.withConnection { try await $0.execute(script: "VACUUM ANALYZE \(table)") }
        }
    }

    private func rowsRead(_ fixture: CampaignFixture) async throws -> Int {
        try await fixture.records.owner.query(
            "SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname = ANY (\(Self.tables))"
        ).only.decode(Int.self)
    }
}
