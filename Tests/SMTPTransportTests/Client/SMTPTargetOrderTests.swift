import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import TestSupport
import Testing

private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .seconds(seconds) }

/// `a.0` is the first address of the host a.example, `a.v6` one of the other family.
private func target(_ host: String, _ number: UInt32 = 0, preference: Int = 0, isVersion6: Bool = false) -> SMTPTarget {
    let code = UInt32(host.utf8.first ?? 0)
    let address =
        isVersion6 ? IPAddress("2001:db8::\(code):\(number)") : .v4(0xC633_6400 + code * 256 + number)
    guard let address else { preconditionFailure("not an address") }
    return SMTPTarget(host: "\(host).example", address: address, preference: preference)
}

private func order(_ targets: [SMTPTarget]) -> SMTPTargetOrder { SMTPTargetOrder(targets, backoff: .seconds(10)) }

/// The hosts in the order in which one connection would try them.
private func tries(_ order: SMTPTargetOrder, at now: NIODeadline = at(0), seed: UInt64 = 1) -> [String] {
    var order = order
    var random = SeededGenerator(seed: seed)
    var avoiding = SMTPTargetOrder.Avoidance()
    var hosts: [String] = []
    while let next = order.next(avoiding: avoiding, at: now, using: &random) {
        order.ended(next)
        avoiding.endpoints.insert(next.endpoint)
        hosts.append("\(next.host.prefix(1))\(next.address.isVersion6 ? "6" : "")")
    }
    return hosts
}

@Suite struct SMTPTargetOrderTests {
    @Test(arguments: 1...20)
    func `the preferred go first, whatever chance says`(seed: UInt64) {
        let hosts = [
            target("c", preference: 20), target("a", preference: 5), target("b", preference: 10),
        ]
        #expect(tries(order(hosts), seed: seed) == ["a", "b", "c"])
    }

    @Test func `chance decides between equals`() {
        let hosts = ["a", "b", "c", "d"].map { target($0) }
        let first = Set((1...100).map { tries(order(hosts), seed: $0)[0] })
        #expect(first == ["a", "b", "c", "d"])
    }

    @Test(arguments: 1...20)
    func `equals share the connections`(seed: UInt64) {
        var order = order(["a", "b", "c", "d", "e", "f", "g", "h"].map { target($0) } + [target("z", preference: 9)])
        var random = SeededGenerator(seed: seed)
        var counts: [String: Int] = [:]
        for _ in 0..<20 {
            let host = order.next(at: at(0), using: &random)?.host ?? ""
            counts[host, default: 0] += 1
        }
        #expect(counts.count == 8 && counts.values.allSatisfy { (2...3).contains($0) })
        #expect(counts["z.example"] == nil)
    }

    @Test(arguments: 1...20)
    func `hosts share, not addresses`(seed: UInt64) {
        var order = order([target("a", 1), target("a", 2), target("a", 3), target("b")])
        var random = SeededGenerator(seed: seed)
        let hosts = (0..<6).compactMap { _ in order.next(at: at(0), using: &random) }
        #expect(hosts.count { $0.host == "b.example" } == 3)
        #expect(Set(hosts.map(\.endpoint)).count == 4, "and a host's addresses share among themselves")
    }

    @Test func `a host's first family goes before the other`() {
        let hosts = [target("a", isVersion6: true), target("a"), target("b"), target("b", isVersion6: true)]
        for seed in 1...20 {
            let tried = tries(order(hosts), seed: UInt64(seed))
            #expect(Set(tried[..<2]) == ["a6", "b"])
            #expect(Set(tried[2...]) == ["a", "b6"])
        }
    }

    @Test func `a connection that ends makes place`() {
        var order = order([target("a"), target("b")])
        var random = SeededGenerator(seed: 1)
        guard let first = order.next(at: at(0), using: &random) else { return #expect(Bool(false)) }
        let second = order.next(at: at(0), using: &random)
        #expect(second?.host != first.host)
        order.ended(first)
        #expect(order.next(at: at(0), using: &random)?.host == first.host)
    }

    @Test func `who failed rests and comes last, twice as long each time`() {
        let a = target("a", preference: 1)
        var order = order([a, target("b", preference: 2)])
        var random = SeededGenerator(seed: 1)
        var now: Int64 = 0
        for rest: Int64 in [10, 20, 40, 80, 160, 300, 300] {
            order.failed(a, at: at(now))
            #expect(tries(order, at: at(now)) == ["b", "a"])
            #expect(tries(order, at: at(now + rest - 1)) == ["b", "a"])
            #expect(tries(order, at: at(now + rest)) == ["a", "b"])
            now += rest
            // The one that finds out.
            #expect(order.next(at: at(now), using: &random) == a)
            order.ended(a)
        }
        order.connected(a)
        #expect(tries(order, at: at(now)) == ["a", "b"])
        order.failed(a, at: at(now))
        #expect(tries(order, at: at(now + 10)) == ["a", "b"], "success begins anew")
    }

    @Test func `failures at the same time are one`() {
        let a = target("a", preference: 1)
        var order = order([a, target("b", preference: 2)])
        for _ in 0..<20 { order.failed(a, at: at(0)) }
        #expect(tries(order, at: at(10)) == ["a", "b"])
    }

    @Test func `after its rest one connection finds out for all`() {
        let a = target("a", preference: 1)
        var order = order([a, target("b", preference: 2)])
        var random = SeededGenerator(seed: 1)
        order.failed(a, at: at(0))
        #expect(order.next(at: at(10), using: &random)?.host == "a.example")
        #expect(order.next(at: at(10), using: &random)?.host == "b.example")
        order.connected(a)
        #expect(order.next(at: at(10), using: &random)?.host == "a.example")
    }

    @Test func `a connection alone does not heal a host that takes no mail`() {
        let a = target("a", preference: 1)
        var order = order([a, target("b", preference: 2)])
        order.failed(a, inSession: true, at: at(0))
        order.connected(a)
        #expect(tries(order, at: at(1)) == ["b", "a"])
        #expect(order.isOutdone(a, at: at(1)))
        order.worked(a)
        #expect(tries(order, at: at(1)) == ["a", "b"])
        #expect(!order.isOutdone(a, at: at(1)))
    }

    @Test func `where all are ill nobody is outdone`() {
        let hosts = [target("a"), target("b")]
        var order = order(hosts)
        for host in hosts { order.failed(host, inSession: true, at: at(0)) }
        #expect(hosts.allSatisfy { !order.isOutdone($0, at: at(1)) })
    }

    @Test func `an attempt leaves out what it tried, and the ill`() {
        let hosts = [target("a", 1), target("a", 2), target("b"), target("c")]
        var order = order(hosts)
        order.failed(hosts[3], at: at(0))
        var random = SeededGenerator(seed: 1)
        var avoiding = SMTPTargetOrder.Avoidance(
            endpoints: [hosts[0].endpoint], hosts: ["a.example"], skipsResting: true)
        #expect(order.holdsAnother(avoiding: avoiding, at: at(1)))
        #expect(order.next(avoiding: avoiding, at: at(1), using: &random) == hosts[2], "another host first")
        avoiding.endpoints.insert(hosts[2].endpoint)
        #expect(order.next(avoiding: avoiding, at: at(1), using: &random) == hosts[1])
        avoiding.endpoints.insert(hosts[1].endpoint)
        #expect(!order.holdsAnother(avoiding: avoiding, at: at(1)))
        #expect(order.next(avoiding: avoiding, at: at(1), using: &random) == nil)
        #expect(order.holdsAnother(avoiding: avoiding, at: at(10)), "its rest is over")
    }

    @Test func `what is known of hosts outlives a change of the others`() {
        let a = target("a", preference: 1)
        let b = target("b", preference: 2)
        var order = order([a, b])
        order.failed(a, at: at(0))
        order.setTargets([target("c", preference: 3), a, b])
        #expect(tries(order, at: at(1)) == ["b", "c", "a"])
        order.setTargets([b])
        order.setTargets([a, b])
        #expect(tries(order, at: at(1)) == ["a", "b"], "one that was gone comes back as new")
    }
}

// MARK: Attempts

private let limits = SMTPAttemptLimits(addresses: 5, sessions: 2, duration: .seconds(300))

private func report(
    _ verdict: DeliveryReport.Verdict, _ cause: DeliveryReport.Cause, in phase: SMTPPhase, _ code: Int? = nil,
    blame: DeliveryReport.Blame = .connection
) -> DeliveryReport {
    DeliveryReport(verdict, cause, in: phase, blame: blame, reply: code.map { SMTPReply($0, nil, "text") })
}

private struct StepFixture: Sendable, CustomTestStringConvertible {
    let report: DeliveryReport
    let goesOn: Bool
    var testDescription: String { "\(report.verdict) \(report.cause) in \(report.phase)" }
}

private let steps: [StepFixture] = [
    StepFixture(report: report(.accepted, .accepted, in: .finalDot, 250), goesOn: false),
    StepFixture(report: report(.temporary, .refused, in: .mail, 451), goesOn: true),
    StepFixture(report: report(.temporary, .refused, in: .mail, 421), goesOn: true),
    StepFixture(report: report(.temporary, .refused, in: .rcpt, 452, blame: .recipient), goesOn: true),
    StepFixture(report: report(.temporary, .refused, in: .data, 451, blame: .message), goesOn: true),
    StepFixture(report: report(.temporary, .connectionClosed, in: .mail), goesOn: true),
    StepFixture(report: report(.temporary, .connectionClosed, in: .content), goesOn: true),
    StepFixture(report: report(.temporary, .timedOut, in: .rcpt), goesOn: true),
    StepFixture(report: report(.temporary, .protocolViolation, in: .mail), goesOn: true),
    StepFixture(report: report(.permanent, .refused, in: .mail, 550), goesOn: false),
    StepFixture(report: report(.permanent, .refused, in: .rcpt, 550, blame: .recipient), goesOn: false),
    StepFixture(report: report(.permanent, .messageTooBig, in: .mail, blame: .message), goesOn: false),
    StepFixture(report: report(.temporary, .refused, in: .finalDot, 451, blame: .message), goesOn: true),
    StepFixture(report: report(.inDoubt, .connectionClosed, in: .finalDot), goesOn: false),
    StepFixture(report: report(.inDoubt, .timedOut, in: .finalDot), goesOn: false),
    StepFixture(report: report(.temporary, .cancelled, in: .mail), goesOn: false),
]

@Suite struct SMTPAttemptTests {
    @Test(arguments: steps)
    fileprivate func `whether the next host is tried`(fixture: StepFixture) {
        var attempt = SMTPAttempt(limits: limits, at: at(0))
        let step = attempt.next(
            after: fixture.report, by: target("a"), hasAnotherHost: { _ in true }, at: at(1))
        #expect(step == (fixture.goesOn ? .elsewhere : .end(fixture.report)))
        #expect(attempt.avoidance.endpoints == [target("a").endpoint])
        #expect(attempt.isElsewhere)
    }

    @Test func `the bounds of an attempt`() {
        let busy = report(.temporary, .refused, in: .mail, 451)
        func step(_ limits: SMTPAttemptLimits, after seconds: Int64 = 1, others: Bool = true) -> [SMTPAttempt.Step] {
            var attempt = SMTPAttempt(limits: limits, at: at(0))
            return ["a", "b", "c"].map {
                attempt.next(after: busy, by: target($0), hasAnotherHost: { _ in others }, at: at(seconds))
            }
        }
        #expect(step(limits) == [.elsewhere, .end(busy), .end(busy)], "two sessions")
        #expect(step(SMTPAttemptLimits(addresses: 5, sessions: 9)) == [.elsewhere, .elsewhere, .elsewhere])
        #expect(step(SMTPAttemptLimits(addresses: 2, sessions: 9)) == [.elsewhere, .end(busy), .end(busy)])
        #expect(step(limits, after: 299)[0] == .elsewhere)
        #expect(step(limits, after: 300)[0] == .end(busy))
        #expect(step(limits, others: false)[0] == .end(busy))
    }

    @Test func `the best answer speaks for all`() {
        let refused = report(.temporary, .refused, in: .rcpt, 452, blame: .recipient)
        let closed = report(.temporary, .connectionClosed, in: .mail)
        let unreachable = report(.temporary, .unreachable, in: .connect)
        let greeted = report(.temporary, .refused, in: .greeting, 421)
        let gone = report(.permanent, .refused, in: .rcpt, 550, blame: .recipient)
        let neverFit = DeliveryReport.requireTLSNotOffered(in: .connect)
        for (reports, best) in [
            ([closed, refused], refused), ([refused, closed], refused), ([refused, gone], gone),
            ([closed, closed], closed),
        ] {
            var attempt = SMTPAttempt(limits: limits, at: at(0))
            for report in reports {
                _ = attempt.next(after: report, by: target("a"), hasAnotherHost: { _ in true }, at: at(1))
            }
            #expect(attempt.answer == best)
        }
        for failure in [unreachable, greeted, neverFit] {
            var attempt = SMTPAttempt(limits: limits, at: at(0))
            _ = attempt.next(after: closed, by: target("a"), hasAnotherHost: { _ in true }, at: at(1))
            let step = attempt.next(after: SMTPConnectFailure(host: "b.example", report: failure))
            #expect(step == .end(closed), "a host that was asked says more than one that was not")
        }
        var attempt = SMTPAttempt(limits: limits, at: at(0))
        #expect(attempt.next(after: SMTPConnectFailure(host: "", report: greeted)) == .end(greeted))
    }
}

// MARK: Habits

@Suite struct SMTPHostHabitsTests {
    private let a = target("a").endpoint
    private let b = target("b").endpoint
    private let c = target("c").endpoint

    @Test func `broken TLS is remembered for a while, for one host`() {
        var habits = SMTPHostHabits(lifetime: .seconds(60))
        habits.breaksTLS(a, at: at(0))
        #expect(habits.hasBrokenTLS(a, at: at(59)))
        #expect(!habits.hasBrokenTLS(a, at: at(60)))
        #expect(!habits.hasBrokenTLS(b, at: at(1)))
    }

    @Test func `an extension that breaks one host is left out there, and one that breaks two everywhere`() {
        var habits = SMTPHostHabits(lifetime: .seconds(60))
        habits.breaks(.pipelining, a, at: at(0))
        habits.breaks(.size, b, at: at(0))
        #expect(habits.without(a, at: at(1)) == [.pipelining])
        #expect(habits.without(b, at: at(1)) == [.size])
        #expect(habits.without(c, at: at(1)) == [])
        habits.breaks(.pipelining, b, at: at(10))
        #expect(habits.without(c, at: at(11)) == [.pipelining])
        #expect(habits.without(c, at: at(60)) == [], "the older one is forgotten")
        #expect(habits.without(b, at: at(61)) == [.pipelining])
        #expect(habits.without(b, at: at(70)) == [])
    }
}
