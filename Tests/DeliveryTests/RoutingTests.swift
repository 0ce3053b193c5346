import Campaigns
import DNSResolution
import MailTypes
import SMTPTransport
import Synchronization
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Which lane a mail takes.
struct RoutingTests {
    // MARK: Names

    @Test func `a lane goes by each of its names, whatever its mail demands`() {
        let lane = LaneID(
            provider: "acme of old", hosts: ["a.example", "b.example"],
            demands: ["REQUIRETLS", "a.example=verified b.example=verified"], source: "192.0.2.1")
        let site = "a.example,b.example (REQUIRETLS a.example=verified b.example=verified)"
        #expect(lane.site == site)
        #expect("\(lane)" == "acme of old \(site) from 192.0.2.1")
        for pattern in [
            "\(lane)", site, "\(site) from 192.0.2.1", "acme of old \(site)", "acme of old", "a.example", "b.example",
        ] {
            #expect(lane.matches(pattern), "\(pattern)")
        }
        for pattern in [
            "", "acme", "example", "(REQUIRETLS", "192.0.2.1", "b.example=verified", "route", "a.example:25",
        ] {
            #expect(!lane.matches(pattern), "\(pattern)")
        }
    }

    @Test(arguments: ["smtp.example.net", "192.0.2.7", "2001:db8::1"])
    func `a smarthost's lane goes by route, by its host and by its host and port`(host: String) {
        let text = host.contains(":") ? "[\(host)]:587" : "\(host):587"
        for provider in ["route", "relays"] {
            let lane = LaneID(provider: provider, hosts: [host], port: 587)
            #expect("\(lane)" == "\(provider) \(text)")
            for pattern in ["route", "route \(text)", text, host, provider, "\(lane)"] {
                #expect(lane.matches(pattern), "\(pattern)")
            }
            for pattern in ["587", "\(host):25", "route 587"] { #expect(!lane.matches(pattern), "\(pattern)") }
        }
    }

    // MARK: Loops

    private static func host(_ name: String, _ preference: Int, _ address: String) throws -> MailHost {
        MailHost(
            name: name, preference: preference, addresses: [try #require(IPAddress(address))], isRouteSecure: false,
            areAddressesSecure: false, canonicalName: nil)
    }

    @Test func `mail leads to hosts that are preferred to this machine, and never to it`() throws {
        let ours: Set = [try #require(IPAddress("192.0.2.1"))]
        let hosts = [
            try Self.host("mx1.example", 10, "192.0.2.8"), try Self.host("out.example.net", 10, "192.0.2.9"),
            try Self.host("mx3.example", 20, "192.0.2.7"), try Self.host("here.example", 20, "192.0.2.1"),
            try Self.host("mx5.example", 30, "192.0.2.6"),
        ]
        // A host of this machine's name with another address is another host.
        #expect(
            try DestinationResolver.withoutOurselves(hosts, ours).map(\.name) == ["mx1.example", "out.example.net"])
        #expect(try DestinationResolver.withoutOurselves(hosts, []).count == 5)
        let loop = #expect(throws: RoutingFailure.self) {
            try DestinationResolver.withoutOurselves(Array(hosts[2...]), ours)
        }
        #expect(loop?.enhanced == EnhancedStatusCode("5.4.6") && loop?.isPermanent == true)
    }

    // MARK: Sources

    private static func pool(_ addresses: String...) -> [String: SourcePool] {
        [
            "default": SourcePool(
                name: "default",
                sources: addresses.map { MailSource(address: $0, heloName: "out.example.net", pool: "default") })
        ]
    }

    @Test func `what waits for a source that a reply tells to rest leaves by another at once`() async throws {
        // The first source that is told to rest is out for six hours.
        let blocked = Mutex<String?>(nil)
        let sender = RecordingSender { _, source in
            let isBlocked = blocked.withLock { blocked in
                if blocked == nil { blocked = source }
                return blocked == source
            }
            return isBlocked ? .refused(.rotateSource(seconds: 21_600), code: 550, nil) : .accepted
        }
        let run = try BatchRun.sample(60)
        let server = MailServer()
        try await server.run { port in
            let routing = SampleRouting(sender) { configuration in
                configuration.sources = Self.pool("127.0.0.2", "127.0.0.3")
                configuration.laneLimits = LaneLimits(connections: 2)
            }
            routing.enqueue(0..<60, of: run, to: try .sample(["127.0.0.1"], port: port))
            try await eventually("all are sent") { sender.sent.count == 60 }
            #expect(sender.requeued.isEmpty)
            #expect(routing.lanes.all.count == 2)
            await routing.end()
        }
    }

    @Test func `where all sources rest mail comes back with the first of them`() async throws {
        let sender = RecordingSender { _, source in
            .refused(.rotateSource(seconds: source == "127.0.0.2" ? 100 : 21_600), code: 550, nil)
        }
        let run = try BatchRun.sample(40)
        let server = MailServer()
        try await server.run { port in
            let routing = SampleRouting(sender) { configuration in
                configuration.sources = Self.pool("127.0.0.2", "127.0.0.3")
                configuration.laneLimits = LaneLimits(connections: 1)
            }
            routing.enqueue(0..<40, of: run, to: try .sample(["127.0.0.1"], port: port))
            try await eventually("each is heard of") { sender.heard.count == 40 }
            #expect(sender.sent.count < 6)
            #expect(sender.requeued.values.allSatisfy { $0 < 300 }, "\(sender.requeued)")
            await routing.end()
        }
    }

    @Test func `a recipient's mail keeps its source`() async throws {
        let sources = Mutex<[Int: Set<String>]>([:])
        let sender = RecordingSender { position, source in
            sources.withLock { _ = $0[position, default: []].insert(source) }
            return .refused(.markMailbox, code: 451, nil)
        }
        let run = try BatchRun.sample(20)
        let server = MailServer()
        try await server.run { port in
            let routing = SampleRouting(sender) {
                $0.sources = Self.pool("127.0.0.2", "127.0.0.3", "127.0.0.4")
            }
            for _ in 0..<4 {
                routing.enqueue(0..<20, of: run, to: try .sample(["127.0.0.1"], port: port))
                try await eventually("nothing waits") {
                    routing.lanes.all.allSatisfy { $0.snapshot.queued == 0 && $0.snapshot.workers == 0 }
                }
            }
            await routing.end()
        }
        let seen = sources.withLock { $0 }
        #expect(seen.count == 20 && seen.values.allSatisfy { $0.count == 1 })
        #expect(Set(seen.values.flatMap(\.self)).count == 3)
    }

    @Test func `a lane that is made while the node ends gives its mail back`() async throws {
        let sender = RecordingSender()
        let routing = SampleRouting(sender)
        await routing.end()
        routing.enqueue(0..<3, of: try BatchRun.sample(3), to: try .sample(["127.0.0.1"], port: 25))
        #expect(sender.requeued == [0: 0, 1: 0, 2: 0])
    }

    // MARK: Chance

    /// The recipients whose mail came by the first of two smarthosts.
    private static func byTheFirst(_ seed: UInt64) async throws -> Set<String> {
        let sender = RecordingSender()
        sender.delivers = true
        let run = try BatchRun.sample(60)
        let (first, second) = (MailServer(), MailServer())
        try await first.run { one in
            try await second.run { other in
                let routing = SampleRouting(sender, dice: .seeded(seed)) { configuration in
                    configuration.smarthosts = [
                        Smarthost(host: "127.0.0.1", port: one), Smarthost(host: "127.0.0.1", port: other),
                    ]
                }
                routing.dispatcher.enqueue(
                    (0..<60).map { QueuedMail(run: run, position: $0, queuedAt: routing.lanes.now()) },
                    to: routing.dispatcher.smarthosts.way(of: try DomainName("example.org")).smarthosts)
                try await eventually("all are sent") { sender.sent.count == 60 }
                await routing.end()
            }
        }
        return Set(first.copies.keys)
    }

    @Test func `the same dice lead the same mails to the same smarthosts`() async throws {
        let once = try await Self.byTheFirst(1)
        #expect((10..<50).contains(once.count))
        #expect(try await Self.byTheFirst(1) == once)
        #expect(try await Self.byTheFirst(2) != once)
    }

    // MARK: Gates

    /// So many connections for all lanes, in turn.
    private final class NarrowGate: LaneGate {
        private struct State {
            var free: Int
            var waiting: [any LaneGateUser] = []
            var asked = 0
        }

        private let state: Mutex<State>
        init(_ connections: Int) { state = Mutex(State(free: connections)) }
        var free: Int { state.withLock(\.free) }

        func permit(forQueued _: Int, at _: SteadySeconds) -> LaneGovernor.Permit { .now }

        func takeConnection(for lane: any LaneGateUser) -> Bool {
            state.withLock { state in
                if state.free > 0 { state.free -= 1 } else { state.waiting.append(lane) }
                return state.waiting.last !== lane
            }
        }

        func giveBackConnection() {
            let next = state.withLock { state -> (any LaneGateUser)? in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.free += 1
                return nil
            }
            next?.connectionGranted()
        }

        func stopWaiting(_ lane: any LaneGateUser) {
            state.withLock { $0.waiting.removeAll { $0 === lane } }
        }
    }

    @Test func `lanes that share a gate never have more connections open together than it gives`() async throws {
        let sender = RecordingSender()
        sender.delivers = true
        let run = try BatchRun.sample(200)
        let gate = NarrowGate(3)
        let server = MailServer()
        try await server.run { port in
            let routing = SampleRouting(sender, gate: { _, _ in gate })
            for site in 0..<50 {
                routing.enqueue(
                    site * 4..<site * 4 + 4, of: run,
                    to: try .sample(["127.0.0.1"], host: "tenant\(site).acme.example", port: port))
            }
            var most = 0
            try await eventually("all are sent") {
                most = max(most, routing.lanes.all.reduce(0) { $0 + $1.snapshot.connections })
                return sender.sent.count == 200
            }
            #expect(most <= 3)
            try await eventually("all is given back") { gate.free == 3 }
            #expect(routing.lanes.all.allSatisfy { $0.snapshot.connections == 0 })
            // Nothing was learnt, so they may go within seconds.
            await routing.lanes.closeIdle(unusedFor: 300, sharingLimits: 0)
            #expect(routing.lanes.all.isEmpty)
            await routing.end()
        }
    }
}
