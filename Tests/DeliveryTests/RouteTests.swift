import Campaigns
import CreditLedger
import Fleet
import Foundation
import Logging
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

/// Several smarthosts: shares, failover, and logins that fail.
struct RouteTests {
    private typealias Route = Smarthost

    private static let password = "correct horse"

    private static func route(_ port: Int, weight: Int = 1, login: Bool = false) -> Route {
        var route = Route(host: "127.0.0.1", port: port)
        route.weight = weight
        if login {
            route.credentials = SMTPCredentials(username: "sluice", password: password, allowsPlaintext: true)
        }
        return route
    }

    /// Runs `body` beside an engine with these routes.
    private func withEngine(
        _ fixture: DeliveryFixture, _ routes: [Route], logger: Logger = .silent,
        _ adjust: (inout DeliveryConfiguration) -> Void = { _ in }, _ body: (DeliveryEngine) async throws -> Void
    ) async throws {
        let engine = fixture.engine(port: 1, logger: logger) { configuration in
            configuration.smarthosts = routes
            adjust(&configuration)
        }
        try await RunningEngine.with(engine) { _ in try await body(engine) }
    }

    /// A server that can be switched on and off, and whose login can be wrong.
    private final class Switch: Sendable {
        let isRight = Mutex(false)
        func set(_ value: Bool) { isRight.withLock { $0 = value } }
        var value: Bool { isRight.withLock { $0 } }
    }

    private static func lane(_ engine: DeliveryEngine, _ port: Int) -> LaneReport? {
        engine.status.lanes.first { $0.site.hasSuffix(":\(port)") }
    }

    private static func lane(_ engine: DeliveryEngine, _ port: Int, from source: MailSource) -> LaneReport? {
        engine.status.lanes.first { $0.site.hasSuffix(":\(port)") && $0.source == source.address }
    }

    private static func onceEach(_ count: Int) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: DeliveryFixture.addresses(count).map { ($0, 1) })
    }

    // MARK: Shares

    @Test func `smarthosts share the mail by weight`() async throws {
        let fixture = try await DeliveryFixture.make()
        let (heavy, light) = (MailServer(), MailServer())
        try await heavy.run { heavyPort in
            try await light.run { lightPort in
                try await withEngine(fixture, [Self.route(heavyPort, weight: 3), Self.route(lightPort)]) { engine in
                    let campaign = try await fixture.send(240, batchSize: 60)
                    #expect(try await fixture.end(of: campaign).counters.delivered == 240)
                    let names = engine.status.lanes.map(\.name)
                    #expect(Set(names) == ["route 127.0.0.1:\(heavyPort)", "route 127.0.0.1:\(lightPort)"])
                    let ended = try await engine.order(.suspend, lanes: "127.0.0.1", seconds: 1, reason: "test")
                    #expect(ended.count == 2)
                    let resumed = try await engine.resume(lanes: "127.0.0.1:\(lightPort)")
                    #expect(resumed == ["route 127.0.0.1:\(lightPort)"])
                }
            }
        }
        // 180 on average; five standard deviations.
        #expect((146...214).contains(heavy.copies.count), "\(heavy.copies.count)")
        #expect(heavy.copies.merging(light.copies, uniquingKeysWith: +) == Self.onceEach(240))
    }

    @Test func `each smarthost has connections of its own`() async throws {
        let fixture = try await DeliveryFixture.make()
        let (first, second) = (MailServer { _, _ in .held }, MailServer { _, _ in .held })
        try await first.run { firstPort in
            try await second.run { secondPort in
                var narrow = Self.route(firstPort)
                narrow.connections = 2
                try await withEngine(fixture, [narrow, Self.route(secondPort)]) { engine in
                    let campaign = try await fixture.send(100, batchSize: 100)
                    try await eventually("both are busy") { first.heldCount == 2 && second.heldCount > 2 }
                    #expect(Self.lane(engine, firstPort)?.connections == 2)
                    first.release()
                    second.release()
                    try await fixture.end(of: campaign)
                }
            }
        }
    }

    // MARK: Failover

    @Test func `what one smarthost cannot take goes by the other, uncounted, and it comes back by a probe`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let isUp = Switch()
        let broken = try HostileServer { session in if isUp.value { session.behave() } }
        defer { broken.stop() }
        let good = MailServer()
        try await good.run { port in
            try await withEngine(fixture, [Self.route(broken.port, weight: 100), Self.route(port)]) { engine in
                let campaign = try await fixture.send(40, batchSize: 20)
                #expect(try await fixture.end(of: campaign).counters.delivered == 40)
                #expect(good.copies == Self.onceEach(40))
                #expect(engine.status.counts.deferred == 0, "an attempt was counted")
                #expect(engine.status.counts.requeued == 0, "mail had to wait")
                isUp.set(true)
                var sent = 40
                while broken.copies.isEmpty && sent < 240 {
                    try await fixture.end(of: try await fixture.send(20, batchSize: 20))
                    sent += 20
                    try await Task.sleep(for: .milliseconds(250))
                }
                try await eventually("the lane is open") {
                    ["open", "slowed"].contains(Self.lane(engine, broken.port)?.state)
                }
                try await fixture.end(of: try await fixture.send(20, batchSize: 20))
                #expect(broken.copies.count > 5, "it has its share again")
            }
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `mail that waits for a suspended smarthost goes by the other`() async throws {
        let fixture = try await DeliveryFixture.make()
        let (slow, good) = (MailServer { _, _ in .held }, MailServer())
        try await slow.run { slowPort in
            try await good.run { goodPort in
                var narrow = Self.route(slowPort, weight: 1_000)
                narrow.connections = 1
                try await withEngine(fixture, [narrow, Self.route(goodPort)]) { engine in
                    let campaign = try await fixture.send(30, batchSize: 30)
                    try await eventually("mail waits") {
                        slow.heldCount == 1 && Self.lane(engine, slowPort)?.queued ?? 0 > 10
                    }
                    _ = try await engine.order(.suspend, lanes: "127.0.0.1:\(slowPort)", reason: "test")
                    try await eventually("the other has the rest") { good.copies.count == 29 }
                    slow.release()
                    #expect(try await fixture.end(of: campaign).counters.delivered == 30)
                }
            }
        }
        #expect(slow.copies.merging(good.copies, uniquingKeysWith: +) == Self.onceEach(30))
    }

    @Test func `when all are out mail waits, and each goes once`() async throws {
        let fixture = try await DeliveryFixture.make()
        let isUp = Switch()
        let servers = try (0..<2).map { _ in
            try HostileServer { session in if isUp.value { session.behave() } }
        }
        defer { for server in servers { server.stop() } }
        try await withEngine(fixture, servers.map { Self.route($0.port) }) { engine in
            let campaign = try await fixture.send(24, batchSize: 8)
            try await eventually("both lanes were suspended") {
                servers.allSatisfy { Self.lane(engine, $0.port)?.reason == "no connection" }
            }
            try await Task.sleep(for: .milliseconds(500))
            #expect(try await fixture.counters(campaign).finished == 0)
            isUp.set(true)
            #expect(try await fixture.end(of: campaign).counters.delivered == 24)
        }
        let copies = servers[0].copies.merging(servers[1].copies, uniquingKeysWith: +)
        #expect(copies == Self.onceEach(24))
    }

    @Test func `a mail that is handed over counts once for a source that warms up`() async throws {
        let fixture = try await DeliveryFixture.make()
        let today = DeliveryClock.system.day
        let new = MailSource(
            address: "127.0.0.7", heloName: "new.example.net", pool: "default",
            warmUp: WarmUpSchedule(startDay: today, dailyAllowances: [30, 30, 30]))
        let (slow, good) = (MailServer { _, _ in .held }, MailServer())
        try await slow.run { slowPort in
            try await good.run { goodPort in
                var narrow = Self.route(slowPort, weight: 1_000)
                narrow.connections = 1
                try await withEngine(
                    fixture, [narrow, Self.route(goodPort)],
                    { $0.sources = ["default": SourcePool(name: "default", sources: [new])] }
                ) { engine in
                    let campaign = try await fixture.send(30, batchSize: 30)
                    try await eventually("mail waits") {
                        slow.heldCount == 1 && Self.lane(engine, slowPort, from: new)?.queued ?? 0 > 10
                    }
                    _ = try await engine.order(.suspend, lanes: "127.0.0.1:\(slowPort)", reason: "test")
                    // With a place for each: mail that waits takes one, and gives it back where it goes elsewhere.
                    try await eventually("the other has the rest") { good.copies.count == 29 }
                    slow.release()
                    #expect(try await fixture.end(of: campaign).counters.delivered == 30)
                    // The day's allowance is used up.
                    let late = try await fixture.send(3)
                    try await eventually("it waits for tomorrow") { try await fixture.counters(late).deferred == 3 }
                    try await eventually("the database knows what was sent") {
                        try await fixture.fleet.countUsage([:], onDay: today).values.reduce(0, +) >= 30
                    }
                }
            }
        }
        let sent = try await fixture.fleet.countUsage([:], onDay: today)
        #expect(sent == [SourceUsage(source: "127.0.0.7", provider: "route"): 30])
        #expect(slow.copies.merging(good.copies, uniquingKeysWith: +) == Self.onceEach(30))
    }

    // MARK: Read anew

    /// - Parameter seconds: that mail waits in the lane before it goes back to the store.
    @Test(arguments: [30.0, 7_200])
    func `a login that is read anew is tried at once`(queueSeconds seconds: Double) async throws {
        let fixture = try await DeliveryFixture.make()
        let right = Data("\u{0}sluice\u{0}\(Self.password)".utf8).base64EncodedString().uppercased()
        let server = try HostileServer { session in
            session.behave(offering: ["AUTH PLAIN"]) { command in
                guard command.hasPrefix("AUTH") else { return nil }
                return command.hasSuffix(right) ? "235 2.7.0 welcome" : "535 5.7.8 wrong"
            }
        }
        defer { server.stop() }
        var old = Self.route(server.port)
        old.credentials = SMTPCredentials(username: "sluice", password: "old", allowsPlaintext: true)
        try await withEngine(
            fixture, [old],
            { configuration in
                configuration.laneLimits = LaneLimits(connections: 8, queueSeconds: seconds)
                // Nothing but the new login can end this rest while the test runs.
                configuration.governor.firstPauseSeconds = 3_600
                configuration.governor.maximumPauseSeconds = 3_600
            }
        ) { engine in
            let campaign = try await fixture.send(24, batchSize: 24)
            try await eventually("the login fails") { Self.lane(engine, server.port)?.isLoginFailing == true }
            try await eventually("mail waits") {
                seconds < 3_600
                    ? try await fixture.counters(campaign).deferred == 24
                    : Self.lane(engine, server.port)?.queued == 24
            }
            #expect(try await engine.reload(smarthosts: [old]) == [])
            let added = await #expect(throws: RoutesNeedRestart.self) {
                try await engine.reload(smarthosts: [Self.route(server.port, login: true), Self.route(1)])
            }
            #expect(added == RoutesNeedRestart(added: ["127.0.0.1:1"], removed: []))
            #expect(server.connections == 1)
            let changed = try await engine.reload(smarthosts: [Self.route(server.port, login: true)])
            #expect(changed == ["127.0.0.1:\(server.port)"])
            #expect(try await fixture.end(of: campaign).counters.delivered == 24)
            #expect(Self.lane(engine, server.port)?.state == "open")
        }
        #expect(server.copies == Self.onceEach(24))
    }

    @Test func `shares and limits that are read anew hold for lanes at work`() async throws {
        let fixture = try await DeliveryFixture.make()
        let (first, second) = (MailServer { _, _ in .held }, MailServer())
        try await first.run { firstPort in
            try await second.run { secondPort in
                func routes(_ firstWeight: Int, _ secondWeight: Int, connections: Int) -> [Route] {
                    var routes = [
                        Self.route(firstPort, weight: firstWeight), Self.route(secondPort, weight: secondWeight),
                    ]
                    routes[0].connections = connections
                    return routes
                }
                try await withEngine(fixture, routes(1_000, 1, connections: 1)) { engine in
                    let campaign = try await fixture.send(40, batchSize: 40)
                    try await eventually("one is busy") { first.heldCount == 1 }
                    let changed = try await engine.reload(smarthosts: routes(1, 1_000, connections: 3))
                    #expect(changed.count == 2)
                    try await eventually("it is busier") { first.heldCount == 3 }
                    let before = second.copies.count
                    let next = try await fixture.send(40, batchSize: 40)
                    // 39.96 on average.
                    try await eventually("nearly all went there") {
                        try await fixture.counters(next).delivered >= 34
                    }
                    #expect(second.mails.count - before >= 34)
                    first.release()
                    try await fixture.end(of: campaign)
                    try await fixture.end(of: next)
                }
            }
        }
    }

    @Test func `a mail under way ends over its connection, and the next goes over a new one`() async throws {
        let fixture = try await DeliveryFixture.make()
        let goesOn = Switch()
        let server = try HostileServer { session in
            session.behave { command in
                while session.number == 1, command == "DATA", !goesOn.value { usleep(10_000) }
                return nil
            }
        }
        defer { server.stop() }
        defer { goesOn.set(true) }
        try await withEngine(fixture, [Self.route(server.port)], { $0.laneLimits = LaneLimits(connections: 1) }) {
            engine in
            let campaign = try await fixture.send(5, batchSize: 5)
            try await eventually("a mail is under way") { Self.lane(engine, server.port)?.queued == 4 }
            var changed = Self.route(server.port)
            changed.tls = .opportunistic
            #expect(try await engine.reload(smarthosts: [changed]).count == 1)
            goesOn.set(true)
            #expect(try await fixture.end(of: campaign).counters.delivered == 5)
            #expect(engine.status.counts.deferred == 0)
        }
        #expect(server.connections == 2)
        #expect(server.copies == Self.onceEach(5))
    }

    // MARK: Logins

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var keywords = ["PIPELINING", "AUTH PLAIN"]
        let reply: String
        let reason: String
        var login = true
    }

    static let refusals = [
        Refusal(
            testDescription: "wrong password", reply: "535 5.7.8 no such login c2x1aWNl",
            reason: "login failed: reply 535 5.7.8"),
        Refusal(
            testDescription: "mechanism too weak", reply: "534 5.7.9 use another",
            reason: "login failed: reply 534 5.7.9"),
        Refusal(
            testDescription: "TLS wanted first", reply: "530 5.7.0 STARTTLS first",
            reason: "login failed: reply 530 5.7.0"),
        Refusal(
            testDescription: "logins fail for now", reply: "454 4.7.0 later",
            reason: "login failed: reply 454 4.7.0"),
        Refusal(
            testDescription: "AUTH is not offered", keywords: ["PIPELINING"], reply: "",
            reason: "login failed: no usable AUTH mechanism is offered"),
        Refusal(
            testDescription: "a login is wanted and there is none",
            reply: "530 5.7.0 Authentication required", reason: "login failed: reply 530 5.7.0", login: false),
    ]

    @Test(arguments: refusals)
    func `a login that fails suspends the lane, and nothing bounces`(_ refusal: Refusal) async throws {
        let fixture = try await DeliveryFixture.make()
        let isRight = Switch()
        let server = try HostileServer { session in
            let keywords = isRight.value ? ["PIPELINING", "AUTH PLAIN"] : refusal.keywords
            session.behave(offering: keywords) { command in
                let isRefused =
                    refusal.login ? command.hasPrefix("AUTH") : ["MAIL", "RCPT", "DATA"].contains(command.prefix(4))
                if !isRight.value, isRefused { return refusal.reply }
                return command.hasPrefix("AUTH") ? "235 2.7.0 welcome" : nil
            }
        }
        defer { server.stop() }
        let log = Log()
        try await withEngine(
            fixture, [Self.route(server.port, login: refusal.login)], logger: log.logger,
            { configuration in
                // Back to the store at once, so that what is kept there is looked at as well.
                configuration.laneLimits = LaneLimits(connections: 8, queueSeconds: 0.1)
                configuration.governor.firstPauseSeconds = 0.4
                configuration.governor.maximumPauseSeconds = 0.4
            }
        ) { engine in
            let campaign = try await fixture.send(24, batchSize: 24)
            try await eventually("the lane says why it rests") {
                let lane = Self.lane(engine, server.port)
                return lane?.reason == refusal.reason && lane?.isLoginFailing == true
            }
            try await eventually("it was tried again") { server.connections >= 3 }
            let counters = try await fixture.counters(campaign)
            #expect(counters.finished == 0)
            #expect(engine.status.counts.deferred == 0, "an attempt was counted")
            #expect(server.copies.isEmpty)
            isRight.set(true)
            try await eventually("all come back") {
                // What the engine has locked is left for the next look: the two lock in different orders.
                try await fixture.records.owner.query(
                    """
                    UPDATE batches b SET due_at = clock_timestamp()
                    FROM (SELECT account_id, campaign_id, batch_no FROM batches
                        WHERE state = 1 FOR NO KEY UPDATE SKIP LOCKED) free
                    WHERE (b.account_id, b.campaign_id, b.batch_no)
                        = (free.account_id, free.campaign_id, free.batch_no)
                    """)
                try await fixture.records.owner.query(
                    "SELECT enqueue_account(\(fixture.account.rawValue), clock_timestamp())")
                return try await fixture.service.get(fixture.account, campaign).campaign.purgedAt != nil
            }
            #expect(try await fixture.end(of: campaign).counters.delivered == 24)
            #expect(Self.lane(engine, server.port)?.isLoginFailing == false)
        }
        #expect(server.copies == Self.onceEach(24))
        // One line, and no secret in it, nor the server's text, which may repeat one.
        let errors = log.lines.filter { $0.level == .error }.map(\.text)
        #expect(errors.count == 1, "\(errors)")
        let all = log.lines.map(\.text).joined(separator: "\n")
        let hidden = !all.contains(Self.password) && !all.contains("c2x1aWNl")
        #expect(hidden)
    }

    @Test func `another smarthost takes over where a login fails, and the account is not locked by attempts`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let locked = try HostileServer { session in
            session.behave(offering: ["AUTH PLAIN"]) { $0.hasPrefix("AUTH") ? "535 5.7.8 wrong" : nil }
        }
        defer { locked.stop() }
        let good = MailServer()
        try await good.run { port in
            try await withEngine(
                fixture, [Self.route(locked.port, weight: 50, login: true), Self.route(port)],
                { $0.governor.firstPauseSeconds = 60 }
            ) { engine in
                let campaign = try await fixture.send(60, batchSize: 60)
                #expect(try await fixture.end(of: campaign).counters.delivered == 60)
                #expect(engine.status.counts.deferred == 0)
                #expect(locked.connections == 1)
                // The operator says that the login is right now: it is looked at once, by one connection.
                let resumed = try await engine.resume(lanes: "127.0.0.1:\(locked.port)")
                #expect(resumed.count == 1)
                try await fixture.end(of: try await fixture.send(30, batchSize: 30))
                #expect(locked.connections == 2)
            }
        }
        #expect(good.copies.values.reduce(0, +) == 90)
    }

    @Test func `530 of a recipient's own server is about the mail`() {
        let reply = SMTPReply(530, EnhancedStatusCode("5.7.0"), "no")
        func report(_ phase: SMTPPhase) -> DeliveryReport {
            DeliveryReport(.permanent, .refused, in: phase, blame: .connection, reply: reply)
        }
        #expect(report(.mail).isLoginFailure)
        #expect(report(.auth).isLoginFailure)
        #expect(!report(.rcpt).isLoginFailure)
        #expect(!report(.finalDot).isLoginFailure)
    }
}
