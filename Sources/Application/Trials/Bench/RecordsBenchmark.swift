import Campaigns
import CreditLedger
import Feedback
import Foundation
import Identity
import Logging
import MailTypes
import Postgres
import Vault

/// What claims, pages, sums, sweeps and a campaign's way to its purge cost where the tables are full, and where they are
/// nearly empty.
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
    /// Of which the median is told.
    static let runs = 7

    func run() async throws -> Result {
        let machine = Machine()
        let directory = try Rig.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let settings = Settings(
            isolated: [.data: directory + "/data", .trustDomains: "true", .resultsFor: "0"])
        let records = try await Records.open(settings, role: .server, logger: logger)
        do {
            let account = try await records.createAccount(name: "bench", credits: 1_000_000)
            let filler = TableFiller(records: records, account: account)
            // Drafted while the account may have another draft.
            let trial = try await CampaignTrial.drafted(records, filler)
            try await filler.fill(0..<Self.fewRows)
            var measures = try await measure(records, account, filled: Self.fewRows) + trial.measure()
            try await filler.fill(Self.fewRows..<max(rows, Self.fewRows + 1))
            for (place, measure) in (try await measure(records, account, filled: rows) + trial.measure()).enumerated() {
                measures[place].milliseconds += measure.milliseconds
            }
            await records.close()
            return Result(machine: machine.atEnd, rows: [Self.fewRows, rows], measures: measures)
        } catch {
            await records.close()
            throw error
        }
    }

    private func measure(_ records: Records, _ account: AccountID, filled: Int) async throws -> [Measure] {
        let (campaigns, customers, delivery) = (records.campaigns, records.customers, records.delivery)
        let newest = TableFiller.campaign(0)
        var measures: [Measure] = []
        func add(_ name: String, _ work: () async throws -> Void) async throws {
            measures.append(Measure(name: name, milliseconds: [try await Self.median(work)]))
        }
        // As a request of the account reads.
        func addPage(_ name: String, _ work: () async throws -> Void) async throws {
            try await ConnectionOwner.$current.withValue(.account(account.rawValue)) { try await add(name, work) }
        }
        try await add("claim of 64 batches") {
            try await records.pools.journal.withConnection { try await Self.claim(account, on: $0) }
        }
        measures.append(try await firstClaims(records, account))
        try await addPage("page of campaigns") { _ = try await customers.campaigns.list(account, before: newest) }
        try await addPage("page of suppressions") { _ = try await customers.suppressions.list(account) }
        try await addPage("page of ledger entries") {
            _ = try await customers.pool.withConnection { try await records.ledger.entries(account, on: $0) }
        }
        try await addPage("campaign with the sum of 1,000 holds") {
            _ = try await customers.campaigns.get(account, newest)
        }
        try await addPage("page of suppressions by a rare reason") {
            _ = try await customers.suppressions.list(account, reason: .unsubscribe)
        }
        // As a batch is opened. Every tenth is listed.
        let addressees = try await Self.addressees(records.pool, of: filled)
        try await add("1,000 addressees looked up") {
            _ = try await records.pool.withConnection { connection in
                try await records.suppressions.which(of: addressees, account: account, on: connection)
            }
        }
        try await add("sweep of completions") { _ = try await delivery.unfinishedCompletions() }
        try await add("sweep of retries to be joined") { _ = try await delivery.coalesceRetries() }
        try await add("sweep of old drafts") { _ = try await campaigns.deleteDrafts(olderThanDays: 30) }
        try await add("sweep of broken uploads") { _ = try await campaigns.sweepUploads() }
        try await add("sweep of old answers") { try await records.idempotency.sweep(on: records.pool) }
        try await add("sweep of old feedback") { _ = try await records.feedback.sweep() }
        try await add("sweep of refunds") { _ = try await delivery.giveRefunds() }
        try await add("sweep of mails not charged") { _ = try await records.refunds.sweepUncharged() }
        return measures
    }

    /// Spread over all suppressions; every tenth is one of them.
    private static func addressees(_ pool: PostgresPool, of filled: Int) async throws -> [Addressee] {
        let address = try EmailAddress("somebody@example.org")
        return try await pool.query(
            """
            SELECT int8send(n * \(Int64(filled)) / 1000) || int8send(CASE WHEN n % 10 = 0 THEN 0 ELSE 1 END)
            FROM generate_series(0::bigint, 999) n
            """
        ).compactMap { row in
            Fingerprint(bytes: try row.decode([UInt8].self)).map { Addressee($0, address) }
        }
    }

    /// Claims that are the first of their session, which was opened as those of a node are.
    private func firstClaims(_ records: Records, _ account: AccountID) async throws -> Measure {
        var times: [Double] = []
        for _ in 0..<Self.runs {
            let connection = try await PostgresConnection.connect(records.pools.journal.configuration)
            let start = ContinuousClock.now
            try await Self.claim(account, on: connection)
            times.append((ContinuousClock.now - start) / .milliseconds(1))
            await connection.close()
        }
        return Measure(name: "first claim of a session, of 64 batches", milliseconds: [Self.median(times)])
    }

    /// A claim of an account that has something due, undone.
    private static func claim(_ account: AccountID, on connection: PostgresConnection) async throws {
        struct Undone: Error {}
        do {
            try await connection.withTransaction { connection in
                try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
                try await connection.query("SELECT FROM claim_batches('bench', 30.0, 64, '{}')")
                throw Undone()
            }
        } catch is Undone {}
    }

    static func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }

    private static func median(_ work: () async throws -> Void) async throws -> Double {
        var times: [Double] = []
        for _ in 0..<runs {
            let start = ContinuousClock.now
            try await work()
            times.append((ContinuousClock.now - start) / .milliseconds(1))
        }
        return median(times)
    }
}
