import Foundation
import MailTypes
import Testing

@testable import Campaigns
@testable import Delivery

/// What a killed node leaves in its own files is taken up by its next life.
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
        let sealer = try await fixture.store.journalSealer(fixture.account, campaign)
        for (number, entry) in answered.enumerated() {
            // In both files, as when the node dies while a group is committed.
            if number == 1 { _ = local.turn() }
            local.append(
                run.batch.id, epoch: run.batch.epoch,
                sealed: try sealer.seal([entry], of: run.batch.id, epoch: run.batch.epoch))
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

    @Test func `a torn record is as if it had not been written`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(2)
        _ = try await die(fixture, campaign, answered: [Self.delivered(0), Self.delivered(1)])
        let path = directory + "/answers-1"
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(truncate(path, whole.count - 1) == 0)
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
        try await fixture.store.register(node: "node", recovering: try LocalJournal(directory: directory))
        await fixture.store.unregister(node: "node")
        #expect(try await fixture.counters(campaign).delivered == 0)
        // The other node goes on as it would have.
        let entries = [Self.delivered(0), Self.delivered(1)]
        let group = JournalGroup(batch: other.batch.id, epoch: other.batch.epoch, entries: entries)
        #expect(try await fixture.store.append(node: "other", [group]) == [other.batch.id: .held(.open)])
        #expect(try await fixture.counters(campaign).delivered == 2)
    }

    @Test func `files hold what is not committed and nothing else`() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(20)
        let status = try await runNext(fixture, campaign, MailServer())
        #expect(status.counters.delivered == 20)
        #expect(try LocalJournal(directory: directory).records().isEmpty)
    }
}
