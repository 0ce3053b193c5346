import Campaigns
import CreditLedger
import Feedback
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

struct CampaignServiceTests {
    private struct Refusal: Error {}

    private static func code(_ body: () async throws -> some Any) async -> CampaignError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? CampaignError)?.code
        }
    }

    // MARK: Drafts

    @Test func `a draft starts empty and keeps its content sealed`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.service.create(
            fixture.account, CampaignRequest(content: CampaignFixture.content(), inDoubt: .skip, expirySeconds: 3_600))
        #expect(campaign.state == .draft)
        #expect(campaign.counters == CampaignCounters())
        #expect(campaign.inDoubt == .skip)
        #expect(campaign.expirySeconds == 3_600)
        let sealed = try await fixture.records.owner.query("SELECT sealed FROM campaign_content").only
            .decode(column: 0, as: [UInt8].self)
        #expect(!String(decoding: sealed, as: UTF8.self).contains("secret offer"))
        let sendable = try await fixture.store.sendable(fixture.account, campaign.id)
        #expect(sendable.content == (try CampaignFixture.content()))
        #expect(sendable.fromDomain.text == "shop.example")
        #expect(sendable.inDoubt == .skip)
    }

    @Test func `what cannot be sent is refused and leaves no row and no key`() async throws {
        let fixture = try await CampaignFixture.make()
        let strange = CampaignRequest(content: try CampaignFixture.content(from: "other.example"))
        #expect(await Self.code { try await fixture.service.create(fixture.account, strange) } == .domainNotRegistered)
        for (expiry, size) in [(59, 10), (2_592_001, 10), (60, 0), (60, 1_001)] {
            let request = CampaignRequest(
                content: try CampaignFixture.content(), expirySeconds: expiry, batchSize: size)
            #expect(await Self.code { try await fixture.service.create(fixture.account, request) } == .invalidSetting)
        }
        var broken = try CampaignFixture.content()
        broken.subject = "{{#open}}"
        let unbalanced = CampaignRequest(content: broken)
        await #expect(throws: MessageError.self) { try await fixture.service.create(fixture.account, unbalanced) }
        let request = CampaignRequest(content: try CampaignFixture.content())
        await #expect(throws: Refusal.self) {
            try await fixture.service.create(fixture.account, request) { _, _ in throw Refusal() }
        }
        let campaigns = try await fixture.records.owner.query("SELECT FROM campaigns").count
        #expect(campaigns == 0)
        let keys = try await fixture.vaultDatabase.owner.query("SELECT FROM campaign_keys WHERE wrapped IS NOT NULL")
        #expect(keys.isEmpty)
    }

    @Test func `uploads add up, and duplicates and suppressed ones are counted over all of them`() async throws {
        let fixture = try await CampaignFixture.make()
        try await fixture.suppressions.add(
            [EmailAddress("person1@example.org")], account: fixture.account, reason: .manual, origin: .customer)
        let campaign = try await fixture.draft(5)
        let more = CampaignFixture.lines(["person4@example.org", "PERSON9@example.org", "nobody"])
        let second = try await fixture.service.importRecipients(
            fixture.account, campaign, format: UploadForm(.ndjson, onInvalid: .skip),
            source: CampaignFixture.stream(more))
        #expect(second.report.accepted == 1)
        #expect(second.report.duplicates == 1)
        #expect(second.report.invalid == 1)
        let status = try await fixture.status(campaign)
        #expect(status.counters.recipients == 6)
        #expect(status.counters.pending == 6)
        let quote = try await fixture.service.quote(fixture.account, campaign)
        #expect([quote.recipients, quote.deliverable, quote.suppressed] == [6, 5, 1])
        #expect(quote.credits == 5)
        #expect(quote.available == 1_000)
    }

    @Test func `a broken upload leaves nothing and can be sent again`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        let broken = AsyncThrowingStream<[UInt8], any Error> { continuation in
            continuation.yield(CampaignFixture.lines(CampaignFixture.addresses(100..<150)))
            continuation.finish(throwing: Refusal())
        }
        await #expect(throws: Refusal.self) {
            try await fixture.service.importRecipients(fixture.account, campaign, format: .ndjson, source: broken)
        }
        await #expect(throws: Refusal.self) {
            try await fixture.service.importRecipients(
                fixture.account, campaign, format: .ndjson,
                source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(100..<150)))
            ) { _, _ in throw Refusal() }
        }
        #expect(try await fixture.status(campaign).counters.recipients == 3)
        #expect(try await fixture.rows("batches", campaign) == 1)
        let again = try await fixture.service.importRecipients(
            fixture.account, campaign, format: .ndjson,
            source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(100..<150))))
        #expect(again.report.accepted == 50)
    }

    @Test func `an upload under way refuses a second one, and a send ends it`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        let (source, feed) = AsyncStream.makeStream(of: [UInt8].self)
        feed.yield(CampaignFixture.lines(CampaignFixture.addresses(10..<20)))
        async let slow = Self.code {
            try await fixture.service.importRecipients(fixture.account, campaign, format: .ndjson, source: source)
        }
        // The first upload has begun once its lock is there.
        let locks: SQL = """
            SELECT FROM pg_locks
            WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        while try await fixture.records.owner.query(locks).isEmpty {
            await Task.yield()
        }
        let second = CampaignFixture.stream(CampaignFixture.lines(["x@example.org"]))
        #expect(
            await Self.code {
                try await fixture.service.importRecipients(fixture.account, campaign, format: .ndjson, source: second)
            } == .uploadInProgress)
        #expect(try await fixture.service.send(fixture.account, campaign).credits.held == 3)
        feed.finish()
        #expect(await slow == .illegalTransition)
        #expect(try await fixture.status(campaign).counters.recipients == 3)
        #expect(try await fixture.rows("batches", campaign) == 1)
    }

    // MARK: Sending

    @Test func `sending holds one credit a recipient and queues the batches`() async throws {
        let fixture = try await CampaignFixture.make(credits: 20)
        let campaign = try await fixture.draft(10, batchSize: 4)
        let status = try await fixture.service.send(fixture.account, campaign) { connection, status in
            #expect(status.state == .queued)
            let held = try await connection.query("SELECT held FROM accounts").only.decode(column: 0, as: Int64.self)
            #expect(held == 10)
        }
        #expect(status.state == .queued)
        #expect(status.credits.held == 10)
        #expect(try await fixture.balance().available == 10)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10)
        #expect(batches.map(\.records.count).sorted() == [2, 4, 4])
        #expect(try await fixture.status(campaign).state == .sending)
        #expect(try await fixture.status(campaign).campaign.startedAt != nil)
    }

    @Test func `sending is refused twice, without recipients, and without credits`() async throws {
        let fixture = try await CampaignFixture.make(credits: 5)
        let empty = try await fixture.draft(0)
        #expect(await Self.code { try await fixture.service.send(fixture.account, empty) } == .noRecipients)
        let large = try await fixture.draft(8)
        #expect(
            await Self.code { try await fixture.service.send(fixture.account, large) }
                == .insufficientCredits(missing: 3, available: 5))
        #expect(try await fixture.status(large).state == .draft)
        #expect(try await fixture.balance().held == 0)
        let fitting = try await fixture.draft(5)
        _ = try await fixture.service.send(fixture.account, fitting)
        #expect(await Self.code { try await fixture.service.send(fixture.account, fitting) } == .illegalTransition)
        #expect(try await fixture.balance().held == 5)
        let source = CampaignFixture.stream([])
        #expect(
            await Self.code {
                try await fixture.service.importRecipients(fixture.account, fitting, format: .ndjson, source: source)
            } == .illegalTransition)
    }

    @Test func `of two campaigns that race for the last credits exactly one wins`() async throws {
        let fixture = try await CampaignFixture.make(credits: 9)
        for round in 0..<8 {
            let first = try await fixture.draft(6)
            let second = try await fixture.draft(6)
            async let one = Self.code { try await fixture.service.send(fixture.account, first) }
            async let two = Self.code { try await fixture.service.send(fixture.account, second) }
            let codes = await [one, two]
            #expect(codes.count { $0 == nil } == 1, "round \(round)")
            #expect(codes.contains(.insufficientCredits(missing: 3, available: 3)))
            #expect(try await fixture.balance().held == 6)
            _ = try await fixture.service.cancel(fixture.account, codes[0] == nil ? first : second)
            #expect(try await fixture.balance().held == 0)
        }
    }

    @Test func `two sends of one campaign hold its credits once`() async throws {
        let fixture = try await CampaignFixture.make(credits: 100)
        let campaign = try await fixture.draft(6)
        async let one = Self.code { try await fixture.service.send(fixture.account, campaign) }
        async let two = Self.code { try await fixture.service.send(fixture.account, campaign) }
        #expect(await Set([one, two]) == [nil, .illegalTransition])
        #expect(try await fixture.balance().held == 6)
    }

    @Test func `a scheduled campaign waits for its time`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        let now = try await fixture.records.pool.query("SELECT now()").only.decode(
            column: 0, as: PostgresTimestamp.self)
        #expect(
            await Self.code {
                try await fixture.service.send(fixture.account, campaign, scheduledAt: now.seconds + 40_000_000)
            } == .invalidSetting)
        let status = try await fixture.service.send(fixture.account, campaign, scheduledAt: now.seconds + 3_600)
        #expect(status.state == .scheduled)
        #expect(status.campaign.scheduledAt == now.seconds + 3_600)
        #expect(status.campaign.expiresAt == now.seconds + 3_600 + 172_800)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10).isEmpty)
        #expect(await Self.code { try await fixture.service.pause(fixture.account, campaign) } == .illegalTransition)
        try await fixture.records.owner.query("UPDATE batches SET due_at = now()")
        try await fixture.records.owner.query("UPDATE account_queue SET next_due = now()")
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10).count == 1)
        #expect(try await fixture.status(campaign).state == .sending)
    }

    @Test func `a campaign whose recipients are all suppressed is complete at once and costs nothing`() async throws {
        let fixture = try await CampaignFixture.make(credits: 0)
        try await fixture.suppressions.add(
            CampaignFixture.addresses(0..<3).map { try EmailAddress($0) }, account: fixture.account, reason: .manual,
            origin: .customer)
        let campaign = try await fixture.draft(3)
        _ = try await fixture.service.send(fixture.account, campaign)
        let status = try await fixture.status(campaign)
        #expect(status.state == .completed)
        #expect(status.counters.suppressed == 3)
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    // MARK: Pause and resume

    @Test func `a pause stops claims and tells workers, a resume lets go on`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(8, batchSize: 4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let paused = try await fixture.service.pause(fixture.account, campaign)
        #expect(paused.state == .paused)
        #expect(await Self.code { try await fixture.service.pause(fixture.account, campaign) } == .illegalTransition)
        #expect(try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 10).isEmpty)

        // What was under way still counts, and the worker hears of the pause.
        let first = batch.records[0].index
        let state = try await fixture.store.append(node: "n", [batch.group([first: .delivered])])
        #expect(state == [batch.id: .applied(.paused)])
        try await fixture.store.park(batch.id, node: "n", epoch: batch.epoch, dueInSeconds: 0)
        #expect(try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 10).isEmpty)
        #expect(try await fixture.status(campaign).counters.delivered == 1)

        let expiry = try #require(paused.campaign.expiresAt)
        try await fixture.records.owner.query("UPDATE campaigns SET paused_at = paused_at - interval '1 hour'")
        let resumed = try await fixture.service.resume(fixture.account, campaign)
        #expect(resumed.state == .sending)
        #expect(resumed.campaign.pausedAt == nil)
        #expect(try #require(resumed.campaign.expiresAt) >= expiry + 3_600)
        #expect(await Self.code { try await fixture.service.resume(fixture.account, campaign) } == .illegalTransition)
        let claimed = try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 10)
        #expect(claimed.count == 2)
        let again = try #require(claimed.first { $0.id == batch.id })
        #expect(again.epoch == 2)
        #expect(
            again.progress == [
                first: .finished(RecipientResult(index: first, outcome: .delivered, code: 250, text: "ok \(first)"))
            ])
    }

    @Test func `a batch settled during a pause keeps its retries paused`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.service.pause(fixture.account, campaign)
        let group = JournalGroup(
            batch: batch.id, epoch: batch.epoch,
            entries: [
                JournalEntry(index: 0, kind: .outcome(.delivered)),
                JournalEntry(index: 1, kind: .deferred, replyCode: 451, text: "busy"),
            ])
        _ = try await fixture.store.append(node: "n", [group])
        var retried = batch.records[1]
        retried.attempt += 1
        let result = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch,
            BatchSettlement(results: [RecipientResult(index: 0, outcome: .delivered)], deferred: [retried]))
        #expect(result == .settled(campaignDone: false))
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).isEmpty)
        _ = try await fixture.service.resume(fixture.account, campaign)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first?.records == [retried])
    }

    @Test func `a campaign whose last batch is settled during a pause completes on resume`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.service.pause(fixture.account, campaign)
        _ = try await fixture.store.append(node: "n", [batch.group(all: .delivered)])
        let result = try await fixture.store.settle(
            batch.id, node: "n", epoch: 1, BatchSettlement(results: batch.results([0: .delivered, 1: .delivered])))
        #expect(result == .settled(campaignDone: false))
        #expect(try await fixture.store.complete(fixture.account, campaign) == nil)
        #expect(try await fixture.store.unfinishedCompletions().isEmpty)
        _ = try await fixture.service.resume(fixture.account, campaign)
        #expect(try await fixture.status(campaign).state == .completed)
    }

    // MARK: Cancel

    @Test func `cancelling a draft destroys it`() async throws {
        let fixture = try await CampaignFixture.make()
        try await fixture.suppressions.add(
            [EmailAddress("person1@example.org")], account: fixture.account, reason: .manual, origin: .customer)
        let campaign = try await fixture.draft(5)
        let status = try await fixture.service.cancel(fixture.account, campaign)
        #expect(status.state == .cancelled)
        #expect(status.counters.cancelled == 4)
        #expect(status.counters.suppressed == 1)
        let certificate = try #require(try await fixture.service.certificate(fixture.account, campaign))
        #expect(certificate.state == .cancelled)
        #expect(try await fixture.rows("batch_recipients", campaign) == 0)
        #expect(await Self.code { try await fixture.service.cancel(fixture.account, campaign) } == .illegalTransition)
        #expect(await Self.code { try await fixture.service.send(fixture.account, campaign) } == .illegalTransition)
    }

    @Test func `cancelling gives back exactly the unused credits of batches that no worker has`() async throws {
        let fixture = try await CampaignFixture.make(credits: 100)
        let campaign = try await fixture.sent(10, batchSize: 4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let (first, second) = (batch.records[0].index, batch.records[1].index)
        _ = try await fixture.store.append(node: "n", [batch.group([first: .delivered, second: .bounced])])
        try await fixture.store.park(batch.id, node: "n", epoch: 1, dueInSeconds: 0)
        let status = try await fixture.service.cancel(fixture.account, campaign)
        #expect(status.counters.delivered == 1)
        #expect(status.counters.bounced == 1)
        #expect(status.counters.cancelled == 8)
        #expect(status.credits.held == 0)
        #expect(status.credits.charged == 1)
        #expect(status.credits.released == 9)
        let balance = try await fixture.balance()
        #expect(balance.posted == 99)
        #expect(balance.held == 0)
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a worker settles its batch of a cancelled campaign`() async throws {
        let fixture = try await CampaignFixture.make(credits: 100)
        let campaign = try await fixture.sent(8, batchSize: 4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let first = batch.records[0].index
        let second = batch.records[1].index
        _ = try await fixture.store.append(
            node: "n",
            [
                JournalGroup(
                    batch: batch.id, epoch: 1,
                    entries: [
                        JournalEntry(index: first, kind: .intent), JournalEntry(index: second, kind: .deferred),
                    ])
            ])
        let status = try await fixture.service.cancel(fixture.account, campaign)
        #expect(status.state == .cancelled)
        #expect(status.counters.cancelled == 4)
        #expect(status.counters.deferred == 1)
        #expect(status.credits.held == 4)
        #expect(try await fixture.service.certificate(fixture.account, campaign) == nil)
        let done = JournalGroup(
            batch: batch.id, epoch: 1, entries: [JournalEntry(index: first, kind: .outcome(.delivered))])
        #expect(try await fixture.store.append(node: "n", [done]) == [batch.id: .applied(.cancelling)])
        let settlement = BatchSettlement(
            results: [RecipientResult(index: first, outcome: .delivered)], deferred: [batch.records[1]])
        #expect(
            try await fixture.store.settle(batch.id, node: "n", epoch: 1, settlement) == .settled(campaignDone: true))
        let counters = try await fixture.status(campaign).counters
        #expect(counters.delivered == 1)
        #expect(counters.cancelled == 7)
        #expect(counters.deferred == 0)
        let certificate = try #require(try await fixture.store.complete(fixture.account, campaign))
        #expect(certificate.state == .cancelled)
        #expect(try await fixture.balance().posted == 99)
        #expect(try await fixture.balance().held == 0)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `cancelling after a crash counts mails that may have arrived as in doubt`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n",
            [JournalGroup(batch: batch.id, epoch: 1, entries: [JournalEntry(index: 1, kind: .intent)])])
        try await fixture.endLeases(of: "n")
        let status = try await fixture.service.cancel(fixture.account, campaign)
        #expect(status.counters.cancelled == 2)
        #expect(status.counters.inDoubt == 1)
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.balance().available == 1_000)
    }

    /// A campaign of two batches of three. Of the first one recipient has its outcome, and a row of its journal is damaged.
    private static func damaged(_ fixture: CampaignFixture) async throws -> CampaignID {
        let campaign = try await fixture.sent(6, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "n", [batch.group([0: .delivered])])
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: 1, entries: [JournalEntry(index: 1, kind: .intent)])])
        try await fixture.records.owner.query(
            """
            UPDATE journal SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))
            WHERE seq = (SELECT max(seq) FROM journal)
            """)
        return campaign
    }

    @Test func `a campaign with a damaged journal can be cancelled, and pays what it delivered`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await Self.damaged(fixture)
        try await fixture.endLeases(of: "n")
        let counters = try await fixture.service.cancel(fixture.account, campaign).counters
        #expect((counters.delivered, counters.inDoubt, counters.cancelled) == (1, 2, 3))
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.balance() == CreditBalance(posted: 999, held: 0, limit: 0))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a campaign with a damaged journal ends by itself`() async throws {
        let fixture = try await CampaignFixture.make(resultsFor: 600)
        let campaign = try await Self.damaged(fixture)
        try await fixture.endLeases(of: "n")
        try await fixture.deliverAll()
        let status = try await fixture.status(campaign)
        #expect((status.counters.delivered, status.counters.inDoubt) == (4, 2))
        #expect(status.credits == CampaignCredits(held: 0, charged: 4, released: 2))
        #expect(status.campaign.hasEnded)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a cancelled batch that nobody can open ends, with its key or without`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3, batchSize: 3)
        _ = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1)
        #expect(try await fixture.service.cancel(fixture.account, campaign).counters.cancelled == 0)
        try await fixture.endLeases(of: "n")
        try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
        fixture.vault.forget(fixture.account, campaign)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).isEmpty)
        let counters = try await fixture.status(campaign).counters
        #expect(counters.inDoubt == 3 && counters.finished == 3)
        #expect(try await fixture.store.complete(fixture.account, campaign) != nil)
        #expect(try await fixture.balance().available == 1_000)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `recipients whose row is damaged keep the campaign neither from its end nor from its listing`()
        async throws
    {
        let fixture = try await CampaignFixture.make(resultsFor: 600)
        let campaign = try await fixture.sent(4, batchSize: 2)
        try await fixture.records.owner.query(
            "UPDATE batch_recipients SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) WHERE batch_no = 1")
        try await fixture.deliverAll()
        for (account, left) in try await fixture.store.unfinishedCompletions() {
            _ = try await fixture.store.complete(account, left)
        }
        let status = try await fixture.status(campaign)
        #expect((status.counters.delivered, status.counters.inDoubt) == (2, 2))
        #expect(status.campaign.hasEnded)
        let listed = try await fixture.service.recipients(fixture.account, campaign).recipients
        #expect(listed.map(\.index) == [2, 3])
    }

    @Test func `a campaign whose key was lost with its vault can still be cancelled`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n",
            [JournalGroup(batch: batch.id, epoch: 1, entries: [JournalEntry(index: 1, kind: .intent)])])
        try await fixture.endLeases(of: "n")
        try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
        fixture.vault.forget(fixture.account, campaign)
        let status = try await fixture.service.cancel(fixture.account, campaign)
        // Whether mail was on its way, nobody can read any more.
        #expect((status.counters.cancelled, status.counters.inDoubt) == (0, 3))
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.balance().available == 1_000)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a thousand batches are sent, paused, resumed and cancelled`() async throws {
        let fixture = try await CampaignFixture.make(credits: 1_000)
        let campaign = try await fixture.sent(1_000, batchSize: 1)
        #expect(try await fixture.status(campaign).credits.held == 1_000)
        _ = try await fixture.service.pause(fixture.account, campaign)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 5).isEmpty)
        _ = try await fixture.service.resume(fixture.account, campaign)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 5)
        #expect(batches.count == 5)
        let status = try await fixture.service.cancel(fixture.account, campaign)
        #expect(status.counters.cancelled == 995)
        #expect(status.credits.held == 5)
        #expect(status.credits.released == 995)
    }

    @Test func `changes of state are announced`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(2)
        var changes = fixture.records.pool.listen(CampaignChannel.progress).makeAsyncIterator()
        #expect(await changes.next() == .reconnected)
        _ = try await fixture.service.send(fixture.account, campaign)
        #expect(
            await changes.next()
                == .notification(
                    channel: CampaignChannel.progress, payload: "\(fixture.account.rawValue)/\(campaign.rawValue)"))
    }

    // MARK: Isolation

    @Test func `another account's campaign does not exist`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let draft = try await fixture.draft(1)
        let other = try await fixture.account("other", credits: 100)
        let service = fixture.service
        let source = CampaignFixture.stream(CampaignFixture.lines(["a@example.org"]))
        let calls: [(String, () async throws -> Any)] = [
            ("get", { try await service.get(other, campaign) }),
            ("quote", { try await service.quote(other, campaign) }),
            ("send", { try await service.send(other, draft) }),
            ("pause", { try await service.pause(other, campaign) }),
            ("resume", { try await service.resume(other, campaign) }),
            ("cancel", { try await service.cancel(other, campaign) }),
            ("recipients", { try await service.recipients(other, campaign) }),
            ("certificate", { try await service.certificate(other, campaign) as Any }),
            ("import", { try await service.importRecipients(other, draft, format: .ndjson, source: source) }),
            ("sendable", { try await fixture.store.sendable(other, campaign) }),
            ("complete", { try await fixture.store.complete(other, campaign) as Any }),
        ]
        for (name, call) in calls {
            #expect(await Self.code(call) == .notFound, "\(name)")
        }
        #expect(try await service.list(other).isEmpty)
        #expect(try await fixture.status(campaign).state == .queued)
        #expect(try await fixture.status(draft).counters.recipients == 1)
        let nobody = AccountID(rawValue: 999)
        #expect(await Self.code { try await service.cancel(nobody, campaign) } == .notFound)
    }

    // MARK: Listings

    @Test func `campaigns are listed newest first, page by page`() async throws {
        let fixture = try await CampaignFixture.make()
        var made: [CampaignID] = []
        for _ in 0..<5 { made.append(try await fixture.draft(0)) }
        let newestFirst = made.sorted(by: >)
        let first = try await fixture.service.list(fixture.account, limit: 3)
        #expect(first.map(\.id) == Array(newestFirst.prefix(3)))
        let rest = try await fixture.service.list(fixture.account, before: first.last?.id, limit: 3)
        #expect(rest.map(\.id) == Array(newestFirst.suffix(2)))
    }

    @Test func `recipients are listed with what became of them`() async throws {
        let fixture = try await CampaignFixture.make()
        try await fixture.suppressions.add(
            [EmailAddress("person5@example.org")], account: fixture.account, reason: .manual, origin: .customer)
        let campaign = try await fixture.sent(9, batchSize: 3)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 2)
        let settled = try #require(batches.first { $0.records.contains { $0.index == 0 } })
        let atWork = try #require(batches.first { $0.records.contains { $0.index == 3 } })
        _ = try await fixture.store.append(
            node: "n",
            [
                JournalGroup(
                    batch: settled.id, epoch: 1,
                    entries: [
                        JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250, text: "fine"),
                        JournalEntry(
                            index: 1, kind: .outcome(.bounced), replyCode: 550, enhanced: EnhancedStatusCode("5.1.1"),
                            text: "gone"),
                        JournalEntry(index: 2, kind: .deferred, replyCode: 451, text: "later"),
                    ]),
                JournalGroup(
                    batch: atWork.id, epoch: 1,
                    entries: [JournalEntry(index: 3, kind: .intent), JournalEntry(index: 4, kind: .deferred)]),
            ])
        var retried = settled.records[2]
        retried.attempt = 1
        _ = try await fixture.store.settle(
            settled.id, node: "n", epoch: 1,
            BatchSettlement(
                results: [
                    RecipientResult(index: 0, outcome: .delivered), RecipientResult(index: 1, outcome: .bounced),
                ],
                deferred: [retried], retryInSeconds: 600))

        var listed: [RecipientStatus] = []
        var cursor: RecipientCursor?
        repeat {
            let page = try await fixture.service.recipients(fixture.account, campaign, after: cursor, limit: 2)
            listed += page.recipients
            cursor = try page.next.map { try #require(RecipientCursor("\($0)")) }
        } while cursor != nil
        let fates = Dictionary(uniqueKeysWithValues: listed.map { ($0.index, $0.fate) })
        #expect(
            fates == [
                0: .final(.delivered), 1: .final(.bounced), 2: .deferred, 3: .pending, 4: .deferred,
                5: .final(.suppressed), 6: .pending, 7: .pending, 8: .pending,
            ])
        #expect(listed.first { $0.index == 2 }?.text == "later")
        #expect(listed.first { $0.index == 2 }?.outcome == nil)
        #expect(Set(listed.map(\.email)) == Set(CampaignFixture.addresses(0..<9)))

        let bounced = try await fixture.service.recipients(fixture.account, campaign, fate: .final(.bounced))
        #expect(bounced.next == nil)
        #expect(bounced.recipients.map(\.index) == [1])
        #expect(bounced.recipients.first?.email == "person1@example.org")
        #expect(bounced.recipients.first?.outcome == .bounced)
        #expect(
            bounced.recipients.first?.reply
                == RecipientReply(code: 550, enhanced: EnhancedStatusCode("5.1.1"), text: "gone"))
        #expect(try await fixture.service.recipients(fixture.account, campaign, fate: .deferred).recipients.count == 2)
    }

    @Test func `a made-up cursor ends the listing or is refused`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        for text in ["", "-", "1", "a-b", "1-2-3", "-1-1", "99999999999-1"] { #expect(RecipientCursor(text) == nil) }
        for text in ["1-99", "\(Int32.max)-\(Int32.max)"] {
            let page = try await fixture.service.recipients(
                fixture.account, campaign, after: RecipientCursor(text))
            #expect(page.recipients.isEmpty)
            #expect(page.next == nil)
        }
    }
}
