import Campaigns
import Logging
import MailTypes
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Synchronization
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
            let router = Router.sample(budget, obstacle)
            func enqueue(_ positions: Range<Int>, to addresses: [String]) throws {
                router.enqueue(
                    positions.map { Job(run: run, position: $0, queuedAt: .now) },
                    to: [try .sample(addresses, port: obstacle == .rest && addresses == ["127.0.0.2"] ? 1 : port)],
                    account: AccountID(rawValue: 1), sender: sender)
            }
            try enqueue(0..<4, to: [obstacle == .rest ? "127.0.0.2" : "127.0.0.1"])
            try await eventually("mail waits, and nobody carries it") {
                let lane = try #require(router.allLanes.first).snapshot
                return switch obstacle {
                case .rate: lane.workers == 0 && lane.queued == 3
                case .rest: lane.workers == 0 && sender.failed.count == 3 && lane.queued == 1
                case .budget: lane.workers == 0 && lane.queued == 4
                }
            }
            weak let lane = router.allLanes.first
            // Twelve addresses of which each look-up keeps others, with the living one among them.
            for turn in 2..<6 { try enqueue(0..<0, to: ["127.0.0.1", "127.0.0.\(turn)"]) }
            try enqueue(4..<6, to: ["127.0.0.1", "127.0.0.9"])
            #expect(router.allLanes.count == 1)
            #expect(router.allLanes.first === lane)
            if obstacle == .budget { budget.giveBack() }
            try await eventually("each mail is heard of") {
                router.shed()
                return sender.heard == Set(0..<6)
            }
            #expect(sender.sent.count == (obstacle == .rate ? 1 : obstacle == .rest ? 3 : 6))
            #expect(lane != nil)
            await router.shutdown()
        }
    }

    @Test func `limits hold over all addresses that a site has had`() async throws {
        let sender = RecordingSender()
        let run = try BatchRun.sample(24)
        let server = MailServer { _, _ in .held }
        try await server.run { port in
            sender.delivers = true
            let router = Router.sample(ConnectionBudget(64), nil)
            for turn in 0..<6 {
                router.enqueue(
                    (0..<4).map { Job(run: run, position: turn * 4 + $0, queuedAt: .now) },
                    to: [try .sample(["127.0.0.1", "127.0.0.\(turn + 2)"], port: port)],
                    account: AccountID(rawValue: 1), sender: sender)
                try await eventually("a mail is under way") { server.heldCount >= 1 }
                #expect(router.allLanes.map(\.snapshot.workers) == [1])
            }
            #expect(server.heldCount == 1)
            server.release()
            try await eventually("each mail is heard of") { sender.heard.count == 24 }
            await router.shutdown()
        }
    }

    @Test func `a lane that is closed gives back what it holds`() async throws {
        let sender = RecordingSender()
        let run = try BatchRun.sample(3)
        let budget = ConnectionBudget(1)
        #expect(budget.take())
        let router = Router.sample(budget, .budget)
        let jobs = (0..<3).map { Job(run: run, position: $0, queuedAt: .now) }
        router.enqueue(
            Array(jobs[..<2]), to: [try .sample(["127.0.0.2"], port: 1)], account: AccountID(rawValue: 1),
            sender: sender)
        let lane = try #require(router.allLanes.first)
        await router.shutdown()
        #expect(sender.postponed == [0, 1])
        // And what somebody was about to put in.
        lane.enqueue([jobs[2]])
        #expect(sender.postponed == [0, 1, 2])
    }
}

/// Notes what lanes do with mails.
final class RecordingSender: MailSender {
    private struct State {
        var sent: Set<Int> = []
        var failed: Set<Int> = []
        var postponed: Set<Int> = []
        var ended: Set<Int> = []
        var delivers = false
    }

    private let state = Mutex(State())
    var sent: Set<Int> { state.withLock(\.sent) }
    var failed: Set<Int> { state.withLock(\.failed) }
    var postponed: Set<Int> { state.withLock(\.postponed) }
    var heard: Set<Int> { state.withLock { $0.sent.union($0.failed).union($0.postponed).union($0.ended) } }
    /// Really sends the mails.
    var delivers: Bool {
        get { state.withLock(\.delivers) }
        set { state.withLock { $0.delivers = newValue } }
    }

    func settlesWithoutConnection(_ job: Job, waited: Bool) -> Bool {
        if waited { postpone(job, inSeconds: 60, awaitsResume: false) }
        return waited
    }

    func send(
        _ job: Job, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool
    ) async -> SendResult {
        if delivers {
            let envelope = SMTPEnvelope(
                reversePath: "a@shop.example", recipient: job.run.batch.records[job.position].address,
                needsSMTPUTF8: false, is8Bit: false, size: 20, requiresTLS: false)
            _ = await connection.deliver(
                envelope, OutgoingMessage(header: Array("Subject: a\r\n".utf8), content: Array("\r\nb\r\n".utf8)))
        }
        state.withLock { _ = $0.sent.insert(job.position) }
        return .answered(.accepted)
    }

    func fail(_ job: Job, failure: SMTPConnectFailure, provider: Provider) -> LaneAnswer {
        state.withLock { _ = $0.failed.insert(job.position) }
        return .broken
    }

    func postpone(_ job: Job, inSeconds: Double, awaitsResume: Bool) {
        state.withLock { _ = $0.postponed.insert(job.position) }
    }

    func giveUp(_ job: Job) { state.withLock { _ = $0.ended.insert(job.position) } }
}

extension Router {
    fileprivate static func sample(_ budget: ConnectionBudget, _ obstacle: AddressChangeTests.Obstacle?) -> Router {
        var configuration = DeliveryConfiguration(node: "n", heloName: "out.example.net")
        configuration.laneLimits = LaneLimits(
            connections: 1, queueSeconds: obstacle == .rate ? 2 : 30,
            rate: obstacle == .rate ? MessageRate(1, per: .hour) : nil)
        configuration.governor.firstPauseSeconds = 2
        return Router(
            configuration: configuration, budget: budget, resolver: nil, group: MultiThreadedEventLoopGroup.singleton,
            logger: .silent)
    }
}

extension Router.Site {
    fileprivate static func sample(_ addresses: [String], port: Int) throws -> Self {
        Router.Site(
            name: "acme mx.acme.example", provider: .relay(limits: LaneLimits()),
            targets: try addresses.map {
                SMTPTarget(host: "mx.acme.example", address: try #require(IPAddress($0)), port: port)
            })
    }
}
