import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

@testable import Campaigns

/// Outcomes told in the order in which they came, to readers that go on where they were.
struct OutcomeStreamTests {
    /// What a client knows: it reads a page, keeps the lines up to some point, and goes on after the last of them.
    private struct Reader {
        let fixture: CampaignFixture
        let campaign: CampaignID
        var cursor = OutcomeCursor.start
        var told: [CampaignOutcome] = []

        /// - Parameter lines: kept of the page; nil for all.
        /// - Returns: whether nothing more was known.
        mutating func read(_ wanted: Set<Outcome>? = nil, lines: Int? = nil) async throws -> Bool {
            // A cursor goes through text, as with a real client.
            let after = try #require(OutcomeCursor(cursor.description))
            let page = try await fixture.service.outcomes(fixture.account, campaign, wanted, after: after)
            if let lines, lines < page.outcomes.count {
                told += page.outcomes.prefix(lines)
                if lines > 0 { cursor = page.outcomes[lines - 1].cursor }
                return false
            }
            told += page.outcomes
            cursor = page.next
            return page.isAtEnd
        }

        mutating func readAll(_ wanted: Set<Outcome>? = nil) async throws {
            while try await !read(wanted) {}
        }
    }

    private static func entries(_ index: Int32, _ outcome: Outcome, wasDeferred: Bool = false) -> [JournalEntry] {
        let bounced = outcome == .bounced
        return [
            JournalEntry(index: index, kind: .intent),
            JournalEntry(
                index: index, kind: .outcome(outcome), replyCode: bounced ? 550 : 250,
                enhanced: bounced ? EnhancedStatusCode("5.1.1") : nil, text: bounced ? "no such user" : "ok",
                wasDeferred: wasDeferred),
        ]
    }

    /// Batches are journalled, settled, settled in parts and cancelled, while a reader comes and goes.
    @Test(arguments: Seed.range(30)) func `each outcome is told once, whatever happens between two requests`(
        seed: Seed
    ) async throws {
        var generator = SeededGenerator(seed)
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(30, batchSize: 6)
        var reader = Reader(fixture: fixture, campaign: campaign)
        var batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 5)
        var done: [Int32: Outcome] = [:]
        var settled: Set<Int32> = []
        for _ in 0..<40 where !batches.isEmpty {
            let place = Int.random(in: 0..<batches.count, using: &generator)
            let batch = batches[place]
            let left = batch.records.map(\.index).filter { done[$0] == nil }
            let ready = batch.records.map(\.index).filter { done[$0] != nil && !settled.contains($0) }
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                let chosen = left.shuffled(using: &generator).prefix(Int.random(in: 1...3, using: &generator))
                var group: [JournalEntry] = []
                for index in chosen {
                    let outcome: Outcome = Bool.random(using: &generator) ? .delivered : .bounced
                    done[index] = outcome
                    group += Self.entries(index, outcome)
                }
                _ = try await fixture.store.append(
                    node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: group)])
            case 4..<7:
                _ = try await reader.read(lines: Int.random(in: 0...4, using: &generator))
            case 7
            where !ready.isEmpty
                && ready.count < batch.records.count - settled.intersection(batch.records.map(\.index)).count:
                let part = ready.prefix(max(1, ready.count / 2))
                _ = try await fixture.store.settlePart(
                    batch.id, node: "n", epoch: batch.epoch,
                    BatchSettlement(results: part.map { RecipientResult(index: $0, outcome: done[$0]) }))
                settled.formUnion(part)
            case 8 where left.isEmpty:
                _ = try await fixture.store.settle(
                    batch.id, node: "n", epoch: batch.epoch,
                    BatchSettlement(results: ready.map { RecipientResult(index: $0, outcome: done[$0]) }))
                settled.formUnion(ready)
                batches.remove(at: place)
            default: try await reader.readAll()
            }
        }
        if Bool.random(using: &generator) { try await reader.readAll() }
        try await fixture.endLeases(of: "n")
        _ = try await fixture.service.cancel(fixture.account, campaign)
        try await reader.readAll()

        #expect(reader.told.map(\.index).sorted() == (0..<30).map { Int32($0) })
        for told in reader.told {
            #expect(told.outcome == done[told.index] ?? .cancelled)
            #expect(told.email == "person\(told.index)@example.org")
            #expect(told.reason == (told.outcome == .bounced ? .userunknown : nil))
            #expect(told.microseconds != nil)
        }
        let status = try await fixture.status(campaign)
        let bounced = Int64(done.values.count { $0 == .bounced })
        #expect(status.reasons.counts == (bounced == 0 ? [:] : [.bounced: ["userunknown": bounced]]))
        #expect(Int64(status.counters.bounced) == bounced)
    }

    @Test func `outcomes of a batch at work are told before it is settled, in their order`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(4, batchSize: 4)
        var reader = Reader(fixture: fixture, campaign: campaign)
        try await reader.readAll()
        #expect(reader.told.isEmpty)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        for index: Int32 in [2, 0] {
            let entries = Self.entries(index, index == 2 ? .bounced : .delivered)
            _ = try await fixture.store.append(
                node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        }
        try await reader.readAll()
        #expect(reader.told.map(\.index) == [2, 0])
        #expect(reader.told[0].reply.text == "no such user" && reader.told[0].reason == .userunknown)
        let times = reader.told.compactMap(\.microseconds)
        #expect(times == times.sorted() && times.count == 2)
        // Who comes from the start hears of each once as well.
        var late = Reader(fixture: fixture, campaign: campaign)
        try await late.readAll([.bounced])
        #expect(late.told.map(\.index) == [2])
    }

    @Test func `a settled outcome keeps the time at which it came`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(1, batchSize: 1)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: Self.entries(0, .delivered))])
        var early = Reader(fixture: fixture, campaign: campaign)
        try await early.readAll()
        _ = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch,
            BatchSettlement(results: [RecipientResult(index: 0, outcome: .delivered)]))
        _ = try await fixture.store.complete(fixture.account, campaign)
        var late = Reader(fixture: fixture, campaign: campaign)
        try await late.readAll()
        #expect(late.told.map(\.microseconds) == early.told.map(\.microseconds))
        #expect(late.told.count == 1)
    }

    @Test func `suppressed recipients are told of, and what an earlier release settled`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        try await fixture.records.pool.withTransaction { connection in
            let keys = try await fixture.vault.accountKeys(fixture.account, on: connection)
            let suppressed = keys.fingerprinter.fingerprint(try EmailAddress("person1@example.org"))
            _ = try await fixture.suppressions.add(
                [NewSuppression(suppressed, .unsubscribe)], account: fixture.account, origin: .recipient, on: connection
            )
        }
        let campaign = try await fixture.sent(6, batchSize: 3)
        try await fixture.deliverAll()
        try await fixture.records.owner.query("UPDATE batches SET ended_no = NULL, ended_at = NULL")
        try await fixture.records.owner.query("UPDATE batch_results SET marks = NULL")
        var reader = Reader(fixture: fixture, campaign: campaign)
        while try await !reader.read(lines: 1) {}
        #expect(reader.told.map(\.index) == [0, 1, 2, 3, 4, 5])
        #expect(reader.told.map(\.outcome) == (0..<6).map { $0 == 1 ? .suppressed : .delivered })
    }

    @Test func `nothing is told of another account's campaign, nor after the purge`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        let campaign = try await fixture.sent(3)
        try await fixture.deliverAll()
        let other = try await fixture.account("second", credits: 10)
        let service = fixture.service
        await #expect(throws: CampaignError.notFound) { try await service.outcomes(other, campaign) }
        try await fixture.records.owner.query("UPDATE campaigns SET results_until = clock_timestamp() - interval '1 s'")
        _ = try await fixture.store.complete(fixture.account, campaign)
        await #expect(throws: CampaignError.purged) { try await service.outcomes(fixture.account, campaign) }
    }

    @Test func `a campaign may keep its outcomes for a time of its own`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 60)
        for seconds in [0, 3_600] {
            let campaign = try await fixture.service.create(
                fixture.account, CampaignRequest(content: CampaignFixture.content(), resultsFor: seconds))
            _ = try await fixture.service.importRecipients(
                fixture.account, campaign.id, format: .ndjson,
                source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(0..<2))))
            _ = try await fixture.service.send(fixture.account, campaign.id)
            try await fixture.deliverAll()
            let status = try await fixture.status(campaign.id).campaign
            let completedAt = try #require(status.completedAt)
            #expect(status.resultsUntil == (seconds == 0 ? nil : completedAt + Int64(seconds)))
            #expect((status.purgedAt == nil) == (seconds > 0))
        }
        let service = fixture.service
        await #expect(throws: CampaignError.self) {
            try await service.create(
                fixture.account, CampaignRequest(content: CampaignFixture.content(), resultsFor: 604_801))
        }
    }

    @Test func `reasons stay after the purge and stand in the certificate`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let outcomes: [Outcome] = [.bounced, .delivered, .bounced]
        let entries = outcomes.enumerated().flatMap { Self.entries(Int32($0.offset), $0.element) }
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        let results = outcomes.enumerated().map { RecipientResult(index: Int32($0.offset), outcome: $0.element) }
        for _ in 0..<2 {
            // A settlement that is repeated counts once.
            _ = try await fixture.store.settle(
                batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: results))
        }
        let certificate = try #require(try await fixture.store.complete(fixture.account, campaign))
        #expect(certificate.json.contains(#""reasons":{"bounced":{"userunknown":2}},"recipients":3"#))
        #expect(try await fixture.service.certificate(fixture.account, campaign) == certificate)
        #expect(try await fixture.status(campaign).reasons.counts == [.bounced: ["userunknown": 2]])
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a cursor has one spelling`() {
        #expect(OutcomeCursor("0.0.0.0") == .start)
        #expect(OutcomeCursor("7.2.-5.3")?.description == "7.2.-5.3")
        for text in ["", "0.0.0", "1.2.3.4.5", "00.0.0.0", "+1.0.0.0", "1.-1.0.0", "1.0.0.-1", "x.0.0.0", " 1.0.0.0"] {
            #expect(OutcomeCursor(text) == nil, "\(text)")
        }
    }
}
