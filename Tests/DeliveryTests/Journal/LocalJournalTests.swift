import Fleet
import Foundation
import MailTypes
import Postgres
import TestDatabases
import TestPeers
import TestSupport
import Testing
import Vault

@testable import Campaigns
@testable import Delivery

/// What a killed node leaves in its own files is taken up by its next incarnation.
struct LocalJournalTests {
    private let directory =
        NSTemporaryDirectory() + "sluice-journal-" + String(UInt64.random(in: 0 ... .max), radix: 36)

    /// Commits the intents of a batch, as a node that then dies; the answers of `answered` are in its own files only.
    private func die(
        _ fixture: DeliveryFixture, _ campaign: CampaignID, answered: [JournalEntry]
    ) async throws -> BatchRun {
        let run = try await fixture.claimRun("node")
        let intents = run.batch.records.map { JournalEntry(index: $0.index, kind: .intent) }
        _ = try await fixture.store.append(
            node: "node", [JournalGroup(batch: run.batch.id, epoch: run.batch.epoch, entries: intents)])
        let local = try LocalJournal(directory: directory)
        let sealer = JournalSealer(key: try await fixture.vault.campaignKey(fixture.account, campaign))
        for (number, entry) in answered.enumerated() {
            // In both files, as when the node dies while a group is committed.
            if number == 1 { _ = local.turn() }
            local.append(
                run.batch.id, epoch: run.batch.epoch,
                try sealer.answers([entry], of: run.batch.id, epoch: run.batch.epoch))
        }
        return run
    }

    private static func delivered(_ index: Int32) -> JournalEntry {
        JournalEntry(index: index, kind: .outcome(.delivered), replyCode: 250, text: "OK")
    }

    /// Runs a node over the same files until the campaign ends.
    private func runNext(
        _ fixture: DeliveryFixture, _ campaign: CampaignID, _ server: MailServer, node: String = "node"
    ) async throws -> CampaignStatus {
        try await server.run { port in
            let running = RunningEngine(
                fixture.engine(node, port: port, local: try LocalJournal(directory: directory)))
            let status = try await fixture.end(of: campaign)
            try await running.drain()
            return status
        }
    }

    @Test func `answers that were not committed are not asked for again`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        let bounced = JournalEntry(index: 2, kind: .outcome(.bounced), replyCode: 550, text: "no")
        _ = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1), bounced])
        let server = MailServer()
        let status = try await runNext(fixture, campaign, server)
        // Only the one whose answer nobody has is sent again, and counted.
        #expect(server.copies == [DeliveryFixture.address(3): 1])
        #expect((status.counters.delivered, status.counters.bounced) == (3, 1))
        #expect(status.counters.inDoubtResent == 1)
        #expect(try await fixture.problemsOfBooks() == [])
        let left = try LocalJournal(directory: directory).records()
        #expect(left.isEmpty)
    }

    @Test func `replies lie in the files sealed, or not at all`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        let words = "for person at example"
        let entries = [
            JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250, text: words),
            JournalEntry(index: 1, kind: .outcome(.bounced), replyCode: 550, text: words),
        ]
        let run = try await die(fixture, campaign, answered: entries)
        for number in 0..<2 {
            let octets = try Data(contentsOf: URL(fileURLWithPath: directory + "/answers-\(number)"))
            #expect(!octets.isEmpty && octets.range(of: Data(words.utf8)) == nil)
        }
        try await fixture.begin(try LocalJournal(directory: directory))
        let progress = try await fixture.progress(of: run)
        #expect(
            progress == [
                0: .finished(RecipientResult(index: 0, outcome: .delivered, code: 250)),
                1: .finished(RecipientResult(index: 1, outcome: .bounced, code: 550, text: words)),
            ])
        await fixture.fleet.unregister(node: "node")
    }

    @Test func `a torn record is as if it had not been written`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        _ = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1)])
        let path = directory + "/answers-1"
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let end = try #require(whole.lastIndex { $0 != 0 })
        #expect(truncate(path, end) == 0)
        let server = MailServer()
        let status = try await runNext(fixture, campaign, server)
        #expect(server.copies == [DeliveryFixture.address(1): 1])
        #expect((status.counters.delivered, status.counters.inDoubtResent) == (2, 1))
    }

    @Test func `a batch that another node has claimed since is left alone`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        _ = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1)])
        try await fixture.endLeases(of: "node")
        let other = try await fixture.claimRun("other")
        #expect(other.batch.progress == [0: .intended, 1: .intended])
        try await fixture.begin(try LocalJournal(directory: directory))
        await fixture.fleet.unregister(node: "node")
        #expect(try await fixture.counters(campaign).delivered == 0)
        // The other node goes on as it would have.
        let entries = [Self.delivered(0), Self.delivered(1)]
        let group = JournalGroup(batch: other.batch.id, epoch: other.batch.epoch, entries: entries)
        #expect(try await fixture.store.append(node: "other", [group]) == [other.batch.id: .applied(.open)])
        #expect(try await fixture.counters(campaign).delivered == 2)
    }

    @Test func `a statement of the dead incarnation changes nothing once its batches are taken over`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        let dead = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1)])
        // The server has not noticed the death: what it applies late has the newest of all numbers.
        let held = try await fixture.store.takeOver(node: "node", mayLeave: true) { _, _, _ in [] }
        #expect(held?.batches == 1)
        let late = JournalGroup(batch: dead.batch.id, epoch: dead.batch.epoch, entries: [Self.delivered(0)])
        #expect(try await fixture.store.append(node: "node", [late]) == [dead.batch.id: .lost])
        #expect(try await fixture.counters(campaign).delivered == 0)
    }

    @Test func `a campaign that somebody has locked is waited for, and its answers are taken up`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        _ = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1)])
        let beginning = try await fixture.records.owner.withTransaction { connection in
            try await connection.query("SELECT FROM campaigns FOR NO KEY UPDATE")
            let beginning = Task { [directory] in try await fixture.begin(try LocalJournal(directory: directory)) }
            try await Task.sleep(for: .seconds(1))
            #expect(try await fixture.counters(campaign).delivered == 0)
            return beginning
        }
        try await beginning.value
        #expect(try await fixture.counters(campaign).delivered == 2)
        await fixture.fleet.unregister(node: "node")
    }

    @Test func `files hold what is not committed and nothing else`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(20)
        let status = try await runNext(fixture, campaign, MailServer())
        #expect(status.counters.delivered == 20)
        #expect(try LocalJournal(directory: directory).records().isEmpty)
    }

    /// Also where it had grown over its kept size, and a record is longer than the room there is.
    @Test(arguments: [40, 3_000_000]) func `a file that is used again holds the new records alone`(long: Int) throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let local = try LocalJournal(directory: directory)
        let batch = BatchID(account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), number: 3)
        func answers(_ count: Int) -> LocalJournal.Answers {
            .init(octets: .init(repeating: 7, count: count), isSealed: true)
        }
        for _ in 0..<3 { local.append(batch, epoch: 1, answers(long)) }
        #expect(try local.records().map(\.answers.octets.count) == [long, long, long])
        let first = local.turn()
        local.append(batch, epoch: 1, answers(5))
        local.forget(first)
        _ = local.turn()
        local.append(batch, epoch: 1, answers(3))
        #expect(try LocalJournal(directory: directory).records().map(\.answers.octets.count) == [3, 5])
        local.begin("next")
        #expect(try LocalJournal(directory: directory).records().isEmpty)
        local.append(batch, epoch: 1, answers(9))
        #expect(try local.records().map(\.answers.octets.count) == [9])
    }

    @Test func `a node's files have one process at a time`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        /// Whether another process could have them.
        func areFree() throws -> Bool {
            let other = Process()
            other.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            other.arguments = [
                "-c", "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)",
                directory + "/final-dots",
            ]
            other.standardError = FileHandle.nullDevice
            try other.run()
            other.waitUntilExit()
            return other.terminationStatus == 0
        }
        do {
            let local = try LocalJournal(directory: directory)
            #expect(try areFree())
            for _ in 0..<2 { try local.lock() }
            #expect(try !areFree())
        }
        #expect(try areFree())
    }

    // MARK: Marks of final dots

    /// A node that registered, committed the intents of a batch and died; only the recipients in `dots` had come to their
    /// final dot.
    private func dieMarked(
        _ fixture: DeliveryFixture, dots: [Int], then: (LocalJournal, BatchRun) async throws -> Void = { _, _ in }
    ) async throws {
        let local = try LocalJournal(directory: directory)
        try await fixture.begin(local)
        let run = try await fixture.claimRun("node")
        let intents = run.batch.records.map { JournalEntry(index: $0.index, kind: .intent) }
        _ = try await fixture.store.append(
            node: "node", [JournalGroup(batch: run.batch.id, epoch: run.batch.epoch, entries: intents)])
        for position in dots { #expect(FinalDot(of: run, position, markedIn: local.marks).mayBeWritten()) }
        try await then(local, run)
        await fixture.fleet.unregister(node: "node")
    }

    @Test func `what never came to its final dot is not in doubt`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(5)
        try await dieMarked(fixture, dots: [1, 3]) { local, run in
            let sealer = JournalSealer(key: try await fixture.vault.campaignKey(fixture.account, campaign))
            local.append(
                run.batch.id, epoch: run.batch.epoch,
                try sealer.answers([Self.delivered(3)], of: run.batch.id, epoch: run.batch.epoch))
        }
        let server = MailServer()
        let status = try await runNext(fixture, campaign, server)
        let once = [0, 1, 2, 4].map { (DeliveryFixture.address($0), 1) }
        #expect(server.copies == Dictionary(uniqueKeysWithValues: once))
        #expect((status.counters.delivered, status.counters.inDoubtResent) == (5, 1))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    enum Flaw: CaseIterable {
        case noFile, tornHead, otherLife, otherBoot, lostAnswer
    }

    @Test(arguments: Flaw.allCases)
    func `a file from which marks may be missing proves nothing`(_ flaw: Flaw) async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        let path = directory + "/final-dots"
        try await dieMarked(fixture, dots: [0]) { local, run in
            // Its place may be another mail's by now.
            if flaw == .lostAnswer { local.append(run.batch.id, epoch: run.batch.epoch, nil) }
        }
        switch flaw {
        case .noFile: try FileManager.default.removeItem(atPath: path)
        case .tornHead: #expect(truncate(path, 20) == 0)
        case .otherLife:
            // The name ran elsewhere in between, with other files, and died as well.
            let elsewhere = try LocalJournal(directory: directory + "/elsewhere")
            try await fixture.begin(elsewhere)
            let run = try await fixture.claimRun("node")
            let intents = run.batch.records.flatMap { record in
                [JournalEntry.Kind.inDoubtResend, .intent].map { JournalEntry(index: record.index, kind: $0) }
            }
            _ = try await fixture.store.append(
                node: "node", [JournalGroup(batch: run.batch.id, epoch: run.batch.epoch, entries: intents)])
            await fixture.fleet.unregister(node: "node")
        case .otherBoot:
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            let end = try #require(bytes.firstIndex(of: 10))
            bytes[end - 1] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
        case .lostAnswer: break
        }
        let server = MailServer()
        let status = try await runNext(fixture, campaign, server)
        // A second doubt is one too many to send the mail again.
        let isDoubtedTwice = flaw == .otherLife
        #expect((status.counters.delivered, status.counters.inDoubt) == (isDoubtedTwice ? (0, 2) : (2, 0)))
        #expect(status.counters.inDoubtResent == 2)
    }

    @Test func `the doubt of an earlier claim stays`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        let other = try await fixture.claimRun("other")
        _ = try await fixture.store.append(
            node: "other",
            [
                JournalGroup(
                    batch: other.batch.id, epoch: other.batch.epoch, entries: [JournalEntry(index: 0, kind: .intent)])
            ])
        try await fixture.endLeases(of: "other")
        let local = try LocalJournal(directory: directory)
        try await fixture.begin(local)
        // It claims the batch and dies before it does anything.
        _ = try await fixture.claimRun("node")
        await fixture.fleet.unregister(node: "node")
        let status = try await runNext(fixture, campaign, MailServer())
        #expect((status.counters.delivered, status.counters.inDoubtResent) == (2, 1))
    }

    @Test func `an incarnation that does nothing leaves the doubts of the one before`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        try await dieMarked(fixture, dots: [0, 1])
        try await fixture.begin(try LocalJournal(directory: directory))
        await fixture.fleet.unregister(node: "node")
        let status = try await runNext(fixture, campaign, MailServer())
        #expect((status.counters.delivered, status.counters.inDoubtResent) == (3, 2))
    }

    @Test func `a batch that cannot be opened keeps no other from being taken up`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let local = try LocalJournal(directory: directory)
        try await fixture.begin(local)
        var campaigns: [CampaignID] = []
        var runs: [BatchRun] = []
        for _ in 0..<2 {
            campaigns.append(try await fixture.send(1))
            runs.append(try await fixture.claimRun("node"))
        }
        let groups = runs.map {
            JournalGroup(batch: $0.batch.id, epoch: $0.batch.epoch, entries: [JournalEntry(index: 0, kind: .intent)])
        }
        _ = try await fixture.store.append(node: "node", groups)
        await fixture.fleet.unregister(node: "node")
        _ = try await fixture.vault.destroyCampaignKey(fixture.account, campaigns[0])
        try await fixture.begin(local)
        await fixture.fleet.unregister(node: "node")
        #expect(try await fixture.progress(of: runs[1]) == [:])
    }

    @Test func `a node that could not begin gives its name back`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let local = try LocalJournal(directory: directory)
        try await fixture.records.owner.query("ALTER TABLE nodes RENAME TO hidden")
        await #expect(throws: PostgresError.self) { try await fixture.begin(local) }
        try await fixture.records.owner.query("ALTER TABLE hidden RENAME TO nodes")
        try await fixture.begin(local)
        await #expect(throws: NodeError.alreadyRunning) { try await fixture.begin(local) }
        await fixture.fleet.unregister(node: "node")
    }

    @Test func `places are used again, and hold the newest mark`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let marks = try LocalJournal(directory: directory).marks
        marks.begin("first")
        let large = BatchID(account: AccountID(rawValue: .max), campaign: CampaignID(rawValue: .max), number: .max)
        let small = BatchID(account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), number: 3)
        let first = marks.take()
        let second = marks.take()
        #expect(marks.mark(first, large, epoch: .max, index: .max))
        #expect(marks.mark(second, large, epoch: .max, index: 0))
        marks.giveBack(first)
        #expect(marks.mark(marks.take(), small, epoch: 4, index: 5))
        let found = try marks.marks(of: "first")
        #expect(
            found == [
                .init(batch: small, epoch: 4, index: 5), .init(batch: large, epoch: .max, index: 0),
            ])
        #expect(try marks.marks(of: "firs") == nil)
        marks.begin("next")
        #expect(try marks.marks(of: "next") == [])
    }

    @Test func `no final dot without a mark, unless the file is not believed`() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        // It can be opened, neither written nor emptied.
        try FileManager.default.createSymbolicLink(
            atPath: directory + "/final-dots", withDestinationPath: "/dev/full")
        let marks = try LocalJournal(directory: directory).marks
        let batch = BatchID(account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), number: 3)
        for _ in 0..<2 { #expect(!marks.mark(marks.take(), batch, epoch: 1, index: 0)) }
        // This incarnation's name is not in it.
        marks.begin("first")
        #expect(marks.mark(marks.take(), batch, epoch: 1, index: 0))
    }

    @Test func `no final dot is written after the lease`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(1)
        let claimed = try await fixture.claimRun("node")
        func run(leaseEnd: Double) -> BatchRun {
            BatchRun(
                claimed.batch, runtime: claimed.runtime, fingerprints: claimed.fingerprints, leaseEnd: leaseEnd,
                clock: .state(at: 0))
        }
        let late = run(leaseEnd: 0)
        // What is known of its other mails is still to be journalled.
        #expect(!FinalDot(of: late, 0, markedIn: nil).mayBeWritten() && late.stopReason == nil)
        let early = run(leaseEnd: 600)
        #expect(FinalDot(of: early, 0, markedIn: nil).mayBeWritten() && early.stopReason == nil)
    }
}
