import CreditLedger
import Foundation
import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Campaigns

/// Claims look at what can be claimed, whatever else an account has. Measured in pages, which do not depend on the machine.
@Suite struct ClaimCostTests {
    @Test(arguments: ["nothing is due", "a batch is due"])
    func `drafts cost a claim of their account nothing`(_ queue: String) async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(8)
        if queue == "nothing is due" {
            try await fixture.records.owner.query("UPDATE batches SET due_at = clock_timestamp() + interval '1 day'")
        }
        let before = try await Self.pagesOfClaim(fixture)
        try await fixture.records.owner.query(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain)
            SELECT \(fixture.account.rawValue), \(campaign.rawValue) - n, 'shop.example'
            FROM generate_series(1, 20000) n
            """)
        let after = try await Self.pagesOfClaim(fixture)
        #expect(after <= before + 20, "\(before) pages before, \(after) after")
    }

    @Test func `batches that wait cost a claim nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        try await fixture.records.owner.query("UPDATE batches SET due_at = clock_timestamp() + interval '1 day'")
        let before = try await Self.pagesOfClaim(fixture)
        try await fixture.records.owner.query(
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, due_at)
            SELECT \(fixture.account.rawValue), \(campaign.rawValue), n, CASE WHEN n < 10000 THEN 3 ELSE 1 END, 1,
                clock_timestamp() + interval '1 day'
            FROM generate_series(100, 20000) n
            """)
        let after = try await Self.pagesOfClaim(fixture)
        #expect(after <= before + 20, "\(before) pages before, \(after) after")
    }

    @Test func `accounts whose mail waits cost a claim nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(4)
        let before = try await Self.pagesOfClaim(fixture)
        try await fixture.records.owner.query(
            """
            INSERT INTO account_queue (account_id, next_due)
            SELECT \(fixture.account.rawValue) + n, clock_timestamp() + interval '1 day' FROM generate_series(1, 20000) n
            """)
        let after = try await Self.pagesOfClaim(fixture)
        #expect(after <= before + 20, "\(before) pages before, \(after) after")
    }

    /// What a session has planned while the tables were empty serves them when they are full, also before autovacuum has
    /// counted anew.
    @Test func `a session that is older than the batches claims as cheaply as before`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(8)
        try await fixture.records.owner.withConnection { try await $0.execute(script: "VACUUM ANALYZE batches") }
        let old = try await PostgresConnection.connect(fixture.records.configuration())
        for _ in 0..<8 { _ = try await Self.pagesOfClaim(fixture.account, on: old) }
        let before = try await Self.pagesOfClaim(fixture.account, on: old)
        try await fixture.records.owner.query(
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, due_at)
            SELECT \(fixture.account.rawValue), \(campaign.rawValue), n, 1, 1, clock_timestamp() - interval '1 minute'
            FROM generate_series(100, 40000) n
            """)
        _ = try await Self.pagesOfClaim(fixture.account, on: old)
        let after = try await Self.pagesOfClaim(fixture.account, on: old)
        #expect(after <= before + 20, "\(before) pages before, \(after) after")
        await old.close()
    }

    /// A plan for the very values of a claim would be made again for the next five.
    @Test func `a session keeps the plans of its first claim`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(8)
        let connection = try await PostgresConnection.connect(fixture.records.configuration(role: "postgres"))
        _ = try await Self.pagesOfClaim(fixture.account, on: connection)
        let kept = try await connection.query(
            """
            SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlan' AND ident LIKE '%batches b%'
            """
        ).only.decode(Int.self)
        // That which looks for batches, and that which takes one.
        #expect(kept >= 2)
        await connection.close()
    }

    /// What a session must plan and read of the catalogue before its first claim it has done before anybody waits for it.
    @Test func `the first claim of a session has its plans`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(8)
        func first(_ rehearsal: String?) async throws -> Int {
            var configuration = fixture.records.configuration()
            configuration.rehearsal = rehearsal
            let connection = try await PostgresConnection.connect(configuration)
            let pages = try await Self.pagesOfClaim(fixture.account, on: connection)
            await connection.close()
            return pages
        }
        let unprepared = try await first(nil)
        let rehearsed = try await first(DeliveryStore.claimRehearsal)
        #expect(rehearsed < unprepared / 4, "\(rehearsed) pages, \(unprepared) without a rehearsal")
        // Nothing of it stays, and no account was served.
        let queue = try await fixture.records.owner.query(
            "SELECT account_id, served_at = '-infinity' FROM account_queue")
        #expect(try queue.only.decode(Int64.self, Bool.self) == (fixture.account.rawValue, true))
    }

    /// Pages that a claim touches, which is undone.
    private static func pagesOfClaim(_ fixture: CampaignFixture) async throws -> Int {
        for table in ["account_queue", "campaigns", "batches"] {
            try await fixture.records.owner.withConnection { try await $0.execute(script: "VACUUM ANALYZE \(table)") }
        }
        // The first of a session also reads the catalogue.
        return try await fixture.records.owner.withConnection { connection in
            var pages = Int.max
            for _ in 0..<3 { pages = min(pages, try await pagesOfClaim(fixture.account, on: connection)) }
            return pages
        }
    }

    private static func pagesOfClaim(_ account: AccountID, on connection: PostgresConnection) async throws -> Int {
        struct Undone: Error {}
        var pages = Int.max
        do {
            try await connection.withTransaction { connection in
                try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
                let plan = try await connection.query(
                    """
                    EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)
                    SELECT * FROM claim_batches('probe', 30.0, 1, '{}')
                    """
                ).only.decode(String.self)
                pages = try Self.pages(plan)
                throw Undone()
            }
        } catch is Undone {}
        return pages
    }

    private static func pages(_ plan: String) throws -> Int {
        struct Explained: Decodable {
            struct Plan: Decodable {
                let hits: Int
                let reads: Int
                enum CodingKeys: String, CodingKey {
                    case hits = "Shared Hit Blocks"
                    case reads = "Shared Read Blocks"
                }
            }
            let plan: Plan
            enum CodingKeys: String, CodingKey { case plan = "Plan" }
        }
        guard let first = try JSONDecoder().decode([Explained].self, from: Data(plan.utf8)).first else { return .max }
        return first.plan.hits + first.plan.reads
    }

    // MARK: Quotas

    @Test func `an account has so many drafts and no more, and others have their own`() async throws {
        let fixture = try await CampaignFixture.make()
        let draft = try await fixture.draft(0)
        try await Self.fill(fixture, beside: draft, CampaignLimits.drafts - 1)
        #expect(await Self.code { try await fixture.draft(0) } == .tooManyDrafts)
        let other = try await fixture.account("other", credits: 0)
        _ = try await fixture.draft(0, account: other)
        _ = try await fixture.service.deleteDraft(fixture.account, draft)
        _ = try await fixture.draft(0)
    }

    @Test func `an account has so many unfinished campaigns and no more`() async throws {
        let fixture = try await CampaignFixture.make()
        let draft = try await fixture.draft(2)
        try await Self.fill(fixture, beside: draft, CampaignLimits.unfinished, state: "paused")
        #expect(await Self.code { try await fixture.service.send(fixture.account, draft) } == .tooManyCampaigns)
        #expect(try await fixture.balance().held == 0)
    }

    private static func fill(
        _ fixture: CampaignFixture, beside campaign: CampaignID, _ count: Int, state: String = "draft"
    ) async throws {
        try await fixture.records.owner.query(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state)
            SELECT \(fixture.account.rawValue), \(campaign.rawValue) - n, 'shop.example', \(state)
            FROM generate_series(1, \(count)) n
            """)
    }

    private static func code(_ body: () async throws -> some Any) async -> CampaignError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? CampaignError)?.code
        }
    }
}
