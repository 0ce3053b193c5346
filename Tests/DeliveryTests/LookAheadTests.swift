import Campaigns
import MailTypes
import Synchronization
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Mails that are ready before a connection is free for them, and what a server is told of meanwhile.
struct LookAheadTests {
    /// Whether the connection's server knows of the third mail, which is ready, while it decides on the second.
    enum Third: Sendable, CaseIterable {
        case waits, isAnnounced
    }

    /// Eight recipients and one connection: the first mail is accepted, which shows that the connection is quick, and the
    /// second is answered in this way. However slow the machine is, no time passes for the engine.
    private func withEngine(
        second answer: MailServer.Answer, _ third: Third, _ body: (Scene) async throws -> Void
    ) async throws {
        let second: MailServer.Answer = third == .waits ? answer : .heldAtRecipient(then: answer)
        try await withEngine(connections: 1, sending: Self.count, third, { $0 == 2 ? second : .accept }, body)
    }

    /// - Parameter script: by the number of the mail that comes.
    private func withEngine(
        connections: Int, sending count: Int, _ third: Third,
        _ script: @escaping @Sendable (Int) -> MailServer.Answer, _ body: (Scene) async throws -> Void
    ) async throws {
        let clock = TestClock()
        let fixture = try await DeliveryFixture.make()
        let come = Atomic(0)
        let server = MailServer(offersPipelining: third == .isAnnounced) { _, _ in
            script(come.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        try await server.run { port in
            let engine = fixture.engine(port: port, clock: clock.clock) {
                $0.laneLimits = LaneLimits(connections: connections)
            }
            try await RunningEngine.with(engine, to: server) { running in
                try await body(
                    Scene(
                        third: third, clock: clock, fixture: fixture, server: server, engine: engine, running: running,
                        campaign: try await fixture.send(count, batchSize: count)))
            }
        }
    }

    private static let count = 8

    private struct Scene {
        let third: Third
        let clock: TestClock
        let fixture: DeliveryFixture
        let server: MailServer
        let engine: DeliveryEngine
        let running: RunningEngine
        let campaign: CampaignID

        /// The second mail waits for its answer, and the intent of the third is committed: intent and outcome of the first,
        /// and two intents.
        func waitForThird() async throws {
            try await eventually("the second mail is under way") { server.heldCount == 1 }
            try await eventually("the intent of the third is committed") { engine.status.counts.journalEntries == 4 }
            try await eventually("the third is ready") {
                engine.lanes.all.contains { $0.state.withLock(\.ready.waitingCount) == 1 }
            }
            guard third == .isAnnounced else { return }
            // Its commands come with the content that the server asks for now.
            server.releaseHeld()
            try await eventually("the second mail has come") { server.mails.count >= 2 }
        }

        /// The intent of the third is taken back.
        func waitForWithdrawal() async throws {
            try await eventually("the third is not ready any more") { engine.status.counts.journalEntries == 5 }
        }

        /// The third mail may have been named, but only the first two have come.
        func expectTwo() {
            #expect(server.mails.count == 2)
            #expect(server.attempts.count == (third == .waits ? 2 : 3))
        }

        var lane: LaneReport {
            get throws { try #require(engine.status.lanes.first) }
        }
    }

    // MARK: Ready

    @Test(arguments: Third.allCases)
    func `the intent of the next mail is committed while the connection carries another`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            #expect(try scene.lane.queued == Self.count - 2)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
            #expect(scene.server.copies.values.allSatisfy { $0 == 1 })
        }
    }

    @Test(arguments: Third.allCases)
    func `no mail waits behind one that hangs`(third: Third) async throws {
        // Both connections are quick, and then one hangs.
        try await withEngine(connections: 2, sending: 24, third, { $0 == 6 ? .held : .accept }) { scene in
            try await eventually("one hangs") { scene.server.heldCount == 1 }
            // Longer than a mail may stay announced behind it.
            scene.clock.pass(seconds: 0.3)
            try await eventually("all others are delivered") { scene.engine.status.counts.delivered == 23 }
            #expect(scene.server.heldCount == 1)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == 24 && counters.inDoubtResent == 0)
            #expect(scene.server.copies.values.allSatisfy { $0 == 1 })
        }
    }

    // MARK: Put back

    @Test(arguments: Third.allCases)
    func `what is ready does not stay so while all connections hang`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            scene.clock.pass(seconds: 0.3)
            try await scene.waitForWithdrawal()
            #expect(try scene.lane.queued == Self.count - 2)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
        }
    }

    @Test(arguments: Third.allCases)
    func `a cancelled campaign gives back what is ready while all connections hang`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            _ = try await scene.fixture.service.cancel(scene.fixture.account, scene.campaign)
            try await scene.waitForWithdrawal()
            try await eventually("nothing waits") { try scene.lane.queued == 0 }
            scene.clock.pass(seconds: 1)
            try await eventually("what is not on the wire has ended") {
                try await scene.fixture.counters(scene.campaign).cancelled == Self.count - 2
            }
            #expect(scene.server.heldCount == 1)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect((counters.delivered, counters.cancelled, counters.inDoubt) == (2, Self.count - 2, 0))
            scene.expectTwo()
            #expect(try await scene.fixture.problemsOfBooks() == [])
        }
    }

    @Test(arguments: Third.allCases)
    func `what is ready ends with its lane's queue where the operator wants no more of it`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            let lane = try scene.lane.name
            let ended = try await scene.engine.order(.fail, lanes: lane, seconds: 60, reason: "gone")
            #expect(ended == [lane: Self.count - 2])
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect((counters.delivered, counters.bounced) == (2, Self.count - 2))
            scene.expectTwo()
        }
    }

    @Test(arguments: Third.allCases)
    func `what is ready waits while its lane rests`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            let lane = try scene.lane.name
            _ = try await scene.engine.order(.suspend, lanes: lane, seconds: 10, reason: "maintenance")
            try await scene.waitForWithdrawal()
            scene.server.release()
            try await eventually("the second is answered") { scene.engine.status.counts.delivered == 2 }
            #expect(try scene.lane.queued == Self.count - 2)
            scene.expectTwo()
            _ = try await scene.engine.resume(lanes: lane)
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
        }
    }

    @Test(arguments: Third.allCases)
    func `what operators send back is sent back ready or not`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            #expect(scene.engine.empty(lanes: try scene.lane.name).count == 1)
            #expect(try scene.lane.queued == 0)
            try await eventually("the third is taken back, and all have gone back") {
                scene.engine.status.counts.journalEntries == 5 + Self.count - 2
            }
            scene.server.release()
            scene.clock.pass(seconds: 60)
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
        }
    }

    @Test(arguments: Third.allCases)
    func `a connection that breaks leaves what was ready to the next one`(third: Third) async throws {
        try await withEngine(second: .silence, third) { scene in
            if third == .isAnnounced { try await scene.waitForThird() }
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count)
            // The one that was under way, and no other.
            #expect(counters.inDoubtResent == 1)
            #expect(scene.server.copies.values.reduce(0, +) == Self.count + 1)
            #expect(try await scene.fixture.problemsOfBooks() == [])
        }
    }

    @Test(arguments: Third.allCases)
    func `what was ready stays with a node's batch when the node ends`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            await scene.running.beginDrain()
            try await eventually("the node ends") { scene.engine.status.isDraining }
            try await scene.waitForWithdrawal()
            scene.server.release()
            try await scene.running.wait()
            #expect(scene.server.copies.count == 2)
            try await scene.fixture.withEngine("other", to: MailServer()) { _ in
                let counters = try await scene.fixture.end(of: scene.campaign).counters
                #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
            }
        }
    }

    @Test(arguments: Third.allCases)
    func `who is suppressed while a mail waits long for its connection is not dialled`(third: Third) async throws {
        try await withEngine(second: .held, third) { scene in
            try await scene.waitForThird()
            for number in 0..<Self.count where scene.server.attempts[DeliveryFixture.address(number)] == nil {
                try await scene.fixture.suppress(number)
            }
            scene.clock.pass(seconds: 0.3)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == 2 && counters.suppressed == Self.count - 2)
            scene.expectTwo()
        }
    }

}
