import Campaigns
import MailTypes
import Postgres
import SMTPProtocol
import Synchronization
import TestDatabases
import TestPeers
import TestSupport
import Testing

@testable import Delivery

/// Campaigns go by the database's clock, whatever the node's own says.
struct DeliveryClockTests {
    @Test func `time is the database's once it is known, and goes on by the steady clock`() {
        let steady = Mutex(100.0)
        let clock = DeliveryClock(steady: { steady.withLock { $0 } }, wall: { 5_000_000 })
        #expect(clock.now == 5_000_000 && clock.databaseTime == nil)
        // Asked at 90, answered at 100: the database's clock was at 1,000 at some moment between.
        clock.heard(1_000, askedAt: 90)
        #expect(clock.now == 1_000)
        steady.withLock { $0 = 160 }
        #expect(clock.now == 1_060)
        // A quick answer narrows it, a slow one that does not contradict changes nothing.
        clock.heard(1_065, askedAt: 160)
        #expect(clock.now == 1_065)
        clock.heard(1_030, askedAt: 100)
        #expect(clock.now == 1_065)
        // Another server, or a clock that was set.
        clock.heard(400, askedAt: 160)
        #expect(clock.now == 400)
    }

    @Test func `a node whose clock is an hour ahead expires nothing`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, attempt in
            attempt == 1 ? .recipient(SMTPReply(452, EnhancedStatusCode("4.2.2"), "Mailbox full")) : .accept
        }
        let campaign = try await fixture.send(6)
        try await fixture.records.owner.query(
            "UPDATE campaigns SET expires_at = clock_timestamp() + interval '10 minutes'")
        let machine = DeliveryClock.system
        let clock = DeliveryClock(steady: machine.steady, wall: { machine.now + 3_600 })
        try await server.run { port in
            let running = RunningEngine(fixture.engine(port: port, clock: clock))
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.delivered, counters.expired) == (6, 0))
            try await running.drain()
        }
        #expect(abs(clock.now - machine.now) < 60)
    }
}
