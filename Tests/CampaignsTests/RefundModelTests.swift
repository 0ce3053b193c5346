import CreditLedger
import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Campaigns

/// Random histories of one campaign each: its batches are worked off, parts are settled, nodes die, it is cancelled, ends and
/// is purged, while bounces are reported at any moment, several times, and connections break off in the middle.
///
/// The model: whoever's mail was delivered and whose bounce a committed report told in time gets one credit back. Nobody else
/// does, and nobody before the campaign has ended. Reports name recipients whose mail was tried: the token that names one is
/// in nothing but the mail.
struct RefundModelTests {
    @Test func `each bounce of a charged mail gives one credit back, whatever comes first`() async throws {
        let fixture = CampaignFixture(
            stores: try await Stores.open(resultsFor: 60, refundFor: 3_600), account: AccountID(rawValue: 1))
        for seed in Seed.range(1..<121) {
            var history = try await RefundHistory(seed: seed, fixture: fixture)
            do {
                try await history.run()
            } catch {
                Issue.record("\(seed.testDescription), after \(history.log.suffix(12)): \(error)")
                throw error
            }
            guard history.isSound else { return }
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }
}

private struct RefundHistory {
    let fixture: CampaignFixture
    let account: AccountID
    let campaign: CampaignID
    let fingerprints: [Fingerprint]
    let seed: Seed
    var random: SeededGenerator
    var log: [String] = []
    var isSound = true

    // The model.
    var tried: Set<Int> = []
    var delivered: Set<Int> = []
    var reported: Set<Int> = []
    var hasEnded = false
    var isLate = false

    init(seed: Seed, fixture: CampaignFixture) async throws {
        self.seed = seed
        random = SeededGenerator(seed)
        let count = Int.random(in: 3...10, using: &random)
        account = try await fixture.account("refunds \(seed)", credits: Int64(count))
        self.fixture = CampaignFixture(stores: fixture.stores, account: account)
        campaign = try await self.fixture.sent(count, batchSize: Int.random(in: 1...4, using: &random))
        let fingerprinter = try await fixture.vault.accountKeys(account).fingerprinter
        fingerprints = try CampaignFixture.addresses(0..<count).map { fingerprinter.fingerprint(try EmailAddress($0)) }
    }

    mutating func run() async throws {
        for _ in 0..<Int.random(in: 4...30, using: &random) where isSound {
            try await step()
            try await compare()
        }
        try await finish()
    }

    private mutating func step() async throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: try await report()
        case 35..<65: try await work()
        case 65..<69: try await cancel()
        case 69..<78: try await complete()
        case 78..<82: try await purge()
        case 82..<86: try await beLate()
        default: try await sweep()
        }
    }

    // MARK: Reports

    /// One or several, of any recipients; perhaps the connection breaks off before the commit.
    private mutating func report() async throws {
        let candidates = tried.sorted()
        let who = (0..<Int.random(in: 1...4, using: &random)).compactMap { _ in
            candidates.randomElement(using: &random)
        }
        let events = who.map { index in
            FeedbackEvent(
                RecipientToken(account: account, campaign: campaign, fingerprint: fingerprints[index]), .hardBounce,
                by: Bool.random(using: &random) ? .notice : .provider("ses"), reason: "userunknown")
        }
        let isKilled = Int.random(in: 0..<4, using: &random) == 0
        log.append("report \(who)\(isKilled ? ", killed" : "")")
        do {
            try await fixture.records.pool.withTransaction { [fixture] connection in
                try await fixture.stores.feedback.take(events, on: connection)
                if isKilled { try await connection.query("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
        } catch  where isKilled {
            return
        }
        // The first report decides; what is told again is no news.
        if !isLate { reported.formUnion(who) }
    }

    // MARK: Work

    private mutating func work() async throws {
        let node = ["one", "two"].randomElement(using: &random) ?? "one"
        guard let batch = try await fixture.store.claim(node: node, leaseSeconds: 60, limit: 1).first else { return }
        var entries: [JournalEntry] = []
        var found: [FoundAddress] = []
        var results: [RecipientResult] = []
        var retries: [RecipientRecord] = []
        for record in batch.records {
            let fingerprint = fingerprints[Int(record.index)]
            func end(_ outcome: Outcome, _ code: UInt16, _ finding: AddressFinding = .nothing) {
                let reply = RecipientReply(code: code, text: "said")
                entries.append(
                    JournalEntry(
                        index: record.index, kind: .outcome(outcome), reply: reply, wasDeferred: batch.isRetry,
                        finding: finding))
                results.append(RecipientResult(index: record.index, outcome: outcome, reply: reply))
                if outcome == .bounced { found.append(FoundAddress(fingerprint, in: campaign, finding, reply)) }
                if outcome == .delivered { delivered.insert(Int(record.index)) }
            }
            switch batch.progress[record.index] {
            case .finished(let result):
                results.append(result)
                continue
            case .deferred:
                retries.append(record)
                continue
            case .intended:
                end(.inDoubt, 0)
                continue
            case nil:
                entries.append(JournalEntry(index: record.index, kind: .intent))
                tried.insert(Int(record.index))
            }
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5: end(.delivered, 250)
            case 5: end(.bounced, 550, .missing)
            case 6: end(.bounced, 554)
            case 7: end(.expired, 451)
            case 8 where batch.records.first?.attempt ?? 0 < 3:
                entries.append(
                    JournalEntry(
                        index: record.index, kind: .deferred, reply: RecipientReply(code: 451),
                        wasDeferred: batch.isRetry))
                retries.append(record.triedOnceMore)
            default: end(.inDoubt, 0)
            }
        }
        let group = JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)
        let states = try await fixture.store.append(node: node, [group], found: [batch.id: found])
        if case .applied(let work)? = states[batch.id], work == .cancelling { retries = [] }
        let dies = Int.random(in: 0..<4, using: &random) == 0
        log.append("\(batch.id) by \(node): \(entries.map(\.kind))\(dies ? ", dies" : "")")
        guard !dies else { return try await fixture.endLeases(of: node) }
        let retry = BatchSettlement.Retry(retries, inSeconds: 0)
        if results.count > 1, Bool.random(using: &random) {
            let part = BatchSettlement(results: [results.removeFirst()], retries: [])
            _ = try await fixture.store.settlePart(batch.id, node: node, epoch: batch.epoch, part)
        }
        let settled = try await fixture.store.settle(
            batch.id, node: node, epoch: batch.epoch, BatchSettlement(results: results, retries: [retry]))
        check(settled != .lost, "a settlement was lost")
    }

    private mutating func cancel() async throws {
        log.append("cancel")
        do {
            _ = try await fixture.service.cancel(account, campaign)
        } catch let error as CampaignError where error.code == .illegalTransition {
            return
        }
        hasEnded = try await fixture.status(campaign).campaign.hasEnded
    }

    private mutating func complete() async throws {
        log.append("complete")
        _ = try await fixture.store.complete(account, campaign)
        hasEnded = try await fixture.status(campaign).campaign.hasEnded
    }

    private mutating func purge() async throws {
        guard hasEnded else { return }
        log.append("purge")
        try await fixture.records.owner.query(
            """
            UPDATE campaigns SET results_until = now() - interval '1 second'
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND purged_at IS NULL
            """)
        _ = try await fixture.store.complete(account, campaign)
    }

    private mutating func beLate() async throws {
        guard hasEnded, !isLate else { return }
        log.append("an hour later")
        isLate = true
        try await fixture.records.owner.query(
            """
            UPDATE campaigns SET completed_at = completed_at - interval '1 hour'
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
    }

    private mutating func sweep() async throws {
        log.append("sweep")
        async let first = fixture.store.giveRefunds()
        async let second = fixture.store.giveRefunds()
        _ = try await (first, second)
    }

    // MARK: What must hold

    private mutating func check(_ condition: Bool, _ what: String) {
        guard !condition else { return }
        isSound = false
        Issue.record("\(seed.testDescription): \(what), after \(log.suffix(14))")
    }

    private func refunded() async throws -> [Int] {
        let entries = try await fixture.records.pool.withConnection { [fixture, account] connection in
            try await fixture.ledger.entries(account, limit: 1_000, on: connection)
        }
        return entries.filter { $0.kind == .refund }.map { entry in
            fingerprints.firstIndex { $0.bytes == entry.recipient } ?? -1
        }
    }

    private mutating func compare() async throws {
        let refunded = try await refunded()
        check(Set(refunded).count == refunded.count, "somebody was refunded twice")
        check(hasEnded || refunded.isEmpty, "a refund before the end")
        check(
            Set(refunded).isSubset(of: delivered.intersection(reported)),
            "refunded \(refunded.sorted()), delivered \(delivered.sorted()), reported \(reported.sorted())")
        let credits = try await fixture.status(campaign).credits
        check(Int(credits.refunded) == refunded.count, "the campaign says \(credits.refunded) were refunded")
        let balance = try await fixture.balance(account)
        check(
            balance.posted == Int64(fingerprints.count) - credits.charged + credits.refunded,
            "posted is \(balance.posted)")
    }

    private mutating func finish() async throws {
        for node in ["one", "two"] { try await fixture.endLeases(of: node) }
        for _ in 0..<200 where try await fixture.status(campaign).campaign.openBatches > 0 { try await work() }
        try await complete()
        check(hasEnded, "the campaign has not ended")
        try await sweep()
        try await compare()
        let refunded = Set(try await refunded())
        let due = delivered.intersection(reported)
        check(refunded == due, "refunded \(refunded.sorted()), due were \(due.sorted())")
        let left = try await fixture.rows("refunds_due", campaign)
        check(left == 0, "\(left) refunds are still due")
    }
}

extension RecipientRecord {
    fileprivate var triedOnceMore: RecipientRecord {
        var record = self
        record.attempt += 1
        return record
    }
}
