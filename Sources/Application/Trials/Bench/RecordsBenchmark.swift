import Campaigns
import Feedback
import Foundation
import Identity
import Logging
import MailTypes
import Postgres
import Vault

/// What claims, pages, sums and sweeps cost where the tables are full, and where they are nearly empty.
struct RecordsBenchmark {
    let rows: Int
    let logger: Logger

    struct Result: BenchReport {
        let machine: Machine
        /// Rows of each table that was filled, at first and then.
        let rows: [Int]
        let measures: [Measure]

        var title: String { "Records: \(grouped(rows[1])) rows in a table" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable(header: ["milliseconds, rows in a table"] + rows.map(grouped), rightAligned: [1, 2])
            for measure in measures {
                table.add(
                    measure.name, String(format: "%.1f", measure.milliseconds[0]),
                    String(format: "%.1f", measure.milliseconds[1]))
            }
            return table.text + "\n\n" + machine.text
        }
    }

    struct Measure: Encodable {
        let name: String
        /// The median of a few runs, at each size.
        var milliseconds: [Double]
    }

    private static let fewRows = 1_000

    func run() async throws -> Result {
        let machine = Machine()
        let directory = try Rig.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let settings = Settings(isolated: [.data: directory + "/data"])
        let records = try await Records.open(settings, role: .server, logger: logger)
        do {
            let account = try await records.createAccount(name: "bench", credits: 1)
            let filler = TableFiller(records: records, account: account)
            try await filler.fill(0..<Self.fewRows)
            var measures = try await measure(records, account)
            try await filler.fill(Self.fewRows..<max(rows, Self.fewRows + 1))
            for (place, measure) in try await measure(records, account).enumerated() {
                measures[place].milliseconds += measure.milliseconds
            }
            await records.close()
            return Result(machine: machine.atEnd, rows: [Self.fewRows, rows], measures: measures)
        } catch {
            await records.close()
            throw error
        }
    }

    private func measure(_ records: Records, _ account: AccountID) async throws -> [Measure] {
        let (campaigns, delivery) = (records.campaigns, records.delivery)
        let newest = TableFiller.campaign(0)
        var measures: [Measure] = []
        func add(_ name: String, _ work: () async throws -> Void) async throws {
            measures.append(Measure(name: name, milliseconds: [try await Self.median(work)]))
        }
        try await add("claim of 64 batches") { try await Self.claim(records.pool) }
        try await add("page of campaigns") { _ = try await campaigns.list(account, before: newest) }
        try await add("page of suppressions") { _ = try await records.suppressions.list(account) }
        try await add("page of suppressions by a rare reason") {
            _ = try await records.suppressions.list(account, reason: .unsubscribe)
        }
        // As a batch is opened. Every tenth is listed.
        let addressees = try await Self.addressees(records.pool)
        try await add("1,000 addressees looked up") {
            _ = try await records.pool.withConnection { connection in
                try await records.suppressions.which(of: addressees, account: account, on: connection)
            }
        }
        try await add("campaign with its credits") { _ = try await campaigns.get(account, newest) }
        try await add("sweep of completions") { _ = try await delivery.unfinishedCompletions() }
        try await add("sweep of retries to be joined") { _ = try await delivery.coalesceRetries() }
        try await add("sweep of old drafts") { _ = try await campaigns.deleteDrafts(olderThanDays: 30) }
        try await add("sweep of broken uploads") { _ = try await campaigns.sweepUploads() }
        try await add("sweep of old answers") { try await records.idempotency.sweep(on: records.pool) }
        return measures
    }

    private static func addressees(_ pool: PostgresPool) async throws -> [Addressee] {
        let address = try EmailAddress("somebody@example.org")
        return try await pool.query(
            """
            SELECT decode(md5(CASE WHEN n % 10 = 0 THEN n::text ELSE 'not listed ' || n END), 'hex')
            FROM generate_series(0, 999) n
            """
        ).compactMap { row in
            Fingerprint(bytes: try row.decode([UInt8].self)).map { Addressee($0, address) }
        }
    }

    /// A claim of an account that has something due, undone.
    private static func claim(_ pool: PostgresPool) async throws {
        struct Undone: Error {}
        do {
            try await pool.withTransaction { connection in
                try await connection.query("UPDATE account_queue SET next_due = clock_timestamp()")
                try await connection.query("SELECT FROM claim_batches('bench', 30.0, 64, '{}')")
                throw Undone()
            }
        } catch is Undone {}
    }

    private static func median(_ work: () async throws -> Void) async throws -> Double {
        var times: [Double] = []
        for _ in 0..<7 {
            let start = ContinuousClock.now
            try await work()
            times.append((ContinuousClock.now - start) / .milliseconds(1))
        }
        return times.sorted()[times.count / 2]
    }
}

/// Fills the tables that can grow, as years of use and a careless customer would.
struct TableFiller {
    let records: Records
    let account: AccountID

    /// Numbers of campaigns in use; drafts lie below and ended campaigns above.
    private static let first: Int64 = 1 << 50
    private static let inUse: Int64 = 100

    static func campaign(_ number: Int64) -> CampaignID { CampaignID(rawValue: first + number) }

    /// In portions, each of which takes seconds: statements have their time.
    func fill(_ range: Range<Int>) async throws {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.portion) {
            try await fillPortion(start..<min(start + Self.portion, range.upperBound))
        }
        try await run("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
    }

    private static let portion = 250_000

    private func fillPortion(_ range: Range<Int>) async throws {
        let (account, first) = (account.rawValue, Self.first)
        let (low, high) = (Int64(range.lowerBound), Int64(range.upperBound - 1))
        // Of those in use each has its share of the batches: half are settled, the others are due tomorrow but for a few.
        try await run(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state, open_batches, recipients)
            SELECT \(account), \(first) + n, 'bench.example', 'sending', 1000000, 2000000000
            FROM generate_series(0, \(Self.inUse) - 1) n ON CONFLICT DO NOTHING
            """)
        try await run(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, created_at)
            SELECT \(account), \(first) - 1 - n, 'bench.example', clock_timestamp() FROM generate_series(\(low), \(high)) n
            """)
        try await run(
            """
            INSERT INTO campaigns (account_id, campaign_id, from_domain, state, completed_at, results_until)
            SELECT \(account), \(first) + \(Self.inUse) + n, 'bench.example', 'completed', clock_timestamp(),
                clock_timestamp() + interval '1 day'
            FROM generate_series(\(low), \(high)) n
            """)
        try await run(
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients, due_at)
            SELECT \(account), \(first) + n % \(Self.inUse), n / \(Self.inUse) + 1,
                CASE WHEN n / \(Self.inUse) % 2 = 0 THEN 1 ELSE 3 END, 1000,
                clock_timestamp() + CASE WHEN n < 500 THEN interval '-1 hour' ELSE interval '1 day' END
            FROM generate_series(\(low), \(high)) n
            """)
        try await run(
            """
            INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
            SELECT \(account), \(first) + n % \(Self.inUse), n / \(Self.inUse) + 1, decode(repeat('00', 100), 'hex')
            FROM generate_series(\(low), \(high)) n
            """)
        try await run(
            """
            INSERT INTO suppressions (account_id, fingerprint, reason, origin)
            SELECT \(account), decode(md5(n::text), 'hex'), CASE WHEN n % 100000 = 7 THEN 4 ELSE 2 END, 'reply'
            FROM generate_series(\(low), \(high)) n
            """)
        try await run(
            """
            INSERT INTO idempotency_keys (account_id, scope, key, request_hash, status, body)
            SELECT \(account), 'POST /v1/suppressions', n::text, '', 200, '' FROM generate_series(\(low), \(high)) n
            """)
    }

    private func run(_ sql: SQL) async throws { try await records.pool.query(sql) }
}
