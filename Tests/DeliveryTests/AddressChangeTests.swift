import Campaigns
import Logging
import MailTypes
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Synchronization
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// The DNS gives a site other addresses while mail waits in its lane.
struct AddressChangeTests {
    /// What keeps mail waiting in a lane that has no worker.
    enum Obstacle: CaseIterable, Sendable {
        /// The rate of the site.
        case rate
        /// No address answers, and the lane rests.
        case rest
        /// The node has no connection to spare.
        case budget
    }

    @Test(arguments: Obstacle.allCases)
    func `what waits when addresses change goes on waiting in the same lane`(_ obstacle: Obstacle) async throws {
        let sender = RecordingSender()
        let run = try BatchRun.sample(6)
        let server = MailServer()
        try await server.run { port in
            let budget = ConnectionBudget(obstacle == .budget ? 1 : 16)
            if obstacle == .budget { #expect(budget.take()) }
            let routing = SampleRouting(sender, budget) { $0.limit(obstacle) }
            func enqueue(_ positions: Range<Int>, to addresses: [String]) throws {
                let isDead = obstacle == .rest && addresses == ["127.0.0.2"]
                routing.enqueue(positions, of: run, to: try .sample(addresses, port: isDead ? 1 : port))
            }
            try enqueue(0..<4, to: [obstacle == .rest ? "127.0.0.2" : "127.0.0.1"])
            try await eventually("mail waits, and nobody carries it") {
                let lane = try #require(routing.lanes.all.first).snapshot
                return switch obstacle {
                case .rate: lane.workers == 0 && lane.queued == 3
                case .rest: lane.workers == 0 && sender.failed.count == 3 && lane.queued == 1
                case .budget: lane.workers == 0 && lane.queued == 4
                }
            }
            weak let lane = routing.lanes.all.first
            // Twelve addresses of which each look-up keeps others, with the living one among them.
            for turn in 2..<6 { try enqueue(0..<0, to: ["127.0.0.1", "127.0.0.\(turn)"]) }
            try enqueue(4..<6, to: ["127.0.0.1", "127.0.0.9"])
            #expect(routing.lanes.all.count == 1)
            #expect(routing.lanes.all.first === lane)
            if obstacle == .budget { budget.giveBack() }
            try await eventually("each mail is heard of") {
                routing.lanes.tick()
                return sender.heard == Set(0..<6)
            }
            #expect(sender.sent.count == (obstacle == .rate ? 1 : obstacle == .rest ? 3 : 6))
            #expect(lane != nil)
            await routing.end()
        }
    }

    @Test func `limits hold over all addresses that a site has had`() async throws {
        let sender = RecordingSender()
        let run = try BatchRun.sample(24)
        let server = MailServer { _, _ in .held }
        try await server.run { port in
            sender.delivers = true
            let routing = SampleRouting(sender) { $0.limit(nil) }
            for turn in 0..<6 {
                routing.enqueue(
                    turn * 4..<turn * 4 + 4, of: run,
                    to: try .sample(["127.0.0.1", "127.0.0.\(turn + 2)"], port: port))
                try await eventually("a mail is under way") { server.heldCount >= 1 }
                #expect(routing.lanes.all.map(\.snapshot.workers) == [1])
            }
            #expect(server.heldCount == 1)
            server.release()
            try await eventually("each mail is heard of") { sender.heard.count == 24 }
            await routing.end()
        }
    }

    @Test func `a lane that is closed gives back what it holds`() async throws {
        let sender = RecordingSender()
        let run = try BatchRun.sample(3)
        let budget = ConnectionBudget(1)
        #expect(budget.take())
        let routing = SampleRouting(sender, budget) { $0.limit(.budget) }
        routing.enqueue(0..<2, of: run, to: try .sample(["127.0.0.2"], port: 1))
        let lane = try #require(routing.lanes.all.first)
        await routing.end()
        #expect(sender.requeued.keys.sorted() == [0, 1])
        // And what somebody was about to put in, here or in a lane still to be made.
        lane.enqueue([QueuedMail(run: run, position: 2, queuedAt: 0)], of: AccountID(rawValue: 1))
        #expect(sender.requeued.keys.sorted() == [0, 1, 2])
    }
}

extension DeliveryConfiguration {
    fileprivate mutating func limit(_ obstacle: AddressChangeTests.Obstacle?) {
        laneLimits = LaneLimits(
            connections: 1, queueSeconds: obstacle == .rate ? 2 : 30,
            rate: obstacle == .rate ? MessageRate(1, per: .hour) : nil)
        governor.firstPauseSeconds = 2
    }
}
