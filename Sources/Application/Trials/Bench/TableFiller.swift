import MailTypes
import Postgres

/// Fills the tables that can grow, as years of use and a careless customer would.
struct TableFiller {
    let records: Records
    let account: AccountID

    /// Numbers of campaigns in use; drafts lie below and ended campaigns above.
    private static let first: Int64 = 1 << 50
    private static let inUse: Int64 = 100
    /// Holds of the first campaign in use; those of the others lie with ended campaigns.
    private static let holds = 1_000

    static func campaign(_ number: Int64) -> CampaignID { CampaignID(rawValue: first + number) }

    /// In portions, each of which takes seconds: statements have their time. Few tables at a time, so that none waits for a
    /// connection longer than the pool lets it.
    func fill(_ range: Range<Int>) async throws {
        // Of those in use each has its share of the batches.
        try await run(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state, open_batches, recipients)
            SELECT \(account.rawValue), \(Self.first) + n, 'bench.example', 'sending', 1000000, 2000000000
            FROM generate_series(0, \(Self.inUse) - 1) n ON CONFLICT DO NOTHING
            """)
        let entries = try await ledgerEntries() - Int64(range.lowerBound)
        let portions = stride(from: range.lowerBound, to: range.upperBound, by: Self.portion).map {
            Int64($0)...Int64(min($0 + Self.portion, range.upperBound) - 1)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for table in rows(0...0, after: entries).indices {
                if table >= Self.tablesAtOnce { try await group.next() }
                group.addTask { [self] in
                    for portion in portions { try await run(rows(portion, after: entries)[table]) }
                }
            }
            try await group.waitForAll()
        }
        try await run("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
        try await waitForCounts()
    }

    /// Until autovacuum has counted what was filled, as it has in tables that took years: plans go by its counts, and a
    /// session keeps those that it made before.
    private func waitForCounts() async throws {
        for _ in 0..<Self.patienceSeconds {
            let isBehind = try await records.pool.query(
                """
                SELECT EXISTS (
                    SELECT FROM pg_stat_user_tables WHERE n_mod_since_analyze > 100 + n_live_tup / 5)
                """
            ).only.decode(Bool.self)
            if !isBehind { return }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private static let tablesAtOnce = 4
    private static let patienceSeconds = 300
    private static let portion = 125_000

    private func ledgerEntries() async throws -> Int64 {
        try await records.pool.query("SELECT entry_count FROM accounts WHERE account_id = \(account.rawValue)").only
            .decode(Int64.self)
    }

    /// Statements that add rows of these numbers, one a table, or a part of it that needs no other.
    ///
    /// - Parameter entries: the ledger's entries before row 0.
    private func rows(_ range: ClosedRange<Int64>, after entries: Int64) -> [SQL] {
        campaigns(range) + batches(range) + books(range, after: entries) + lists(range)
    }

    private func campaigns(_ range: ClosedRange<Int64>) -> [SQL] {
        let (account, first) = (account.rawValue, Self.first)
        return [
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, created_at)
            SELECT \(account), \(first) - 1 - n, 'bench.example', clock_timestamp()
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state, completed_at, results_until)
            SELECT \(account), \(first) + \(Self.inUse) + n, 'bench.example', 'completed', clock_timestamp(),
                clock_timestamp() + interval '1 day'
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
        ]
    }

    /// Half of the batches are settled, the others are due tomorrow but for a few.
    private func batches(_ range: ClosedRange<Int64>) -> [SQL] {
        let (account, first) = (account.rawValue, Self.first)
        let sealed: [SQL] = ["batch_recipients", "batch_results"].map { table in
            """
            INSERT INTO \(unescaped: table) (account_id, campaign_id, batch_no, sealed)
            SELECT \(account), \(first) + n % \(Self.inUse), n / \(Self.inUse) + 1, decode(repeat('00', 100), 'hex')
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """
        }
        return sealed + [
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, due_at)
            SELECT \(account), \(first) + n % \(Self.inUse), n / \(Self.inUse) + 1,
                CASE WHEN n / \(Self.inUse) % 2 = 0 THEN 1 ELSE 3 END, 1000,
                clock_timestamp() + CASE WHEN n < 500 THEN interval '-1 hour' ELSE interval '1 day' END
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
            """
            INSERT INTO journal (account_id, campaign_id, batch_no, epoch, sealed)
            SELECT \(account), \(first) + n % \(Self.inUse), n / \(Self.inUse) + 1, 1, decode(repeat('00', 100), 'hex')
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
            // Of other accounts, whose mail is due tomorrow.
            """
            INSERT INTO account_queue (account_id, next_due)
            SELECT \(first) + n, clock_timestamp() + interval '1 day'
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
        ]
    }

    /// Entries of purges, which move no credits: the guards of the books let nothing else pass that no campaign stands behind.
    private func books(_ range: ClosedRange<Int64>, after entries: Int64) -> [SQL] {
        let (account, first) = (account.rawValue, Self.first + Self.inUse)
        let (low, high) = (range.lowerBound, range.upperBound)
        return [
            """
            INSERT INTO holds (account_id, campaign_id, batch_no, amount)
            SELECT \(account), CASE WHEN n < \(Int64(Self.holds)) THEN \(Self.first) ELSE \(first) + n / 100 END, n + 1, 0
            FROM generate_series(\(low), \(high)) n
            """,
            """
            WITH entries AS (
                INSERT INTO ledger_entries (
                    account_id, entry_no, kind, campaign_id, amount, posted_before, posted_after, held_before,
                    held_after, digest, chain, created_at)
                SELECT account_id, \(entries) + n + 1, 'purge', \(first) + n, 0, posted, posted, held, held,
                    chain, chain, clock_timestamp()
                FROM accounts, decode(repeat('00', 32), 'hex') chain, generate_series(\(low), \(high)) n
                WHERE account_id = \(account))
            UPDATE accounts SET entry_count = \(entries) + \(high) + 1, chain_head = decode(repeat('00', 32), 'hex')
            WHERE account_id = \(account)
            """,
        ]
    }

    /// What is kept of addresses and requests. Fingerprints ascend: in the order of chance each would write a page of an index
    /// anew, which takes most of the time and makes no look-up dearer.
    private func lists(_ range: ClosedRange<Int64>) -> [SQL] {
        let account = account.rawValue
        // Of campaigns under way: nothing of them is due.
        let ofRefunds: [SQL] = ["uncharged_mails", "refunds_due"].map { table in
            """
            INSERT INTO \(unescaped: table) (account_id, campaign_id, fingerprint)
            SELECT \(account), \(Self.first) + n % \(Self.inUse), int8send(n) || int8send(0)
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """
        }
        return ofRefunds + [
            """
            INSERT INTO suppressions (account_id, fingerprint, reason, origin)
            SELECT \(account), int8send(n) || int8send(0), CASE WHEN n % 100000 = 7 THEN 4 ELSE 2 END, 'reply'
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
            """
            INSERT INTO feedback_facts (account_id, campaign_id, fingerprint, fact, channel, reason)
            SELECT \(account), \(Self.first), int8send(n) || int8send(0), 2, 'reply', ''
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
            """
            INSERT INTO idempotency_keys (account_id, scope, key, request_hash, status, body)
            SELECT \(account), 'POST /v1/suppressions', n::text, '', 200, ''
            FROM generate_series(\(range.lowerBound), \(range.upperBound)) n
            """,
        ]
    }

    /// Whether the campaigns in use rest: a claim passes over those that do.
    func rest(_ rests: Bool) async throws {
        try await run(
            """
            UPDATE campaigns SET state = \(rests ? "paused" : "sending")
            WHERE account_id = \(account.rawValue) AND campaign_id >= \(Self.first)
                AND campaign_id < \(Self.first + Self.inUse)
            """)
    }

    private func run(_ sql: SQL) async throws { try await records.pool.query(sql) }
}
