import Campaigns
import CreditLedger
import Delivery
import Feedback
import Fleet
import MailTypes
import SMTPProtocol
import TestPeers
import TestSupport
import Testing
import TrafficShaping

/// What one node left, taken up by another or by its next life.
struct TakeoverTests {
    // MARK: From the journal

    /// A batch of four whose node died: one bounced, one deferred, one about to be sent, one untouched.
    ///
    /// - Parameter beforeDeath: what happens while the node has its lease.
    private static func leave(
        _ fixture: DeliveryFixture, finding: AddressFinding = .missing, beforeDeath: () async throws -> Void = {}
    ) async throws {
        let batch = try #require(try await fixture.store.claim(node: "dead", leaseSeconds: 60, limit: 1).first)
        let entries = [
            JournalEntry(index: 0, kind: .intent),
            JournalEntry(
                index: 0, kind: .outcome(.bounced), replyCode: 550, enhanced: EnhancedStatusCode("5.1.1"),
                text: "No such user", finding: finding),
            JournalEntry(index: 1, kind: .intent),
            JournalEntry(index: 1, kind: .deferred, replyCode: 451, text: "Later"),
            JournalEntry(index: 2, kind: .intent),
        ]
        _ = try await fixture.store.append(
            node: "dead", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        try await beforeDeath()
        try await fixture.endLeases(of: "dead")
    }

    @Test func `a dead node's journal decides who is mailed again`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(4, inDoubt: .resend)
        try await Self.leave(fixture)
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.bounced, counters.delivered, counters.inDoubtResent) == (1, 3, 1))
        }
        #expect(server.copies == Dictionary(uniqueKeysWithValues: (1..<4).map { (DeliveryFixture.address($0), 1) }))
        // The dead node had no time to suppress it.
        #expect(try await fixture.suppression(of: 0)?.reason == .hardBounce)
    }

    @Test func `a takeover suppresses nobody whom the first run did not find missing, whatever the reply says`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        try await Self.leave(fixture, finding: .nothing)
        try await fixture.withEngine(to: MailServer()) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect(counters.bounced == 1)
        }
        #expect(try await fixture.suppressions.count(fixture.account) == 0)
    }

    /// A receiver that takes each mail and never says so, and nodes that die in between.
    @Test(arguments: [0, 1, 2])
    func `a mail is sent again no more often than the operator wants, over retries and nodes`(_ resends: Int)
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .silence }
        let campaign = try await fixture.send(3, inDoubt: .resend)
        // The first copy is a dead node's, as far as anybody knows.
        let batch = try #require(try await fixture.store.claim(node: "dead", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(
            node: "dead",
            [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: [JournalEntry(index: 0, kind: .intent)])])
        try await fixture.endLeases(of: "dead")
        try await fixture.withEngine(to: server, { $0.inDoubtResends = resends }) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.inDoubt, counters.delivered) == (3, 0))
            #expect(counters.inDoubtResent == 3 * resends)
        }
        #expect(server.copies[DeliveryFixture.address(0)] ?? 0 == resends)
        for number in 1...2 { #expect(server.copies[DeliveryFixture.address(number)] == 1 + resends) }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a resend that a dead node had journalled is the last one`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .silence }
        let campaign = try await fixture.send(2, inDoubt: .resend)
        for (node, kinds) in [("a", [JournalEntry.Kind.intent]), ("b", [.inDoubtResend, .intent])] {
            let batch = try #require(try await fixture.store.claim(node: node, leaseSeconds: 60, limit: 1).first)
            let entries = kinds.map { JournalEntry(index: 0, kind: $0) }
            _ = try await fixture.store.append(
                node: node, [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
            try await fixture.endLeases(of: node)
        }
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.inDoubt, counters.inDoubtResent) == (2, 2))
        }
        #expect(server.copies == [DeliveryFixture.address(1): 2])
    }

    @Test func `a campaign that skips mails nobody in doubt`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(4, inDoubt: .skip)
        try await Self.leave(fixture)
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.bounced, counters.delivered, counters.inDoubt) == (1, 2, 1))
            #expect(counters.inDoubtResent == 0)
        }
        #expect(server.attempts[DeliveryFixture.address(2)] == nil)
    }

    @Test func `who is in doubt and cannot be mailed again ends in doubt`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(4, inDoubt: .resend)
        try await Self.leave(fixture)
        try await fixture.expire(campaign)
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            // The others have a last attempt.
            #expect((counters.bounced, counters.delivered, counters.inDoubt) == (1, 2, 1))
            #expect(counters.inDoubtResent == 0)
        }
        #expect(server.attempts[DeliveryFixture.address(2)] == nil)
    }

    @Test func `a doubt outlives the cancellation of its campaign`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(4, inDoubt: .resend)
        try await Self.leave(fixture) {
            _ = try await fixture.service.cancel(fixture.account, campaign)
        }
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.bounced, counters.cancelled, counters.inDoubt) == (1, 2, 1))
            #expect(counters.inDoubtResent == 0)
        }
        #expect(server.attempts == [:])
    }

    // MARK: Two nodes

    @Test func `two nodes share the work, and nobody has two mails`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(offersPipelining: false)
        let campaign = try await fixture.send(60, batchSize: 5)
        try await server.run { port in
            try await fixture.withEngine("a", port: port, { $0.activeBatches = 2 }) { _ in
                try await fixture.withEngine("b", port: port, { $0.activeBatches = 2 }) { _ in
                    let counters = try await fixture.end(of: campaign).counters
                    #expect((counters.delivered, counters.inDoubtResent) == (60, 0))
                }
            }
        }
        #expect(server.attempts.values.allSatisfy { $0 == 1 })
        #expect(server.copies.count == 60)
    }

    @Test func `a lease lasts as long as its node answers for it`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(offersPipelining: false) { _, _ in .held }
        let campaign = try await fixture.send(4)
        try await server.run { port in
            try await fixture.withEngine("slow", port: port, { $0.leaseSeconds = 1 }) { _ in
                try await eventually("a mail is under way") { server.heldCount > 0 }
                try await fixture.withEngine("other", port: port) { _ in
                    try await Task.sleep(for: .seconds(3))
                    server.release()
                    let counters = try await fixture.end(of: campaign).counters
                    #expect((counters.delivered, counters.inDoubtResent) == (4, 0))
                }
            }
        }
        #expect(server.attempts.values.allSatisfy { $0 == 1 })
    }

    @Test func `two processes cannot be one node`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await fixture.withEngine("a", to: server) { _ in
            let campaign = try await fixture.send(1)
            try await fixture.end(of: campaign)
            let second = fixture.engine("a", port: 1)
            await #expect(throws: NodeError.alreadyRunning) { try await second.run() }
        }
    }

    @Test func `when a node dies another finishes, and second copies are counted`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, attempt in
            // Some of the first answers come after the node's death.
            attempt == 1 && DeliveryFixture.addresses(24).firstIndex(of: address)?.isMultiple(of: 3) == true
                ? .held : .accept
        }
        let campaign = try await fixture.send(24)
        try await server.run { port in
            let dead = RunningEngine(fixture.engine("dead", port: port) { $0.leaseSeconds = 2 })
            try await eventually("mails are under way") { server.heldCount >= 2 }
            dead.kill()
            server.release()
            await dead.waitForDeath()
            let taken = server.copies.count
            #expect(try await fixture.counters(campaign).delivered < taken)
            try await fixture.withEngine("other", port: port) { _ in
                let status = try await fixture.end(of: campaign)
                #expect(status.counters.delivered == 24)
                let surplus = server.copies.values.reduce(0, +) - 24
                #expect(surplus > 0)
                #expect(surplus <= status.counters.inDoubtResent)
                #expect(Set(server.mails.map(\.messageID)).count == 24)
            }
        }
        #expect(server.copies.count == 24)
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 24)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a node that lost its lease starts no more mail`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, attempt in
            address == DeliveryFixture.address(0) && attempt == 1 ? .held : .accept
        }
        let campaign = try await fixture.send(6, batchSize: 6)
        try await server.run { port in
            let one: (inout DeliveryConfiguration) -> Void = {
                $0.laneLimits = LaneLimits(connections: 1)
                // One batch at work, so that it does not claim the lost one again.
                $0.activeBatches = 1
            }
            try await fixture.withEngine("slow", port: port, one) { slow in
                try await eventually("a mail is under way") { server.heldCount == 1 }
                try await fixture.endLeases(of: "slow")
                try await fixture.withEngine("quick", port: port) { _ in
                    let status = try await fixture.end(of: campaign)
                    #expect((status.counters.delivered, status.counters.inDoubtResent) == (6, 1))
                }
                server.release()
                try await slow.drain()
                #expect(
                    server.copies
                        == Dictionary(
                            uniqueKeysWithValues: DeliveryFixture.addresses(6).map {
                                ($0, $0 == DeliveryFixture.address(0) ? 2 : 1)
                            }))
            }
        }
    }
}
