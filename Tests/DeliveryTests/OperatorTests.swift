import Campaigns
import CreditLedger
import Delivery
import MailTypes
import Postgres
import SMTPProtocol
import SMTPTransport
import Synchronization
import Testing
import TrafficShaping

/// What an operator does to a running engine.
struct OperatorTests {
    /// Runs `body` beside an engine whose every mail goes to the server.
    private func withEngine(
        _ fixture: DeliveryFixture, _ server: MailServer,
        _ adjust: (inout DeliveryConfiguration) -> Void = { _ in },
        _ body: (DeliveryEngine) async throws -> Void
    ) async throws {
        try await server.run { port in
            let engine = fixture.engine(port: port, adjust)
            let running = RunningEngine(engine)
            do {
                try await body(engine)
            } catch {
                server.release()
                try? await running.drain()
                throw error
            }
            server.release()
            try await running.drain()
        }
    }

    @Test func `a held lane's mail waits and goes after the resume`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(2))
            #expect(engine.hold(lanes: "elsewhere", seconds: nil, reason: "no").isEmpty)
            // Shorter than a mail may wait for its lane: it waits here.
            #expect(engine.hold(lanes: "route", seconds: 10, reason: "maintenance") == ["route"])
            let campaign = try await fixture.send(5)
            try await eventually("the mail waits") { engine.status.lanes.first?.queued == 5 }
            let lane = try #require(engine.status.lanes.first)
            #expect((lane.state, lane.reason) == ("held", "maintenance"))
            #expect(engine.status.waitingMails == 5)
            try await Task.sleep(for: .milliseconds(700))
            #expect(server.copies.count == 2)
            #expect(engine.resume(lanes: "route") == ["route"])
            try await fixture.end(of: campaign)
            #expect(server.copies.count == 5)
            let counts = engine.status.counts
            #expect((counts.delivered, counts.acceptedPlain, counts.deferred) == (7, 7, 0))
            #expect(counts.batchesClaimed == counts.batchesSettled)
            #expect(counts.journal.count > 0 && counts.journalEntries >= 14)
            #expect(engine.status.lanes.first?.accepted == 7)
        }
    }

    @Test func `the mail of a lane held for long goes back to the store and still arrives`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(1))
            #expect(engine.hold(lanes: "route", seconds: nil, reason: "broken") == ["route"])
            let campaign = try await fixture.send(4)
            try await eventually("the mail is back") { try await fixture.counters(campaign).deferred == 4 }
            try await eventually("no batch is held") { engine.status.activeBatches == 0 }
            #expect(server.copies.count == 1)
            #expect(engine.status.counts.postponed == 4)
            _ = engine.resume(lanes: "route")
            try await fixture.records.owner.query("UPDATE batches SET due_at = clock_timestamp() WHERE state = 1")
            try await fixture.records.owner.query(
                "SELECT enqueue_account(\(fixture.account.rawValue), clock_timestamp())")
            try await fixture.end(of: campaign)
        }
    }

    @Test func `a held account's mail stays in the store, on all nodes`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, _ in address == DeliveryFixture.address(2) ? .held : .accept }
        try await withEngine(fixture, server, { $0.laneLimits = LaneLimits(connections: 1) }) { engine in
            let campaign = try await fixture.send(12)
            try await eventually("a mail is under way") { server.heldCount == 1 }
            #expect(try await engine.hold(account: fixture.account))
            server.release()
            try await eventually("the batches are given back") { engine.status.activeBatches == 0 }
            let taken = server.copies.count
            #expect(taken < 12)
            try await eventually("no lease is left") { try await fixture.leases() == 0 }
            #expect(engine.status.accounts.map(\.isHeld) == [true])
            // Neither this engine nor another claims it, nor after something else came due.
            #expect(try await fixture.store.claim(node: "other", leaseSeconds: 5, limit: 8).isEmpty)
            let second = try await fixture.send(1)
            try await Task.sleep(for: .milliseconds(600))
            #expect(server.copies.count == taken)
            #expect(try await engine.resume(account: fixture.account))
            #expect(try await engine.resume(account: fixture.account) == false)
            try await fixture.end(of: campaign)
            try await fixture.end(of: second)
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `there is no account to hold but those that exist`() async throws {
        let fixture = try await DeliveryFixture.make()
        #expect(try await fixture.store.hold(account: AccountID(rawValue: 99)) == false)
        #expect(try await fixture.store.hold(account: fixture.account))
        #expect(try await fixture.store.hold(account: fixture.account))
        #expect(try await fixture.store.heldAccounts() == [fixture.account])
    }

    @Test func `failing a lane ends what waits there, uncharged and not suppressed`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(1))
            _ = engine.hold(lanes: "route", seconds: 10, reason: "gone")
            let campaign = try await fixture.send(6)
            try await eventually("the mail waits") { engine.status.lanes.first?.queued == 6 }
            #expect(engine.fail(lanes: "route") == ["route": 6])
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.bounced == 6)
            #expect(try await fixture.suppression(of: 3) == nil)
            #expect(engine.status.counts.bounced == 6)
        }
        #expect(server.copies.count == 1)
        #expect(try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 1, held: 0, limit: 0))
    }

    @Test func `a trace shows the talk and nobody's name`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, _ in
            address == DeliveryFixture.address(1)
                ? .recipient(SMTPReply(550, EnhancedStatusCode("5.1.1"), "<\(address)> PERSON1 is unknown")) : .accept
        }
        try await withEngine(fixture, server) { engine in
            // Before there is a lane; another listener for another site hears nothing.
            let lines = Mutex<[SMTPTraceLine]>([])
            let others = Mutex(0)
            let reader = Task { [trace = engine.trace(lanes: "route")] in
                for await line in trace { lines.withLock { $0.append(line) } }
            }
            let other = Task { [trace = engine.trace(lanes: "mx.example.com")] in
                for await _ in trace { others.withLock { $0 += 1 } }
            }
            try await fixture.end(of: try await fixture.send(2, text: "A private word."))
            try await eventually("the refusal is heard") {
                lines.withLock { $0.contains { $0.text == "550 5.1.1 <***@example.org> *** is unknown" } }
            }
            let heard = lines.withLock { $0 }
            #expect(heard.allSatisfy { $0.lane == "route" && $0.host == "127.0.0.1" })
            let sent = heard.filter { $0.direction == .sent }.map(\.text)
            #expect(sent.contains("EHLO out.example.net"))
            #expect(sent.contains("RCPT TO:<***@example.org>"))
            #expect(sent.contains { $0.hasPrefix("MAIL FROM:<***@bounce.shop.example>") })
            #expect(heard.contains { $0.direction == .note && $0.text.hasPrefix("content of ") })
            let all = heard.map(\.text).joined(separator: "\n").lowercased()
            #expect(!all.contains("person") && !all.contains("private word") && !all.contains("b-"))
            #expect(others.withLock { $0 } == 0)
            reader.cancel()
            other.cancel()
            _ = await (reader.value, other.value)
            // Nobody listens any more: nothing is written down.
            let count = lines.withLock(\.count)
            try await fixture.end(of: try await fixture.send(1))
            #expect(lines.withLock(\.count) == count)
        }
    }

    @Test func `nodes are alive while they run`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await withEngine(fixture, MailServer()) { _ in
            try await eventually("the node is listed") {
                try await NodeListing.nodes(fixture.records.pool).map(\.name) == ["node"]
            }
            #expect(try await NodeListing.nodes(fixture.records.pool).map(\.isAlive) == [true])
        }
        try await eventually("the node is gone") {
            let node = try #require(try await NodeListing.nodes(fixture.records.pool).first)
            return !node.isAlive && node.batches == 0 && node.startedSecondsAgo < 60
        }
    }
}
