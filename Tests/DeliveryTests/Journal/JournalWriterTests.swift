import Feedback
import Foundation
import Logging
import MailTypes
import Postgres
import Synchronization
import TestDatabases
import TestSupport
import Testing
import Vault

@testable import Campaigns
@testable import Delivery

struct JournalWriterTests {
    // MARK: Intents

    @Test func `an intent is answered after its commit`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        try await fixture.withJournal("n") { journal in
            let answer = Answer()
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await fixture.withBatchesLocked { _ in
                    group.addTask { answer.set(await journal.intend(run, 1)) }
                    try await Task.sleep(for: .milliseconds(300))
                    #expect(answer.value == nil)
                }
                try await group.waitForAll()
            }
            #expect(answer.value == .send)
            #expect(try await fixture.progress(of: run) == [1: .intended])
            #expect(run.stopReason == nil)
        }
    }

    @Test func `a group with intents is told of before its commit, one without is not`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        let rounds = Mutex(0)
        let journal = fixture.journal("n", onRound: { rounds.withLock { $0 += 1 } })
        let writing = Task { await journal.run() }
        journal.record(run, [JournalEntry(run, 0, .outcome(.delivered))])
        await journal.flush(run)
        #expect(rounds.withLock { $0 } == 0)
        let answer = Answer()
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await fixture.withBatchesLocked { _ in
                group.addTask { answer.set(await journal.intend(run, 1)) }
                try await eventually("the group is told of") { rounds.withLock { $0 } > 0 }
                #expect(answer.value == nil)
            }
            try await group.waitForAll()
        }
        #expect(answer.value == .send)
        writing.cancel()
        await writing.value
    }

    @Test func `a run of an earlier claim sends nothing, even under the same name`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        let old = try await fixture.claimRun("n")
        try await fixture.endLeases(of: "n")
        let new = try await fixture.claimRun("n")
        #expect(new.batch.id == old.batch.id)
        try await fixture.withJournal("n") { journal in
            journal.record(old, [JournalEntry(old, 0, .outcome(.delivered))])
            #expect(await journal.intend(old, 1) == .stopped)
            #expect(old.stopReason == .abandon)
            let ofOld = try await fixture.progress(of: old)
            #expect(ofOld == [:])
            // What it says later is not even tried.
            journal.record(old, [JournalEntry(old, 2, .outcome(.delivered))])
            #expect(await journal.intend(new, 1) == .send)
            #expect(new.stopReason == nil)
            let ofNew = try await fixture.progress(of: new)
            #expect(ofNew == [1: .intended])
        }
        #expect(try await fixture.counters(campaign).delivered == 0)
    }

    @Test func `a run whose lease ran out or went to another node sends nothing`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let run = try await fixture.claimRun("slow")
        try await fixture.endLeases(of: "slow")
        try await fixture.withJournal("slow") { journal in
            #expect(await journal.intend(run, 0) == .stopped)
            #expect(run.stopReason == .abandon)
        }
        let other = try await fixture.claimRun("quick")
        let late = BatchRun(
            run.batch, runtime: run.runtime, fingerprints: run.fingerprints,
            leaseEnd: DeliveryClock.after(60), clock: .system)
        try await fixture.withJournal("slow") { journal in
            #expect(await journal.intend(late, 0) == .stopped)
            #expect(late.stopReason == .abandon)
        }
        #expect(try await fixture.progress(of: other) == [:])
    }

    @Test(.timeLimit(.minutes(1))) func `answers that come after the lease count, and mail beside them does not begin`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        let run = try await fixture.claimRun("n")
        try await fixture.records.owner.query("UPDATE batches SET lease_until = now() - interval '1 hour'")
        let journal = fixture.journal("n")
        journal.record(run, [JournalEntry(run, 0, .outcome(.delivered))])
        let intent = Task { await journal.intend(run, 1) }
        try await Task.sleep(for: .milliseconds(100))
        let writing = Task { await journal.run() }
        #expect(await intent.value == .stopped)
        await journal.flush(run)
        #expect(run.stopReason == nil)
        #expect(try await fixture.counters(campaign).delivered == 1)
        #expect(try await fixture.progress(of: run).count == 1)
        writing.cancel()
        await writing.value
    }

    @Test func `one lost batch does not stop the others of its group`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2, batchSize: 1)
        let lost = try await fixture.claimRun("lost")
        let held = try await fixture.claimRun("n")
        try await fixture.withJournal("n") { journal in
            // Waits for both to be told in one group.
            journal.record(lost, [JournalEntry(lost, 0, .intent)])
            #expect(await journal.intend(held, 0) == .send)
            #expect(lost.stopReason == .abandon)
            #expect(held.stopReason == nil)
        }
    }

    @Test(arguments: [(false, BatchRun.StopReason.park), (true, .cancel)])
    func `an intent that meets a pause or a cancellation is withdrawn`(
        _ cancels: Bool, _ reason: BatchRun.StopReason
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        if cancels {
            _ = try await fixture.service.cancel(fixture.account, campaign)
        } else {
            _ = try await fixture.service.pause(fixture.account, campaign)
        }
        try await fixture.withJournal("n") { journal in
            #expect(await journal.intend(run, 0) == .stopped)
            #expect(run.stopReason == reason)
            await journal.flush()
            let progress = try await fixture.progress(of: run)
            #expect(progress == [:])
        }
    }

    // MARK: Trouble of one

    /// Two accounts with a batch at work each.
    private struct Neighbours {
        let fixture: DeliveryFixture
        let campaign: CampaignID
        let troubled: BatchRun
        let other: BatchRun

        init() async throws {
            fixture = try await DeliveryFixture.make()
            campaign = try await fixture.send(3)
            troubled = try await fixture.claimRun("n")
            _ = try await fixture.send(3)
            other = try await fixture.claimRun("n")
        }
    }

    @Test func `a campaign that somebody has locked stops no other, and loses no answer`() async throws {
        let two = try await Neighbours()
        let (fixture, troubled) = (two.fixture, two.troubled)
        try await fixture.withJournal("n") { journal in
            try await fixture.records.owner.withTransaction { connection in
                try await connection.query(
                    "SELECT FROM campaigns WHERE campaign_id = \(two.campaign.rawValue) FOR NO KEY UPDATE")
                journal.record(troubled, [JournalEntry(troubled, 0, .outcome(.delivered))])
                #expect(await journal.intend(two.other, 0) == .send)
                // A mail keeps its connection for two seconds; then the connection is for others.
                #expect(await journal.intend(troubled, 1) == .stopped)
                #expect(troubled.stopReason == .park && two.other.stopReason == nil)
                #expect(journal.stuckAccounts == [fixture.account])
                #expect(await journal.intend(two.other, 1) == .send)
            }
            await journal.flush(troubled)
            #expect(journal.stuckAccounts.isEmpty)
            let delivered = try await fixture.counters(two.campaign).delivered
            #expect(delivered == 1)
            let progress = try await fixture.progress(of: troubled)
            #expect(progress.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a node that ends does not wait for a campaign that somebody has locked`()
        async throws
    {
        let two = try await Neighbours()
        try await two.fixture.withJournal("n") { journal in
            try await two.fixture.records.owner.withTransaction { connection in
                try await connection.query("SELECT FROM campaigns FOR NO KEY UPDATE")
                journal.record(two.troubled, [JournalEntry(two.troubled, 0, .outcome(.delivered))])
                try await eventually("the run waits") {
                    two.troubled.stopReason == nil && journal.queue.withLock(\.isHolding)
                }
                two.troubled.stop(.abandon)
                await journal.flush(two.troubled)
                await journal.flush()
            }
        }
    }

    @Test func `a group that cannot be stored costs its own batch and no other`() async throws {
        let two = try await Neighbours()
        let (fixture, troubled) = (two.fixture, two.troubled)
        try await fixture.records.owner.query(
            "UPDATE campaigns SET recipients = 0 WHERE campaign_id = \(two.campaign.rawValue)")
        let journal = fixture.journal("n")
        journal.record(troubled, [JournalEntry(troubled, 0, .outcome(.delivered))])
        let intent = Task { await journal.intend(two.other, 0) }
        // Both are there when the writer begins, so they are in one call.
        try await Task.sleep(for: .milliseconds(300))
        let writing = Task { await journal.run() }
        #expect(await intent.value == .send)
        await journal.flush(troubled)
        #expect(troubled.stopReason == .abandon && troubled.failure != nil)
        #expect(two.other.stopReason == nil)
        #expect(await journal.intend(two.other, 1) == .send)
        #expect(journal.commits.metrics.counts.journalGroupsRefused == 1)
        writing.cancel()
        await writing.value
    }

    @Test func `a bounce whose suppression fails is not committed without it, and stops no other`() async throws {
        let two = try await Neighbours()
        let (fixture, troubled) = (two.fixture, two.troubled)
        try await fixture.records.owner.query("REVOKE INSERT ON suppressions FROM sluice_app")
        try await fixture.withJournal("n") { journal in
            journal.record(
                troubled, [JournalEntry(troubled, 1, .outcome(.bounced))],
                found: troubled.found(.bounced, .none, .missing, at: 1))
            #expect(await journal.intend(two.other, 0) == .send)
            let before = try await fixture.counters(two.campaign).bounced
            #expect(before == 0)
            try await fixture.records.owner.query(
                "GRANT INSERT ON suppressions TO sluice_app")
            await journal.flush(troubled)
            let after = try await fixture.counters(two.campaign).bounced
            #expect(after == 1)
            let suppression = try await fixture.suppression(of: 1)
            #expect(suppression?.reason == .hardBounce)
        }
    }

    /// A node may die between an answer and its commit: nothing is committed here.
    @Test func `an answer lies in the node's files as soon as it is recorded`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        let directory = NSTemporaryDirectory() + "sluice-heard-" + String(UInt64.random(in: 0 ... .max), radix: 36)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let local = try LocalJournal(directory: directory)
        let journal = fixture.journal("n", local: local)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let runtime = try await fixture.runtime(of: campaign, sealing: true)
        let run = BatchRun(
            batch, runtime: runtime,
            fingerprints: batch.records.map { runtime.keys.fingerprinter.fingerprint($0.address) },
            leaseEnd: DeliveryClock.after(60), clock: .system)
        journal.record(run, [JournalEntry(run, 1, .outcome(.delivered))])
        let key = try await fixture.vault.campaignKey(fixture.account, campaign)
        let entries = try local.records().flatMap { try $0.entries(key) }
        #expect(entries.map(\.index) == [batch.records[1].index])
        #expect(entries.map(\.kind) == [.outcome(.delivered)])
    }

    @Test func `answers that wait for a lock lie in the node's files until they are committed, not withdrawals`()
        async throws
    {
        let two = try await Neighbours()
        let (fixture, troubled) = (two.fixture, two.troubled)
        let directory = NSTemporaryDirectory() + "sluice-held-" + String(UInt64.random(in: 0 ... .max), radix: 36)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let local = try LocalJournal(directory: directory)
        let journal = fixture.journal("n", local: local)
        let writing = Task { await journal.run() }
        let runtime = try await fixture.runtime(of: two.campaign, sealing: true)
        let run = BatchRun(
            troubled.batch, runtime: runtime, fingerprints: troubled.fingerprints, leaseEnd: DeliveryClock.after(60),
            clock: .system)
        #expect(await journal.intend(run, 2) == .send)
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM campaigns WHERE campaign_id = \(two.campaign.rawValue) FOR NO KEY UPDATE")
            // It might still lie there when the mail is on the wire after all, and would end a doubt.
            journal.record(run, [JournalEntry(run, 2, .withdrawn)])
            for position in 0..<2 {
                journal.record(run, [JournalEntry(run, position, .outcome(.delivered))])
                // Rounds of others come and go, and forget what is theirs.
                for other in 0..<3 {
                    journal.record(two.other, [JournalEntry(two.other, other, position == 0 ? .intent : .withdrawn)])
                    await journal.flush(two.other)
                }
            }
            let key = try await fixture.vault.campaignKey(fixture.account, two.campaign)
            let entries = try local.records().filter { $0.batch == run.batch.id }.flatMap { try $0.entries(key) }
            #expect(Set(entries.map(\.index)) == Set(run.batch.records.prefix(2).map(\.index)))
        }
        await journal.flush(run)
        #expect(try await fixture.counters(two.campaign).delivered == 2)
        try await eventually("the files are empty") { try local.records().isEmpty }
        writing.cancel()
        await writing.value
    }

    // MARK: Suppressions

    @Test func `an address suppressed while the intent was on its way is not mailed`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(3)
        let run = try await fixture.claimRun("n")
        try await fixture.suppress(2)
        try await fixture.withJournal("n") { journal in
            let answers = [Answer(), Answer(), Answer()]
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await fixture.withBatchesLocked { _ in
                    for (position, answer) in answers.enumerated() {
                        group.addTask { answer.set(await journal.intend(run, position)) }
                    }
                    try await Task.sleep(for: .milliseconds(200))
                    // The last moment: the intent is not committed yet.
                    try await fixture.suppress(1)
                }
                try await group.waitForAll()
            }
            #expect(answers.map(\.value) == [.send, .suppressed, .suppressed])
            #expect(run.stopReason == nil)
        }
    }

    @Test func `a mailbox that does not exist is suppressed with its outcome`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        try await fixture.withJournal("n") { journal in
            journal.record(
                run, [JournalEntry(run, 1, .outcome(.bounced))], found: run.found(.bounced, .none, .missing, at: 1))
            await journal.flush()
            let missing = try await fixture.suppression(of: 1)
            #expect(missing?.reason == .hardBounce)
            let other = try await fixture.suppression(of: 0)
            #expect(other == nil)
        }
    }

    // MARK: Groups

    @Test func `what waits is committed together, a group a batch`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(100, batchSize: 50)
        let runs = [try await fixture.claimRun("n"), try await fixture.claimRun("n")]
        let journal = fixture.journal("n")
        let intents = runs.flatMap { run in
            (0..<50).map { position in Task { await journal.intend(run, position) } }
        }
        for run in runs {
            for position in run.batch.records.indices {
                journal.record(run, [JournalEntry(run, position, .outcome(.delivered))])
            }
        }
        // The intents' tasks have all come by then; one that had not would only make one group more.
        try await Task.sleep(for: .milliseconds(300))
        let writing = Task { await journal.run() }
        for intent in intents { #expect(await intent.value == .send) }
        await journal.flush()
        writing.cancel()
        #expect(try await fixture.records.owner.query("SELECT FROM journal").count == 2)
        #expect(try await fixture.counters(campaign).delivered == 100)
    }

    @Test func `a flush waits for what was recorded before it`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(30, batchSize: 30)
        let run = try await fixture.claimRun("n")
        try await fixture.withJournal("n") { journal in
            for position in 0..<30 {
                journal.record(run, [JournalEntry(run, position, .outcome(.delivered))])
                guard position % 10 == 9 else { continue }
                await journal.flush()
                let delivered = try await fixture.counters(campaign).delivered
                #expect(delivered == position + 1)
            }
        }
    }

    @Test func `an outcome outlives lost connections and counts once`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        let administrator = try await PostgresConnection.connect(fixture.records.configuration(role: "postgres"))
        try await fixture.withJournal("n") { journal in
            try await fixture.withBatchesLocked { _ in
                journal.record(run, [JournalEntry(run, 0, .outcome(.delivered))])
                for _ in 0..<3 {
                    try await Task.sleep(for: .milliseconds(100))
                    try await administrator.query(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND usename = 'sluice_app'
                        """)
                }
            }
            #expect(await journal.intend(run, 1) == .send)
        }
        await administrator.close()
        #expect(try await fixture.counters(campaign).delivered == 1)
        #expect(try await fixture.progress(of: run).count == 2)
    }

    @Test(.timeLimit(.minutes(1))) func `a group is committed early once half of the mails under way wait for it`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(4)
        let run = try await fixture.claimRun("n")
        let interval = Duration.seconds(300)
        try await fixture.withJournal("n", interval: interval, underWay: { 4 }) { journal in
            // The first finds a writer at rest; from then on the interval counts.
            #expect(await journal.intend(run, 0) == .send)
            let answer = Answer()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { answer.set(await journal.intend(run, 1)) }
                try await Task.sleep(for: .milliseconds(300))
                #expect(answer.value == nil)
                let second = await journal.intend(run, 2)
                #expect(second == .send)
                try await group.waitForAll()
            }
            #expect(answer.value == .send)
            // Nor does who waits for the writing of everything wait for the interval.
            journal.record(run, [JournalEntry(run, 0, .outcome(.delivered))])
            await journal.flush()
            let progress = try await fixture.progress(of: run)
            #expect(progress[1] == .intended && progress[2] == .intended && progress[0] != .intended)
        }
    }

    @Test func `nothing is promised once the writer has ended`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let run = try await fixture.claimRun("n")
        let journal = fixture.journal("n")
        let writing = Task { await journal.run() }
        writing.cancel()
        await writing.value
        #expect(await journal.intend(run, 0) == .stopped)
        await journal.flush()
        #expect(try await fixture.progress(of: run) == [:])
    }
}

/// What an intent was answered; nil as long as it was not.
private final class Answer: Sendable {
    private let state = Mutex<JournalWriter.Permission?>(nil)

    var value: JournalWriter.Permission? { state.withLock { $0 } }

    func set(_ value: JournalWriter.Permission) { state.withLock { $0 = value } }
}

extension DeliveryFixture {
    func journal(
        _ node: String, local: LocalJournal? = nil, interval: Duration = .milliseconds(5),
        underWay: @escaping @Sendable () -> Int = { .max }, onRound: @escaping @Sendable () -> Void = {}
    ) -> JournalWriter {
        JournalWriter(
            store: store, local: local, suppressions: { [store] in try await store.suppressed($0) }, node: node,
            interval: interval, underWay: underWay, onRound: onRound, logger: .silent)
    }

    /// Runs `body` beside a writer that has ended afterwards.
    func withJournal(
        _ node: String, interval: Duration = .milliseconds(5), underWay: @escaping @Sendable () -> Int = { .max },
        _ body: (JournalWriter) async throws -> Void
    ) async throws {
        let journal = journal(node, interval: interval, underWay: underWay)
        let writing = Task { await journal.run() }
        do {
            try await body(journal)
        } catch {
            writing.cancel()
            throw error
        }
        writing.cancel()
        await writing.value
    }

    /// What the journal knows of the run's batch.
    func progress(of run: BatchRun) async throws -> [Int32: RecipientProgress] {
        try await records.pool.withConnection { connection in
            try await JournalReplay(vault: vault).progress(of: [run.batch.id], on: connection)[run.batch.id] ?? [:]
        }
    }
}
