import MailTypes
import TestSupport
import Testing
import TrafficShaping

@Suite struct LaneGovernorTests {
    /// What happens to a lane, each with its time.
    enum Event: Sendable {
        /// A mail is permitted and accepted, so many in a row.
        case accepted(Int = 1)
        /// A mail is permitted and refused.
        case refused(ReplyAction?, Int = 1)
        case connectFails(Int = 1)
        case loginFails(Int = 1)
        case closed(ReplyAction?)
        case connected
        case unused
        case suspend(until: Double?)
        case resume
        case reconnects
        case tick
    }

    enum Stand: Sendable, Equatable {
        case open, slowed, probing, suspended
        case backingOff(until: Double)

        init(_ condition: LaneState.Condition) {
            switch condition {
            case .open: self = .open
            case .slowed: self = .slowed
            case .backingOff(let until, _): self = .backingOff(until: until)
            case .probing: self = .probing
            case .suspended: self = .suspended
            }
        }
    }

    struct Story: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let events: [(Double, Event)]
        let at: Double
        let stand: Stand
        var connections = 20
        /// For a queue of 1,000.
        let wanted: Int

        init(
            _ description: String, _ events: [(Double, Event)], at: Double, _ stand: Stand, connections: Int = 20,
            wanted: Int
        ) {
            testDescription = description
            self.events = events
            self.at = at
            self.stand = stand
            self.connections = connections
            self.wanted = wanted
        }
    }

    static let stories: [Story] = [
        Story("a new lane is open", [], at: 0, .open, wanted: 20),
        Story("mail that is accepted changes nothing", [(0, .accepted(500))], at: 60, .open, wanted: 20),
        Story(
            "one mailbox does not slow a lane", [(0, .refused(.markMailbox, 200)), (1, .refused(nil, 200))], at: 2,
            .open, wanted: 20),
        Story("nor does usual business", [(0, .refused(.ignore)), (0, .closed(.ignore))], at: 1, .open, wanted: 20),
        Story("nor does one mail given up", [(0, .refused(.bounce))], at: 1, .open, wanted: 20),
        Story(
            "a refusal of a single mail halves and takes three tenths", [(0, .refused(.slowDown))], at: 0, .slowed,
            connections: 7, wanted: 7),
        Story(
            "so does a connection closed with one", [(0, .closed(.slowDown))], at: 0, .slowed, connections: 7,
            wanted: 7),
        Story(
            "more of them at once change no more", [(0, .refused(.slowDown, 9))], at: 0, .slowed, connections: 7,
            wanted: 7),
        Story(
            "later ones do, down to one connection", (0..<4).map { (Double($0) * 2, .refused(.slowDown)) }, at: 6,
            .slowed, connections: 1, wanted: 1),
        Story(
            "refused all the time, the lane pauses", [(0, .refused(.slowDown, 14))], at: 0, .backingOff(until: 30),
            connections: 7, wanted: 0),
        Story(
            "a mail accepted between prevents that",
            [(0, .refused(.slowDown, 13)), (20, .accepted()), (40, .refused(.slowDown))], at: 40, .slowed,
            connections: 2, wanted: 2),
        Story("two refusals of the sender are borne", [(0, .refused(.block, 2))], at: 1, .open, wanted: 20),
        Story(
            "the third makes the lane rest, at its old pace", [(0, .refused(.block, 3))], at: 1,
            .backingOff(until: 300),
            wanted: 0),
        Story(
            "a mail accepted between them clears the sender",
            [(0, .refused(.block, 2)), (1, .accepted()), (2, .refused(.block, 2))], at: 3, .open, wanted: 20),
        Story(
            "a mailbox unknown between them does not",
            [(0, .refused(.block, 2)), (1, .refused(nil)), (2, .refused(.block))], at: 3, .backingOff(until: 302),
            wanted: 0),
        Story(
            "a block of the probe doubles the rest", [(0, .refused(.block, 3)), (300, .refused(.block))], at: 301,
            .backingOff(until: 900), wanted: 0),
        Story(
            "what a rule has tried again does not", [(0, .refused(.retry, 30))], at: 1, .open, wanted: 20),
        Story(
            "a rule makes it rest, and lowers the limits for afterwards", [(5, .refused(.suspend(seconds: 600)))],
            at: 6,
            .backingOff(until: 605), connections: 7, wanted: 0),
        Story(
            "a source to be rotated rests", [(5, .refused(.rotateSource(seconds: 60)))], at: 6,
            .backingOff(until: 65), connections: 7, wanted: 0),
        Story(
            "after the rest one mail is tried", [(5, .refused(.suspend(seconds: 600))), (605, .tick)], at: 605,
            .probing, connections: 7, wanted: 1),
        Story(
            "its acceptance opens the lane", [(5, .refused(.suspend(seconds: 600))), (605, .accepted())], at: 605,
            .slowed, connections: 7, wanted: 7),
        Story(
            "so does the refusal of one mailbox", [(5, .refused(.suspend(seconds: 600))), (605, .refused(nil))],
            at: 605, .slowed, connections: 7, wanted: 7),
        Story(
            "its refusal for the pace makes it rest again",
            [(5, .refused(.suspend(seconds: 600))), (605, .refused(.slowDown))], at: 606, .backingOff(until: 635),
            connections: 7, wanted: 0),
        Story(
            "the connection closed on it as well",
            [(5, .refused(.suspend(seconds: 600))), (605, .connected), (605, .closed(.suspend(seconds: 60)))],
            at: 606, .backingOff(until: 665), connections: 2, wanted: 0),
        Story("two failures to connect are borne", [(0, .connectFails(2))], at: 0, .open, wanted: 20),
        Story("three make it rest", [(0, .connectFails(3))], at: 0, .backingOff(until: 30), wanted: 0),
        Story(
            "a connection between starts the count again",
            [(0, .connectFails(2)), (1, .connected), (2, .connectFails(2))], at: 2, .open, wanted: 20),
        Story(
            "pauses double",
            [(0, .connectFails(3)), (30, .connectFails()), (90, .connectFails()), (210, .connectFails())], at: 211,
            .backingOff(until: 450), wanted: 0),
        Story(
            "up to a quarter of an hour",
            [(0, .connectFails(3))] + (1...9).map { (Double($0) * 1_000, .connectFails()) }, at: 9_001,
            .backingOff(until: 9_900), wanted: 0),
        Story(
            "and begin anew after a success",
            [
                (0, .connectFails(3)), (30, .connectFails()), (90, .accepted()), (100, .connectFails(3)),
            ], at: 101, .backingOff(until: 130), wanted: 0),
        Story(
            "a mail not sent after all is no probe", [(0, .connectFails(3)), (30, .unused)], at: 31, .probing, wanted: 1
        ),
        Story(
            "a login that fails makes it rest at once", [(0, .loginFails())], at: 0, .backingOff(until: 30), wanted: 0),
        Story(
            "and for longer each time", [(0, .loginFails()), (30, .loginFails()), (90, .loginFails())], at: 91,
            .backingOff(until: 210), wanted: 0),
        Story("a new login is tried at once", [(0, .loginFails()), (1, .reconnects)], at: 1, .probing, wanted: 1),
        Story(
            "and rests from the beginning if it fails",
            [(0, .loginFails()), (30, .loginFails()), (31, .reconnects), (31, .loginFails())], at: 31,
            .backingOff(until: 61), wanted: 0),
        Story("so is a new address", [(0, .connectFails(3)), (1, .reconnects)], at: 1, .probing, wanted: 1),
        Story(
            "a site that refuses mail is left alone", [(0, .refused(.suspend(seconds: 600))), (1, .reconnects)], at: 1,
            .backingOff(until: 600), connections: 7, wanted: 0),
        Story("an operator suspends the lane", [(0, .suspend(until: nil))], at: 1e6, .suspended, wanted: 0),
        Story("for a time", [(0, .suspend(until: 100))], at: 100, .open, wanted: 20),
        Story("and lets it go", [(0, .suspend(until: nil)), (1, .resume)], at: 1, .open, wanted: 20),
        Story("also out of a rest", [(0, .connectFails(3)), (1, .resume)], at: 1, .open, wanted: 20),
        Story(
            "a long rest is not cut short by a shorter one",
            [(0, .refused(.suspend(seconds: 600))), (1, .closed(.suspend(seconds: 10)))], at: 2,
            .backingOff(until: 600), connections: 7, wanted: 0),
    ]

    @Test(arguments: stories) func `runs its course`(story: Story) {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        for (time, event) in story.events { Self.apply(event, at: time, to: &governor) }
        let state = governor.state(at: story.at)
        #expect(Stand(state.condition) == story.stand)
        #expect(state.connections == story.connections)
        #expect(governor.connectionsWanted(forQueued: 1_000, at: story.at) == story.wanted)
    }

    static func apply(_ event: Event, at start: Double, to governor: inout LaneGovernor) {
        var now = start
        func eachPermitted(_ count: Int, _ answer: (inout LaneGovernor) -> Void) {
            for _ in 0..<count {
                // The stories are about answers: a mail that must wait for its rate is taken as if it had.
                while case .at(let due) = governor.permit(at: now), due.isFinite, due < now + 300 { now = due }
                answer(&governor)
            }
        }
        switch event {
        case .accepted(let count): eachPermitted(count) { $0.accepted(at: start) }
        case .refused(let action, let count):
            eachPermitted(count) { $0.refused(action, code: 421, enhanced: nil, at: start) }
        case .connectFails(let count): eachPermitted(count) { $0.connectFailed(at: start) }
        case .loginFails(let count): eachPermitted(count) { $0.loginFailed("reply 535", at: start) }
        case .closed(let action): governor.closed(action, code: 421, enhanced: nil, at: start)
        case .connected: governor.connected(at: start)
        case .unused: eachPermitted(1) { $0.permitUnused(at: start) }
        case .suspend(let until): governor.suspend(until: until, reason: "test")
        case .resume: governor.resume(at: start)
        case .reconnects: governor.reconnects(at: start)
        case .tick: governor.tick(at: start)
        }
    }

    @Test func `mails under way together lower the limits once`() {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        for _ in 0..<20 { #expect(governor.permit(at: 0) == .now) }
        for _ in 0..<20 { governor.refused(.slowDown, code: 421, enhanced: nil, at: 0.1) }
        #expect(governor.state(at: 0.1).connections == 14)
        #expect(governor.permit(at: 1) == .now)
        governor.refused(.slowDown, code: 421, enhanced: nil, at: 1.1)
        #expect(governor.state(at: 1.1).connections == 4)
    }

    /// A slow site answers one after the other, for longer than the least time between two decreases.
    @Test func `answers to one burst that come slowly lower the limits once`() {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        for _ in 0..<20 { #expect(governor.permit(at: 0) == .now) }
        for number in 0..<9 { governor.refused(.slowDown, code: 421, enhanced: nil, at: 1 + Double(number)) }
        #expect(governor.state(at: 10).connections == 14)
    }

    /// Accepted mail raises the limits by a step when it has filled the connections and ten seconds have passed.
    @Test func `limits rise step by step`() {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        _ = governor.permit(at: 0)
        governor.refused(.slowDown, code: 421, enhanced: nil, at: 0)
        var connections: [Int] = []
        var rates: [Double] = []
        for tenSeconds in 0..<14 {
            for second in 0...9 {
                // As if the rate were no limit.
                for _ in 0..<3 { governor.accepted(at: Double(tenSeconds * 10 + second + 1)) }
            }
            let state = governor.state(at: Double(tenSeconds * 10 + 10))
            connections.append(state.connections)
            if let rate = state.ratePerSecond { rates.append(rate) }
        }
        // Ten was taken for refused: nine is kept for ten steps.
        #expect(connections == [8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 10, 11, 12])
        #expect(rates.count == 14)
        #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 < $1 && $1 <= $0 * 1.1001 })
    }

    @Test func `answers that never come do not blind the lane`() {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        for _ in 0..<20 { _ = governor.permit(at: 0) }
        governor.refused(.slowDown, code: 421, enhanced: nil, at: 0)
        governor.refused(.slowDown, code: 421, enhanced: nil, at: 10)
        #expect(governor.state(at: 10).connections == 9)
    }

    @Test func `a probe is one mail and is sent anew when it is lost`() {
        var governor = LaneGovernor(limits: LaneLimits(), policy: GovernorPolicy())
        for _ in 0..<3 { governor.connectFailed(at: 0) }
        #expect(governor.permit(at: 10) == .at(30))
        #expect(governor.permit(at: 30) == .now)
        #expect(governor.permit(at: 31) == .at(150))
        #expect(governor.connectionsWanted(forQueued: 50, at: 31) == 1)
        #expect(governor.permit(at: 150) == .now)
        governor.accepted(at: 151)
        #expect(governor.permit(at: 151) == .now)
        #expect(governor.state(at: 151).condition == .open)
    }

    @Test func `the rate of the rule holds`() {
        var governor = LaneGovernor(limits: LaneLimits(rate: MessageRate(120, per: .minute)))
        #expect([governor.permit(at: 0), governor.permit(at: 0)] == [.now, .now])
        #expect(governor.permit(at: 0) == .at(0.5))
        governor.permitUnused(at: 0)
        #expect(governor.permit(at: 0) == .now)
        #expect(governor.permit(at: 0.5) == .now)
    }

    @Test func `a suspended lane is asked again in a minute at the latest`() {
        var governor = LaneGovernor(limits: LaneLimits())
        governor.suspend(reason: "test")
        #expect(governor.permit(at: 100) == .at(160))
        #expect(governor.state(at: 100).condition == .suspended(until: nil, reason: "test"))
    }

    @Test func `new rules keep what was learnt`() {
        var governor = LaneGovernor(limits: LaneLimits(connections: 20))
        governor.setLimits(LaneLimits(connections: 40, rate: MessageRate(5, per: .second)), at: 0)
        #expect(governor.state(at: 0).connections == 40 && governor.state(at: 0).ratePerSecond == 5)
        governor.refused(.slowDown, code: 421, enhanced: nil, at: 0)
        governor.setLimits(LaneLimits(connections: 30, rate: MessageRate(50, per: .second)), at: 0)
        #expect(governor.state(at: 0).connections == 14)
        #expect(governor.state(at: 0).ratePerSecond! < 5)
        governor.setLimits(LaneLimits(connections: 3), at: 0)
        #expect(governor.state(at: 0).connections == 3)
    }

    /// Whatever happens, limits stay between the floor and the rule, a suspended lane sends nothing, and when the site
    /// accepts everything again the lane comes back to its rule within an hour.
    @Test(arguments: Seed.range(40)) func `stays in bounds and recovers`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let rate =
            Bool.random(using: &generator) ? MessageRate(Int.random(in: 1...100, using: &generator), per: .second) : nil
        let limits = LaneLimits(connections: Int.random(in: 1...40, using: &generator), rate: rate)
        var governor = LaneGovernor(limits: limits)
        var now = 0.0
        var underWay = 0
        let actions: [ReplyAction?] = [
            .slowDown, .slowDown, .suspend(seconds: 60), .rotateSource(seconds: 30), .bounce, .retry, .block,
            .markMailbox,
            .ignore, nil,
        ]
        for _ in 0..<1_000 {
            now += Double.random(in: 0...2, using: &generator)
            switch Int.random(in: 0..<9, using: &generator) {
            case 0...3: if governor.permit(at: now) == .now { underWay += 1 }
            case 4 where underWay > 0:
                underWay -= 1
                governor.accepted(at: now)
            case 5 where underWay > 0:
                underWay -= 1
                governor.refused(actions.randomElement(using: &generator)!, code: 421, enhanced: nil, at: now)
            case 6 where underWay > 0 && Int.random(in: 0..<4, using: &generator) == 0:
                underWay -= 1
                governor.connectFailed(at: now)
            case 7 where underWay > 0:
                underWay -= 1
                governor.permitUnused(at: now)
            case 8: governor.closed(actions.randomElement(using: &generator)!, code: 421, enhanced: nil, at: now)
            default: break
            }
            let state = governor.state(at: now)
            #expect((1...limits.connections).contains(state.connections))
            if let rate { #expect(state.ratePerSecond! <= rate.perSecond + 1e-9) }
            if let present = state.ratePerSecond { #expect(present >= 0.1 - 1e-9) }
            if case .backingOff(let until, _) = state.condition {
                #expect(until > now && governor.permit(at: now) == .at(until))
                #expect(governor.connectionsWanted(forQueued: 100, at: now) == 0)
            }
        }
        for _ in 0..<underWay { governor.accepted(at: now) }
        let end = now + 3_600
        while now < end {
            if governor.permit(at: now) == .now { governor.accepted(at: now) }
            now += 0.3
        }
        #expect(governor.state(at: now).condition == .open)
        #expect(governor.state(at: now).ratePerSecond == rate?.perSecond)
    }
}
