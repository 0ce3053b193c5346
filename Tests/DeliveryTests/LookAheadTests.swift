import Campaigns
import MailTypes
import Synchronization
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// The mail that is made ready while its connection carries another.
struct LookAheadTests {
    /// Eight recipients and one connection: the first mail is accepted, which shows that the connection is quick, and the
    /// second is answered in this way. However slow the machine is, no time passes for the engine.
    private func withEngine(
        second answer: MailServer.Answer, _ body: (Scene) async throws -> Void
    ) async throws {
        let clock = TestClock()
        let fixture = try await DeliveryFixture.make()
        let count = Atomic(0)
        let server = MailServer { _, _ in
            count.wrappingAdd(1, ordering: .relaxed).newValue == 2 ? answer : .accept
        }
        try await server.run { port in
            let engine = fixture.engine(port: port, clock: clock.clock) { $0.laneLimits = LaneLimits(connections: 1) }
            let running = RunningEngine(engine)
            do {
                try await body(
                    Scene(
                        clock: clock, fixture: fixture, server: server, engine: engine, running: running,
                        campaign: try await fixture.send(Self.count, batchSize: Self.count)))
            } catch {
                server.release()
                try? await running.drain()
                throw error
            }
            server.release()
            try await running.drain()
        }
    }

    private static let count = 8

    private struct Scene {
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
            try await eventually("the third is ready") { engine.status.counts.journalEntries == 4 }
        }
    }

    @Test func `the intent of the next mail is committed while the connection carries another`() async throws {
        try await withEngine(second: .held) { scene in
            try await scene.waitForThird()
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
            #expect(scene.server.copies.values.allSatisfy { $0 == 1 })
        }
    }

    @Test func `a connection that breaks leaves what was ready to the next one`() async throws {
        try await withEngine(second: .silence) { scene in
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count)
            // The one that was under way, and no other.
            #expect(counters.inDoubtResent == 1)
            #expect(scene.server.copies.values.reduce(0, +) == Self.count + 1)
            #expect(try await scene.fixture.problemsOfBooks() == [])
        }
    }

    @Test func `what was ready stays with a node's batch when the node ends`() async throws {
        try await withEngine(second: .held) { scene in
            try await scene.waitForThird()
            await scene.running.beginDrain()
            try await eventually("the node ends") { scene.engine.status.isDraining }
            scene.server.release()
            try await scene.running.wait()
            #expect(scene.server.copies.count == 2)
            try await scene.fixture.withEngine("other", to: MailServer()) { _ in
                let counters = try await scene.fixture.end(of: scene.campaign).counters
                #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
            }
        }
    }

    @Test func `what was ready waits while its lane rests`() async throws {
        try await withEngine(second: .held) { scene in
            try await scene.waitForThird()
            let lane = try #require(scene.engine.status.lanes.first).name
            _ = try await scene.engine.order(.suspend, lanes: lane, seconds: 10, reason: "maintenance")
            scene.server.release()
            try await eventually("the second is answered") { scene.engine.status.counts.delivered == 2 }
            // Withdrawn, it is in the journal once more.
            try await eventually("the third waits") { scene.engine.status.counts.journalEntries == 6 }
            #expect(scene.engine.status.lanes.first?.queued == Self.count - 2)
            #expect(scene.server.attempts.count == 2)
            _ = try await scene.engine.resume(lanes: lane)
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == Self.count && counters.inDoubtResent == 0)
        }
    }

    @Test func `who is suppressed while a mail waits long for its connection is not dialled`() async throws {
        try await withEngine(second: .held) { scene in
            try await scene.waitForThird()
            for number in 0..<Self.count where scene.server.attempts[DeliveryFixture.address(number)] == nil {
                try await scene.fixture.suppress(number)
            }
            scene.clock.pass(seconds: 2)
            scene.server.release()
            let counters = try await scene.fixture.end(of: scene.campaign).counters
            #expect(counters.delivered == 2 && counters.suppressed == Self.count - 2)
            #expect(scene.server.attempts.count == 2)
        }
    }
}
