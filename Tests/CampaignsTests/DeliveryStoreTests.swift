import CreditLedger
import Feedback
import Fleet
import Logging
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import Campaigns

struct DeliveryStoreTests {
    // MARK: Claims

    @Test func `a batch is leased to one node at a time`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(40, batchSize: 1)
        let claims = try await withThrowingTaskGroup(of: [ClaimedBatch].self) { group in
            for node in 0..<8 {
                group.addTask {
                    var all: [ClaimedBatch] = []
                    for _ in 0..<4 {
                        all += try await fixture.store.claim(node: "n\(node)", leaseSeconds: 60, limit: 3)
                    }
                    return all
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(claims.map(\.id)).count == claims.count)
        var rest = claims.count
        while case let more = try await fixture.store.claim(node: "last", leaseSeconds: 60, limit: 50), !more.isEmpty {
            rest += more.count
        }
        #expect(rest == 40)
    }

    @Test func `accounts take turns, whatever the size of their campaigns`() async throws {
        let fixture = try await CampaignFixture.make()
        let small = try await fixture.account("small", credits: 10)
        _ = try await fixture.sent(30, batchSize: 1)
        _ = try await fixture.sent(2, batchSize: 1, account: small)
        let first = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 4)
        #expect(first.count == 4)
        #expect(first.count { $0.id.account == small } == 2)
        let second = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 4)
        #expect(second.map(\.id.account) == Array(repeating: fixture.account, count: 4))
        var served: [AccountID] = []
        let third = try await fixture.account("third", credits: 10)
        _ = try await fixture.sent(3, batchSize: 1, account: third)
        for _ in 0..<4 {
            served += try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).map(\.id.account)
        }
        #expect(served == [third, fixture.account, third, fixture.account])
    }

    @Test func `a batch that cannot be opened does not hold up the others`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3, batchSize: 1)
        try await fixture.records.owner.query(
            "UPDATE batch_recipients SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) WHERE batch_no = 2")
        let claimed = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10)
        #expect(Set(claimed.map(\.id.number)) == [1, 3])
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10).isEmpty)
        let status = try await fixture.status(campaign)
        #expect((status.counters.pending, status.counters.inDoubt) == (2, 1))
        #expect(status.credits == CampaignCredits(held: 2, charged: 0, released: 1))
        #expect(fixture.store.unreadableRecipients == 1)
        try await fixture.endLeases(of: "n")
        try await fixture.deliverAll()
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a sealed batch moved to another row does not open`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(2, batchSize: 1)
        try await fixture.records.owner.query(
            """
            UPDATE batch_recipients r SET sealed = o.sealed FROM batch_recipients o WHERE o.batch_no = 3 - r.batch_no
            """)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10).isEmpty)
    }

    // MARK: Leases

    @Test func `a worker that lost its lease changes nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let old = try #require(try await fixture.store.claim(node: "old", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "old", [old.group([0: .delivered])])
        try await fixture.endLeases(of: "old")
        try await Self.expectLost(old, "old", fixture, campaign)

        let new = try #require(try await fixture.store.claim(node: "new", leaseSeconds: 60, limit: 1).first)
        #expect(new.id == old.id)
        #expect(new.epoch == old.epoch + 1)
        try await Self.expectLost(old, "old", fixture, campaign)
        // Not even under the name of the new one.
        try await Self.expectLost(old, "new", fixture, campaign)
        // Nor under the new one's epoch by another node.
        try await Self.expectLost(new, "old", fixture, campaign)
        #expect(try await fixture.store.append(node: "new", [new.group([1: .bounced])]) == [new.id: .applied(.open)])
        #expect(try await fixture.status(campaign).counters.bounced == 1)
    }

    private static func expectLost(
        _ batch: ClaimedBatch, _ node: String, _ fixture: CampaignFixture, _ campaign: CampaignID
    ) async throws {
        let before = try await fixture.status(campaign)
        let rows = try await fixture.rows("journal", campaign)
        #expect(try await fixture.store.append(node: node, [batch.group([2: .delivered])]) == [batch.id: .lost])
        #expect(
            try await fixture.store.renew(node: node, [(batch.id, batch.epoch)], leaseSeconds: 60).held.isEmpty)
        let settlement = BatchSettlement(results: batch.results([0: .delivered, 1: .delivered, 2: .delivered]))
        #expect(try await fixture.store.settle(batch.id, node: node, epoch: batch.epoch, settlement) == .lost)
        let lease = "SELECT lease_node, lease_until, epoch, state, due_at, finished FROM batches"
        let leaseBefore = try await fixture.records.owner.query("SELECT md5(b::text) FROM (\(unescaped: lease)) b")
            .only.decode(column: 0, as: String.self)
        try await fixture.store.park(batch.id, node: node, epoch: batch.epoch, dueInSeconds: 5)
        let leaseAfter = try await fixture.records.owner.query("SELECT md5(b::text) FROM (\(unescaped: lease)) b")
            .only.decode(column: 0, as: String.self)
        #expect(leaseBefore == leaseAfter)
        #expect(try await fixture.status(campaign) == before)
        #expect(try await fixture.rows("journal", campaign) == rows)
    }

    @Test func `a renewed lease lasts, and one that has run out is renewed where nobody has claimed the batch`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(2, batchSize: 1)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 2)
        try await fixture.records.owner.query("UPDATE batches SET lease_until = now() WHERE batch_no = 2")
        let leases = batches.map { ($0.id, $0.epoch) }
        let renewed = try await fixture.store.renew(node: "n", leases, leaseSeconds: 3_600)
        #expect(renewed.held == Set(batches.map(\.id)) && renewed.locked.isEmpty)
        let shortest = try await fixture.records.owner.query(
            "SELECT min(lease_until) > now() + interval '50 minutes' FROM batches"
        ).only.decode(column: 0, as: Bool.self)
        #expect(shortest)
        // A row that somebody has locked is not waited for, and its batch not given up.
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query("SELECT FROM batches WHERE batch_no = 2 FOR UPDATE")
            let beside = try await fixture.store.renew(node: "n", leases, leaseSeconds: 60)
            #expect(beside.held.map(\.number) == [1] && beside.locked.map(\.number) == [2])
        }
    }

    @Test func `answers count after the lease has run out, and mail begins only before`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3, batchSize: 3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        func append(_ entries: JournalEntry...) async throws -> LeaseState? {
            let group = JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)
            return try await fixture.store.append(node: "n", [group])[batch.id]
        }
        let intents = (0..<2).map { JournalEntry(index: $0, kind: .intent) }
        #expect(try await append(intents[0], intents[1]) == .applied(.open))
        try await fixture.records.owner.query("UPDATE batches SET lease_until = now() - interval '1 hour'")
        let answer = JournalEntry(index: 0, kind: .outcome(.delivered))
        #expect(try await append(answer, JournalEntry(index: 2, kind: .intent)) == .overdue(.open))
        #expect(try await fixture.status(campaign).counters.delivered == 0)
        #expect(try await append(answer) == .applied(.open))
        #expect(try await append(JournalEntry(index: 1, kind: .outcome(.bounced))) == .applied(.open))
        // Given back, late as it is, it goes on where it stood.
        try await fixture.store.park(batch.id, node: "n", epoch: batch.epoch, dueInSeconds: 0)
        let next = try #require(try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 1).first)
        #expect(next.progress.count == 2)
        #expect(try await append(answer) == .lost)
        let counters = try await fixture.status(campaign).counters
        #expect((counters.delivered, counters.bounced) == (1, 1))
    }

    @Test func `a locked campaign, or a locked batch, is told of and stops no other`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaigns = [try await fixture.sent(2, batchSize: 2), try await fixture.sent(2, batchSize: 2)]
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 2)
        let locked = try #require(batches.first { $0.id.campaign == campaigns[0] })
        let free = try #require(batches.first { $0.id.campaign == campaigns[1] })
        for table in ["campaigns", "batches"] {
            let index: Int32 = table == "campaigns" ? 0 : 1
            let groups = [locked.group([index: .delivered]), free.group([index: .delivered])]
            try await fixture.records.owner.withTransaction { connection in
                try await connection.query(
                    """
                    SELECT FROM \(identifier: table) WHERE campaign_id = \(campaigns[0].rawValue) FOR NO KEY UPDATE
                    """)
                let states = try await fixture.store.append(node: "n", groups)
                #expect(states == [locked.id: .locked, free.id: .applied(.open)])
            }
            let states = try await fixture.store.append(node: "n", groups)
            #expect(states == [locked.id: .applied(.open), free.id: .repeated(.open)])
        }
        for campaign in campaigns { #expect(try await fixture.status(campaign).counters.delivered == 2) }
    }

    @Test func `a statement that comes too late claims nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(1)
        func claim(_ deadline: Double) async throws -> [ClaimedBatch] {
            try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1, deadline: deadline)
        }
        let now = try await fixture.records.owner.query("SELECT extract(epoch FROM now())::double precision").only
            .decode(
                column: 0, as: Double.self)
        #expect(try await claim(now - 1).isEmpty)
        #expect(try await claim(now + 600).count == 1)
    }

    @Test func `a node's name is held by one process, and its old leases end when it starts again`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(2, batchSize: 1)
        let (store, first) = (fixture.store, fixture.stores.fleet)
        try await first.register(node: "n")
        try await store.beginIncarnation(of: "n")
        _ = try await store.claim(node: "n", leaseSeconds: 3_600, limit: 2)
        #expect(try await store.leasedBatches() == ["n": 2])
        let second = FleetStore(records: fixture.records.pool, logger: Logger(label: "test"))
        await #expect(throws: NodeError.alreadyRunning) { try await second.register(node: "n") }
        try await second.register(node: "m")
        try await store.beginIncarnation(of: "m")
        #expect(try await store.claim(node: "m", leaseSeconds: 60, limit: 2).isEmpty)
        await first.unregister(node: "n")
        try await second.register(node: "n")
        try await store.beginIncarnation(of: "n")
        let again = try await store.claim(node: "n", leaseSeconds: 60, limit: 2)
        #expect(again.map(\.epoch) == [2, 2])
        await second.unregister(node: "n")
        await second.unregister(node: "m")
    }

    // MARK: Journal

    @Test func `intents and outcomes may come in different groups`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        func append(_ entries: [JournalEntry]) async throws {
            let group = JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)
            let state = try await fixture.store.append(node: "n", [group])
            #expect(state == [batch.id: entries.isEmpty ? .repeated(.open) : .applied(.open)])
        }
        try await append([JournalEntry(index: 0, kind: .intent), JournalEntry(index: 1, kind: .intent)])
        #expect(try await fixture.status(campaign).counters.pending == 3)
        try await append([JournalEntry(index: 0, kind: .outcome(.delivered)), JournalEntry(index: 2, kind: .intent)])
        try await append([JournalEntry(index: 2, kind: .withdrawn)])
        try await append([])
        #expect(try await fixture.status(campaign).counters.delivered == 1)
        try await fixture.endLeases(of: "n")
        let again = try #require(try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 1).first)
        #expect(
            again.progress == [0: .finished(RecipientResult(index: 0, outcome: .delivered)), 1: .intended])
    }

    @Test func `a group appended twice counts once`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let first = batch.group([0: .delivered])
        let second = batch.group([1: .bounced])
        for (group, isNew) in [(first, true), (first, false), (second, true), (first, false), (second, false)] {
            let state = try await fixture.store.append(node: "n", [group])
            #expect(state == [batch.id: isNew ? .applied(.open) : .repeated(.open)])
        }
        let counters = try await fixture.status(campaign).counters
        #expect(counters.delivered == 1)
        #expect(counters.bounced == 1)
        #expect(try await fixture.rows("journal", campaign) == 2)
    }

    @Test func `one call serves batches of several campaigns and accounts, each by its own lease`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 10)
        let mine = try await fixture.sent(4, batchSize: 2)
        let theirs = try await fixture.sent(2, account: other)
        var batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 3)
        batches.sort { $0.id < $1.id }
        let lost = batches[1]
        try await fixture.records.owner.query(
            """
            UPDATE batches SET lease_node = NULL, lease_until = NULL
            WHERE campaign_id = \(lost.id.campaign.rawValue) AND batch_no = \(lost.id.number)
            """)
        let states = try await fixture.store.append(node: "n", batches.reversed().map { $0.group(all: .delivered) })
        #expect(
            states == [
                batches[0].id: .applied(.open), lost.id: .lost, batches[2].id: .applied(.open),
            ])
        #expect(try await fixture.status(mine).counters.delivered == 2)
        #expect(try await fixture.service.get(other, theirs).counters.delivered == 2)
    }

    @Test func `groups from many nodes at once add up`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(160, batchSize: 20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in 0..<4 {
                group.addTask {
                    // A claim does not wait for one of another node: it may come back with less.
                    var batches: [ClaimedBatch] = []
                    while batches.count < 2 {
                        batches += try await fixture.store.claim(
                            node: "n\(node)", leaseSeconds: 60, limit: 2 - batches.count)
                    }
                    for step in 0..<20 {
                        let groups = batches.map { $0.group([$0.records[step].index: .delivered]) }
                        let states = try await fixture.store.append(node: "n\(node)", groups)
                        #expect(states.values.allSatisfy { $0 == .applied(.open) })
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await fixture.status(campaign).counters.delivered == 160)
    }

    @Test func `counter updates stay on their pages`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(50, batchSize: 50)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let sealed = [[UInt8](repeating: 1, count: 40)]
        // Statistics of the transaction in which they happen are exact.
        let hot = try await fixture.records.owner.withTransaction { connection in
            for record in batch.records {
                try await connection.query(
                    """
                    SELECT FROM append_journal('n', \([batch.id.account.rawValue]), \([batch.id.campaign.rawValue]),
                        \([batch.id.number]), \([batch.epoch]), \([Int64(record.index) + 1_000_000]), \(sealed),
                        '{1}', '{0}', '{0}', '{0}', '{0}', '{0}', '{0}', '{0}', '{0}')
                    """)
            }
            return try await connection.query(
                """
                SELECT relname::text, n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables
                WHERE relname IN ('batches', 'campaigns') ORDER BY relname
                """
            ).map { try $0.decode(String.self, Int64.self, Int64.self) }
        }
        #expect(hot.map(\.0) == ["batches", "campaigns"])
        for (table, updates, hotUpdates) in hot {
            #expect(updates == 50)
            #expect(hotUpdates >= 25, "\(table)")
        }
    }

    // MARK: Settlement

    @Test func `settling charges what was delivered, releases the rest and carries the deferred`() async throws {
        let fixture = try await CampaignFixture.make(credits: 100)
        let campaign = try await fixture.sent(4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "n",
            [
                JournalGroup(
                    batch: batch.id, epoch: 1,
                    entries: [
                        JournalEntry(index: 0, kind: .outcome(.delivered)),
                        JournalEntry(index: 1, kind: .outcome(.bounced)),
                        JournalEntry(index: 2, kind: .deferred, replyCode: 421, text: "busy"),
                        JournalEntry(index: 3, kind: .deferred),
                    ])
            ])
        let retried = batch.records[2...].map { record in
            var record = record
            record.attempt = 1
            return record
        }
        let settlement = BatchSettlement(
            results: batch.results([0: .delivered, 1: .bounced]), deferred: retried, retryInSeconds: 0)
        #expect(
            try await fixture.store.settle(batch.id, node: "n", epoch: 1, settlement) == .settled(campaignDone: false))
        // Again, as after an answer that was lost.
        #expect(
            try await fixture.store.settle(batch.id, node: "n", epoch: 1, settlement) == .settled(campaignDone: false))
        var status = try await fixture.status(campaign)
        #expect(status.credits.charged == 1)
        #expect(status.credits.released == 1)
        #expect(status.credits.held == 2)
        #expect(status.counters.deferred == 2)
        #expect(status.counters.pending == 0)
        #expect(try await fixture.rows("journal", campaign) == 0)

        let retry = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 5).first)
        #expect(retry.id.number == 2)
        #expect(retry.records == retried)
        #expect(retry.progress.isEmpty)
        let group = JournalGroup(
            batch: retry.id, epoch: 1,
            entries: [
                JournalEntry(index: 2, kind: .outcome(.delivered), wasDeferred: true),
                JournalEntry(index: 3, kind: .outcome(.expired), wasDeferred: true),
            ])
        _ = try await fixture.store.append(node: "n", [group])
        #expect(try await fixture.status(campaign).counters.deferred == 0)
        #expect(
            try await fixture.store.settle(
                retry.id, node: "n", epoch: 1,
                BatchSettlement(results: retry.results([2: .delivered, 3: .expired])))
                == .settled(campaignDone: true))
        status = try await fixture.status(campaign)
        #expect(status.counters.delivered == 2)
        #expect(status.counters.expired == 1)
        #expect(status.credits.charged == 2)
        #expect(status.credits.held == 0)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a settlement that is not the journal's changes nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "n", [batch.group([0: .delivered])])
        let before = try await fixture.status(campaign)
        for results in [[Int32(0): Outcome.delivered], [0: .delivered, 1: .delivered], [0: .bounced], [:]] {
            await #expect(throws: CampaignError.self) {
                try await fixture.store.settle(
                    batch.id, node: "n", epoch: 1, BatchSettlement(results: batch.results(results)))
            }
        }
        #expect(try await fixture.status(campaign) == before)
        #expect(
            try await fixture.store.append(node: "n", [batch.group([1: .delivered])]) == [batch.id: .applied(.open)])
    }

    @Test func `a missing mailbox is suppressed for its account at once`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 0)
        let address = try EmailAddress("gone@example.org")
        let fingerprint = try await fixture.vault.accountKeys(fixture.account).fingerprinter.fingerprint(address)
        try await fixture.store.note(
            [FoundAddress(fingerprint, in: CampaignID(rawValue: 1), .missing)], account: fixture.account, deadAfter: 0)
        let suppressed = try await fixture.store.suppressed([
            fixture.account: [Addressee(fingerprint, address)], other: [Addressee(fingerprint, address)],
        ])
        #expect(suppressed == [fixture.account: [fingerprint]])
        #expect(try await fixture.suppressions.find(address, account: fixture.account)?.reason == .hardBounce)
    }

    @Test func `a dead address is suppressed when enough campaigns have found it so, each counted once`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 0)
        let fingerprinter = try await fixture.vault.accountKeys(fixture.account).fingerprinter
        let address = try EmailAddress("a@example.org")
        let fingerprints = try ["a@example.org", "b@example.org"].map {
            fingerprinter.fingerprint(try EmailAddress($0))
        }
        func note(_ campaigns: Int64..., of account: AccountID? = nil, after: Int = 3) async throws -> Int {
            let found = campaigns.flatMap { campaign in
                fingerprints.map { FoundAddress($0, in: CampaignID(rawValue: campaign), .dead) }
            }
            let account = account ?? fixture.account
            try await fixture.store.note(found + found, account: account, deadAfter: after)
            return try await fixture.store.suppressed([account: fingerprints.map { Addressee($0, address) }])[
                account]?.count ?? 0
        }
        #expect(try await note(1) == 0)
        // The same campaign again, as a takeover says it; another account's; and the setting that it counts for nothing.
        #expect(try await note(1, 1) == 0)
        #expect(try await note(2, of: other) == 0)
        #expect(try await note(3, 4, 5, after: 0) == 0)
        #expect(try await note(2) == 0)
        try await fixture.records.pool.withConnection { connection in
            try await DeadAddresses.forget([fingerprints[1]], account: fixture.account, on: connection)
        }
        #expect(try await note(3) == 1)
        #expect(try await note(4) == 1)
        #expect(try await note(5) == 2)
        #expect(
            try await fixture.suppressions.find(EmailAddress("a@example.org"), account: fixture.account)?.reason
                == .hardBounce)
        // What was found long ago is forgotten.
        try await fixture.records.owner.query("UPDATE dead_addresses SET seen_at = now() - interval '2 years'")
        #expect(try await note(3, of: other) == 0)
        #expect(try await note(4, of: other) == 0)
        #expect(try await note(5, of: other) == 2)
    }

    @Test func `in-doubt mails are counted, and sent again or given up`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(2)
        let old = try #require(try await fixture.store.claim(node: "old", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "old",
            [
                JournalGroup(
                    batch: old.id, epoch: 1,
                    entries: [JournalEntry(index: 0, kind: .intent), JournalEntry(index: 1, kind: .intent)])
            ])
        try await fixture.endLeases(of: "old")
        let new = try #require(try await fixture.store.claim(node: "new", leaseSeconds: 60, limit: 1).first)
        #expect(new.progress == [0: .intended, 1: .intended])
        let group = JournalGroup(
            batch: new.id, epoch: 2,
            entries: [
                JournalEntry(index: 0, kind: .inDoubtResend), JournalEntry(index: 0, kind: .intent),
                JournalEntry(index: 0, kind: .outcome(.delivered)), JournalEntry(index: 1, kind: .outcome(.inDoubt)),
            ])
        _ = try await fixture.store.append(node: "new", [group])
        _ = try await fixture.store.settle(
            new.id, node: "new", epoch: 2, BatchSettlement(results: new.results([0: .delivered, 1: .inDoubt])))
        let status = try await fixture.status(campaign)
        #expect(status.counters.inDoubtResent == 1)
        #expect(status.counters.inDoubt == 1)
        #expect(status.counters.delivered == 1)
        #expect(status.credits.charged == 1)
        #expect(status.credits.released == 1)
    }

    @Test func `work is signalled when a campaign is sent`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(1)
        var signals = fixture.store.workSignals().makeAsyncIterator()
        // The first says that listening has begun.
        _ = await signals.next()
        _ = try await fixture.service.send(fixture.account, campaign)
        let signal: Void? = await signals.next()
        #expect(signal != nil)
    }

    @Test func `retries are joined past a campaign whose key is missing`() async throws {
        let fixture = try await CampaignFixture.make(credits: 200)
        var campaigns: [CampaignID] = []
        for _ in 0..<3 {
            campaigns.append(try await fixture.sent(40, batchSize: 10))
            for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 4) {
                let later = JournalEntry(index: batch.records[0].index, kind: .deferred, replyCode: 451, text: "later")
                let outcomes = Dictionary(
                    uniqueKeysWithValues: batch.records.dropFirst().map { ($0.index, Outcome.delivered) })
                _ = try await fixture.store.append(node: "n", [batch.group(outcomes)])
                _ = try await fixture.store.append(
                    node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: [later])])
                var retried = batch.records[0]
                retried.attempt = 1
                _ = try await fixture.store.settle(
                    batch.id, node: "n", epoch: batch.epoch,
                    BatchSettlement(results: batch.results(outcomes), deferred: [retried], retryInSeconds: 600))
            }
        }
        // In whichever direction they are looked through.
        campaigns.sort()
        for missing in [campaigns[0], campaigns[2]] {
            _ = try await fixture.vault.destroyCampaignKey(fixture.account, missing)
        }
        #expect(try await fixture.store.coalesceRetries() == 4)
    }

    @Test func `small retry batches are joined, with their credits and their last replies`() async throws {
        let fixture = try await CampaignFixture.make(credits: 200)
        let campaign = try await fixture.sent(100, batchSize: 10)
        for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10) {
            let last = try #require(batch.records.last)
            var retried = last
            retried.attempt = 1
            let outcomes = Dictionary(
                uniqueKeysWithValues: batch.records.dropLast().map { ($0.index, Outcome.delivered) })
            let later = JournalEntry(index: last.index, kind: .deferred, replyCode: 451, text: "later \(last.index)")
            _ = try await fixture.store.append(node: "n", [batch.group(outcomes)])
            _ = try await fixture.store.append(
                node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: [later])])
            _ = try await fixture.store.settle(
                batch.id, node: "n", epoch: batch.epoch,
                BatchSettlement(results: batch.results(outcomes), deferred: [retried], retryInSeconds: 600))
        }
        let before = try await fixture.status(campaign)
        #expect(try await fixture.store.coalesceRetries() == 10)
        #expect(try await fixture.store.coalesceRetries() == 0)
        let after = try await fixture.status(campaign)
        #expect(after.counters == before.counters && after.credits == before.credits)
        #expect(after.counters.deferred == 10 && after.credits.held == 10)
        let listed = try await fixture.service.recipients(fixture.account, campaign, fate: .deferred, limit: 100)
        let texts = listed.recipients.map(\.text)
        #expect(texts == (0..<10).map { "later \($0 * 10 + 9)" })

        try await fixture.records.owner.query("UPDATE batches SET due_at = now() WHERE state = 1")
        try await fixture.records.owner.query("UPDATE account_queue SET next_due = now()")
        let joined = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 10)
        #expect(joined.map(\.records.count) == [10])
        #expect(!joined.contains { !$0.isRetry })
        try await fixture.endLeases(of: "n")
        try await fixture.deliverAll()
        let end = try await fixture.status(campaign)
        #expect(end.counters.delivered == 100 && end.credits.charged == 100)
        #expect(try await fixture.balance().available == 100)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `joined retry batches are due with their first, and those due later stay apart`() async throws {
        let fixture = try await CampaignFixture.make(credits: 200)
        let campaign = try await fixture.sent(12, batchSize: 12)
        let seconds = [600.0, 610, 640, 700, 3_600, 3_700, 3_800, 3_900, 14_000, 300, 1_200, 7_200]
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let entries = batch.records.map { JournalEntry(index: $0.index, kind: .deferred, replyCode: 451) }
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        _ = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch,
            BatchSettlement(results: [], retries: zip(batch.records, seconds).map { .init([$0], inSeconds: $1) }))
        for _ in 0..<3 { _ = try await fixture.store.coalesceRetries() }
        let due = try await fixture.records.owner.query(
            """
            SELECT recipients, round(extract(epoch FROM due_at - now()) / 100)::int FROM batches WHERE state = 1
            ORDER BY due_at
            """
        ).map { try $0.decode(Int32.self, Int32.self) }
        #expect(due.map(\.0) == [1, 4, 1, 4, 1, 1])
        #expect(due.map(\.1) == [3, 6, 12, 36, 72, 140])
        #expect(try await fixture.status(campaign).counters.deferred == 12)
        #expect(try await fixture.status(campaign).credits.held == 12)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `recipients with different times to come are retried in batches of their own`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let entries = batch.records.map { JournalEntry(index: $0.index, kind: .deferred) }
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        let settlement = BatchSettlement(
            results: [],
            retries: [
                .init([batch.records[0]], inSeconds: 0), .init([batch.records[1], batch.records[2]], inSeconds: 900),
                .init([], inSeconds: 5), .init([batch.records[3]], inSeconds: 7_200),
            ])
        let result = try await fixture.store.settle(batch.id, node: "n", epoch: batch.epoch, settlement)
        #expect(result == .settled(campaignDone: false))
        let due = try await fixture.records.owner.query(
            "SELECT recipients, round(extract(epoch FROM due_at - now()) / 100)::int FROM batches WHERE state = 1 ORDER BY batch_no"
        ).map { try $0.decode(Int32.self, Int32.self) }
        #expect(due.map(\.0) == [1, 2, 1])
        #expect(due.map(\.1) == [0, 9, 72])
        #expect(try await fixture.status(campaign).counters.deferred == 4)
        #expect(try await fixture.status(campaign).credits.held == 4)
        let next = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 9).first)
        #expect(next.records.map(\.index) == [batch.records[0].index] && next.isRetry)
    }

    @Test func `a small campaign overtakes a large one of its account`() async throws {
        let fixture = try await CampaignFixture.make()
        let large = try await fixture.sent(40, batchSize: 1)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 5).count == 5)
        let small = try await fixture.sent(2, batchSize: 1)
        let next = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 3)
        let count = (large: next.count { $0.id.campaign == large }, small: next.count { $0.id.campaign == small })
        #expect(count.large == 1 && count.small == 2)
    }
}

extension DeliveryStore {
    /// Notes what was found of one account's addresses, in a transaction of its own.
    fileprivate func note(_ found: [FoundAddress], account: AccountID, deadAfter: Int) async throws {
        try await records.withTransaction { try await note([(account, found)], deadAfter: deadAfter, on: $0) }
    }
}
