import Campaigns
import CreditLedger
import Fleet
import MailTypes
import Postgres
import SMTPProtocol
import SMTPTransport
import Synchronization
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

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
            try await RunningEngine.with(engine, to: server) { _ in try await body(engine) }
        }
    }

    // MARK: Lanes

    @Test func `a suspended lane's mail waits and goes after the resume`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(2))
            #expect(try await engine.order(.suspend, lanes: "elsewhere", reason: "no") == [:])
            #expect(try await fixture.store.orders().isEmpty)
            // Shorter than a mail may wait for its lane: it waits here.
            let ended = try await engine.order(.suspend, lanes: "route", seconds: 10, reason: "maintenance")
            #expect(Array(ended.values) == [0])
            let campaign = try await fixture.send(5)
            try await eventually("the mail waits") { engine.status.lanes.first?.queued == 5 }
            let lane = try #require(engine.status.lanes.first)
            #expect((lane.state, lane.reason) == ("suspended", "maintenance"))
            #expect(engine.status.orders.map(\.action) == ["suspend"])
            #expect(engine.status.waitingMessages == 5)
            try await Task.sleep(for: .milliseconds(700))
            #expect(server.copies.count == 2)
            #expect(try await engine.resume(lanes: "route") == engine.status.lanes.map(\.name))
            try await fixture.end(of: campaign)
            #expect(server.copies.count == 5)
            let counts = engine.status.counts
            #expect((counts.delivered, counts.acceptedPlain, counts.deferred) == (7, 7, 0))
            #expect(counts.batchesClaimed == counts.batchesSettled)
            #expect(counts.journal.count > 0 && counts.journalEntries >= 14)
            #expect(engine.status.lanes.first?.accepted == 7)
            #expect(engine.status.lanes.first?.state == "open" && engine.status.orders.isEmpty)
        }
    }

    @Test func `the mail of a lane suspended for long goes back, and comes at once after the resume`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(1))
            // As another node would order it.
            #expect(try await fixture.store.give(.suspend, to: .lanes("route"), reason: "broken"))
            try await eventually("the node follows") { engine.status.lanes.first?.state == "suspended" }
            let campaign = try await fixture.send(4)
            try await eventually("the mail is back") { try await fixture.counters(campaign).deferred == 4 }
            try await eventually("no batch is at work") { engine.status.activeBatches == 0 }
            #expect(server.copies.count == 1)
            #expect(engine.status.counts.requeued == 4)
            // Brought back too early, it goes back again.
            try await fixture.store.recall()
            try await eventually("the mail is back again") { engine.status.counts.requeued == 8 }
            let start = ContinuousClock.now
            #expect(try await engine.resume(lanes: "route") == engine.status.lanes.map(\.name))
            try await fixture.end(of: campaign)
            #expect(ContinuousClock.now - start < .seconds(10))
        }
        #expect(server.copies.count == 4)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    /// Also where the drain ends before the mail would have waited too long.
    @Test(arguments: [nil, 240.0], [nil, 1e6])
    func `a draining lane sends what it has and takes nothing new`(seconds: Double?, rate: Double?) async throws {
        let fixture = try await DeliveryFixture.make()
        let isFirst = Mutex(true)
        let server = MailServer { _, _ in
            isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst ? .held : .accept
            }
        }
        try await fixture.records.pool.withConnection { connection in
            try await FleetStore.set(AccountShaping(rate: rate), for: fixture.account, on: connection)
        }
        let limits = LaneLimits(connections: 1, queueSeconds: seconds == nil ? 60 : 3_600)
        try await withEngine(fixture, server, { $0.laneLimits = limits }) { engine in
            let first = try await fixture.send(5, batchSize: 5)
            try await eventually("a mail is under way") { server.heldCount == 1 }
            let drained = try await engine.order(.drain, lanes: "route", seconds: seconds, reason: "leaving")
            #expect(Array(drained.values) == [0])
            #expect(engine.status.lanes.first?.state == "draining")
            let second = try await fixture.send(3)
            try await eventually("new mail goes back") { try await fixture.counters(second).deferred == 3 }
            server.release()
            try await fixture.end(of: first)
            #expect(server.copies.count == 5)
            // A lane that is made later obeys as well: the order is not the lane's.
            #expect(try await fixture.counters(second).delivered == 0)
            #expect(try await engine.resume(lanes: "route") == engine.status.lanes.map(\.name))
            try await fixture.end(of: second)
        }
    }

    @Test func `failing a lane ends what waits there, what waits for it and what comes, uncharged`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            try await fixture.end(of: try await fixture.send(1))
            // One campaign's mail waits in the store, another's in the lane.
            _ = try await engine.order(.suspend, lanes: "route", reason: "gone")
            let stored = try await fixture.send(3)
            try await eventually("the mail is back") { try await fixture.counters(stored).deferred == 3 }
            _ = try await engine.order(.suspend, lanes: "route", seconds: 10, reason: "gone")
            let campaign = try await fixture.send(6)
            try await eventually("the mail waits") { engine.status.lanes.first?.queued == 6 }
            #expect(
                try await engine.order(.fail, lanes: "route", seconds: 60, reason: "gone").values.map(\.self) == [6])
            #expect(engine.status.lanes.first?.state == "failing")
            let late = try await fixture.send(2)
            for (campaign, count) in [(stored, 3), (campaign, 6), (late, 2)] {
                let status = try await fixture.end(of: campaign)
                #expect(status.counters.bounced == count)
            }
            #expect(try await fixture.suppression(of: 1) == nil)
            #expect(engine.status.counts.bounced == 11)
            #expect(try await engine.resume(lanes: "route") == engine.status.lanes.map(\.name))
            try await fixture.end(of: try await fixture.send(1))
        }
        #expect(server.mails.count == 2)
        #expect(try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 2, held: 0, limit: 0))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `an order ends by itself, and a lane by several names obeys the strictest`() async throws {
        let orders = ActiveOrders([
            OperatorOrder(target: .lanes("gmail"), action: .drain, reason: "a", givenAt: 1, secondsLeft: 5),
            OperatorOrder(target: .lanes("mx.example"), action: .suspend, reason: "b", givenAt: 2),
            OperatorOrder(target: .lanes("other"), action: .fail, reason: "c", givenAt: 3),
        ])
        func lane(_ provider: String, _ hosts: String...) -> LaneID { LaneID(provider: provider, hosts: hosts) }
        let order = try #require(orders.order(for: lane("gmail", "mx.example", "mx2.example"), at: 100))
        #expect((order.action, order.reason, order.until) == (.suspend, "b", nil))
        let drain = try #require(orders.order(for: lane("gmail", "mx2.example"), at: 100))
        #expect((drain.action, drain.until) == (.drain, 105))
        #expect(orders.order(for: lane("default", "mx9.example"), at: 100) == nil)

        let fixture = try await DeliveryFixture.make()
        #expect(try await fixture.store.give(.suspend, to: .account(fixture.account), seconds: 0.3))
        let campaign = try await fixture.send(1)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).isEmpty)
        try await eventually("the order has ended") { try await fixture.store.orders().isEmpty }
        try await eventually("the mail is claimed") {
            try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first?.id.campaign == campaign
        }
    }

    // MARK: Accounts and campaigns

    @Test(arguments: [true, false])
    func `a suspended account's or campaign's mail stays in the store, on all nodes`(isAccount: Bool) async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        try await withEngine(fixture, server, { $0.laneLimits = LaneLimits(connections: 1) }) { engine in
            let campaign = try await fixture.send(12)
            let target =
                isAccount
                ? OperatorOrder.Target.account(fixture.account) : .campaign(fixture.account, campaign)
            try await eventually("a mail is under way") { server.heldCount == 1 }
            #expect(try await fixture.store.give(.suspend, to: target))
            await engine.refreshOrders()
            server.release()
            try await eventually("the batches are given back") { engine.status.activeBatches == 0 }
            let taken = server.copies.count
            #expect(taken < 12)
            try await eventually("no lease is left") { try await fixture.leases() == 0 }
            // Neither this engine nor another claims it, nor after something else came due.
            #expect(try await fixture.store.claim(node: "other", leaseSeconds: 5, limit: 8).isEmpty)
            let second = try await fixture.send(1)
            if isAccount {
                #expect(engine.status.accounts.map(\.isStopped) == [true])
                try await Task.sleep(for: .milliseconds(600))
                #expect(server.mails.count == taken)
            } else {
                // Another campaign of the account goes on.
                try await fixture.end(of: second)
            }
            #expect(try await fixture.store.lift(target))
            #expect(try await fixture.store.lift(target) == false)
            try await fixture.end(of: campaign)
            try await fixture.end(of: second)
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `suspended mail expires when its time comes`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await withEngine(fixture, server) { engine in
            #expect(try await fixture.store.give(.suspend, to: .account(fixture.account)))
            await engine.refreshOrders()
            let campaign = try await fixture.send(6)
            try await Task.sleep(for: .milliseconds(600))
            #expect(try await fixture.counters(campaign).pending == 6)
            try await fixture.expire(campaign)
            try await fixture.records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.expired == 6)
        }
        #expect(server.mails.isEmpty)
        #expect(try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits, held: 0, limit: 0))
    }

    @Test func `a draining account's mail at hand is sent, and nothing more is claimed`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        try await withEngine(
            fixture, server,
            {
                $0.laneLimits = LaneLimits(connections: 1); $0.activeBatches = 1
            }
        ) { engine in
            let campaign = try await fixture.send(12)
            try await eventually("a mail is under way") { server.heldCount == 1 }
            #expect(try await fixture.store.give(.drain, to: .account(fixture.account)))
            await engine.refreshOrders()
            server.release()
            try await eventually("the batch at hand has ended") { try await fixture.counters(campaign).delivered == 4 }
            try await Task.sleep(for: .milliseconds(600))
            #expect(server.mails.count == 4)
            #expect(try await fixture.store.lift(.account(fixture.account)))
            try await fixture.end(of: campaign)
        }
    }

    @Test func `a failed campaign's mail bounces, uncharged, and the account's fail takes all`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        try await withEngine(
            fixture, server,
            {
                $0.laneLimits = LaneLimits(connections: 1); $0.activeBatches = 2
            }
        ) { engine in
            let campaign = try await fixture.send(20)
            try await eventually("a mail is under way") { server.heldCount == 1 }
            // Over the only connection: the mail that is held was the last to start.
            let before = server.mails.count
            _ = try await fixture.service.fail(fixture.account, campaign)
            await #expect(throws: CampaignError.self) { try await fixture.service.fail(fixture.account, campaign) }
            // The next one may be ready: it goes for a moment.
            try await eventually("all others have ended") {
                try await fixture.counters(campaign).bounced == 20 - before
            }
            server.release()
            let status = try await fixture.end(of: campaign)
            let taken = server.mails.count
            #expect(taken == before)
            #expect(status.state == .cancelled && status.campaign.failedAt != nil)
            #expect((status.counters.delivered, status.counters.bounced) == (taken, 20 - taken))
            #expect(status.counters.cancelled == 0)
            #expect(try await fixture.suppression(of: 19) == nil)

            #expect(try await fixture.store.give(.suspend, to: .account(fixture.account)))
            let others = [try await fixture.send(3), try await fixture.send(5)]
            #expect(try await fixture.service.failAll(of: fixture.account).map(\.campaign.id) == others)
            for other in others {
                let counters = try await fixture.end(of: other).counters
                #expect(counters.bounced == counters.recipients)
            }
            #expect(
                try await fixture.balance()
                    == CreditBalance(posted: DeliveryFixture.credits - Int64(taken), held: 0, limit: 0))
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `there is nothing to order for what does not exist`() async throws {
        let fixture = try await DeliveryFixture.make()
        let none = AccountID(rawValue: 99)
        let campaign = try await fixture.send(1)
        #expect(try await fixture.store.give(.suspend, to: .account(none)) == false)
        #expect(try await fixture.store.give(.suspend, to: .campaign(none, campaign)) == false)
        _ = try await fixture.service.cancel(fixture.account, campaign)
        #expect(try await fixture.store.give(.drain, to: .campaign(fixture.account, campaign)) == false)
        #expect(try await fixture.store.orders().isEmpty)
    }

    // MARK: Looking

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
            #expect(heard.allSatisfy { $0.lane.hasPrefix("route 127.0.0.1:") && $0.host == "127.0.0.1" })
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
                try await fixture.fleet.nodes().map(\.name) == ["node"]
            }
            #expect(try await fixture.fleet.nodes().map(\.isAlive) == [true])
        }
        try await eventually("the node is gone") {
            let node = try #require(try await fixture.fleet.nodes().first)
            let batches = try await fixture.store.leasedBatches()
            return !node.isAlive && batches.isEmpty && node.startedSecondsAgo < 60
        }
    }
}
