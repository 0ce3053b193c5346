import Campaigns
import CreditLedger
import Delivery
import MailTypes
import Postgres
import SMTPProtocol
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping

/// What stops an engine or a campaign half-way, and what goes on afterwards.
struct SteeringTests {
    private static func oneAtATime(_ configuration: inout DeliveryConfiguration) {
        configuration.laneLimits = LaneLimits(connections: 1)
    }

    private static func onceEach(_ count: Int) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: DeliveryFixture.addresses(count).map { ($0, 1) })
    }

    // MARK: Shutdown

    @Test func `a drained engine gives back what it has not sent, and another sends it`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        let campaign = try await fixture.send(12)
        try await server.run { port in
            try await fixture.withEngine("first", port: port, Self.oneAtATime) { engine in
                try await eventually("a mail is under way") { server.heldCount == 1 }
                await engine.beginDrain()
                try await Task.sleep(for: .milliseconds(200))
                server.release()
                try await engine.wait()
            }
            // The mail that was under way counts; nothing else has started; no lease is left to wait for.
            let taken = server.copies.count
            #expect(taken < 12)
            let counters = try await fixture.counters(campaign)
            #expect((counters.delivered, counters.pending) == (taken, 12 - taken))
            #expect(try await fixture.leases() == 0)
            try await fixture.withEngine("second", port: port) { _ in
                let status = try await fixture.end(of: campaign)
                #expect((status.counters.delivered, status.counters.inDoubtResent) == (12, 0))
            }
        }
        #expect(server.copies == Self.onceEach(12))
        #expect(server.attempts == Self.onceEach(12))
        #expect(
            try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 12, held: 0, limit: 0))
    }

    @Test func `a drain cuts off who does not answer in time`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .held }
        let campaign = try await fixture.send(2)
        try await server.run { port in
            try await fixture.withEngine(port: port, { $0.drainSeconds = 1 }) { engine in
                try await eventually("a mail is under way") { server.heldCount > 0 }
                let start = ContinuousClock.now
                try await engine.drain()
                #expect(ContinuousClock.now - start < .seconds(10))
            }
            server.release()
            let cutOff = server.copies.count
            try await fixture.withEngine(port: port) { _ in
                let status = try await fixture.end(of: campaign)
                #expect((status.counters.delivered, status.counters.inDoubtResent) == (2, cutOff))
            }
        }
    }

    @Test func `a cancelled engine ends at once, whoever does not answer`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .held }
        _ = try await fixture.send(8)
        try await server.run { port in
            let engine = RunningEngine(fixture.engine(port: port))
            try await eventually("a mail is under way") { server.heldCount > 0 }
            let start = ContinuousClock.now
            let release = Task {
                try await Task.sleep(for: .seconds(10))
                server.release()
            }
            engine.kill()
            await engine.waitForDeath()
            #expect(ContinuousClock.now - start < .seconds(5))
            release.cancel()
        }
    }

    // MARK: Pause and cancellation

    @Test func `a paused campaign rests, and goes on where it was`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        let campaign = try await fixture.send(9)
        try await fixture.withEngine(to: server, Self.oneAtATime) { _ in
            try await eventually("a mail is under way") { server.heldCount == 1 }
            _ = try await fixture.service.pause(fixture.account, campaign)
            server.release()
            try await eventually("the batches are given back") { try await fixture.leases() == 0 }
            let taken = server.attempts.count
            #expect(taken < 9)
            try await Task.sleep(for: .milliseconds(500))
            #expect(server.attempts.count == taken)
            let paused = try await fixture.counters(campaign)
            #expect((paused.delivered, paused.pending) == (taken, 9 - taken))
            _ = try await fixture.service.resume(fixture.account, campaign)
            let status = try await fixture.end(of: campaign)
            #expect((status.counters.delivered, status.counters.inDoubtResent) == (9, 0))
        }
        #expect(server.copies == Self.onceEach(9))
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 9)
    }

    @Test func `a cancelled campaign returns exactly what it has not used`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer.holdingThird()
        let campaign = try await fixture.send(20)
        try await fixture.withEngine(
            to: server,
            {
                $0.laneLimits = LaneLimits(connections: 1); $0.activeBatches = 2
            }
        ) { _ in
            try await eventually("a mail is under way") { server.heldCount == 1 }
            _ = try await fixture.service.cancel(fixture.account, campaign)
            server.release()
            let status = try await fixture.end(of: campaign)
            let taken = server.copies.count
            #expect(taken < 9)
            #expect(status.state == .cancelled)
            #expect((status.counters.delivered, status.counters.cancelled) == (taken, 20 - taken))
            #expect(
                try await fixture.balance()
                    == CreditBalance(posted: DeliveryFixture.credits - Int64(taken), held: 0, limit: 0))
        }
        #expect(server.attempts.count == server.copies.count)
        #expect(server.copies.values.allSatisfy { $0 == 1 })
        #expect(try await fixture.problemsOfBooks() == [])
    }

    // MARK: Bounds

    @Test func `a node holds no more batches than it may, however slowly they start`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(12, batchSize: 1)
        try await fixture.withEngine(to: server, { $0.activeBatches = 2 }) { _ in
            try await fixture.records.owner.withTransaction { connection in
                try await connection.query("LOCK TABLE campaign_content")
                try await eventually("batches are claimed") { try await fixture.leases() > 0 }
                // Time for some rounds of claiming.
                try await Task.sleep(for: .milliseconds(800))
                #expect(try await fixture.leases() <= 2)
            }
            #expect(try await fixture.end(of: campaign).counters.delivered == 12)
        }
    }
}
