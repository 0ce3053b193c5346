import TestSupport
import Testing

@testable import TrafficShaping

struct ProviderGovernorTests {
    private typealias Governor = ProviderGovernor<Int>

    private static func governor(connections: Int, rate: MessageRate? = nil, blocks: Int = 3) -> Governor {
        Governor(
            limits: LaneLimits(connections: connections, rate: rate, blocksBeforePause: blocks),
            policy: GovernorPolicy())
    }

    @Test func `connections are lent up to the limit, then in turn`() {
        var governor = Self.governor(connections: 2)
        #expect(governor.takeConnection(for: 1, at: 0) == true)
        #expect(governor.takeConnection(for: 2, at: 0) == true)
        #expect(governor.takeConnection(for: 3, at: 0) == false)
        #expect(governor.takeConnection(for: 4, at: 0) == false)
        // It has its place already.
        #expect(governor.takeConnection(for: 3, at: 0) == false)
        #expect(governor.grants(at: 0) == [])
        governor.giveBackConnection()
        // Whoever comes now does not overtake.
        #expect(governor.takeConnection(for: 5, at: 0) == false)
        #expect(governor.grants(at: 0) == [3])
        governor.giveBackConnection()
        governor.giveBackConnection()
        #expect(governor.grants(at: 0) == [4, 5])
        #expect(governor.connectionsInUse == 2 && governor.waitingCount == 0)
    }

    @Test func `who waits no more is passed over`() {
        var governor = Self.governor(connections: 1)
        #expect(governor.takeConnection(for: 1, at: 0) == true)
        for member in 2...4 { #expect(governor.takeConnection(for: member, at: 0) == false) }
        governor.stopWaiting(2)
        governor.giveBackConnection()
        #expect(governor.grants(at: 0) == [3])
        governor.stopWaiting(4)
        governor.giveBackConnection()
        #expect(governor.grants(at: 0) == [])
        #expect(governor.takeConnection(for: 5, at: 0) == true)
    }

    @Test func `nodes share what the provider allows, and each has one at least`() {
        var governor = Self.governor(connections: 5)
        governor.nodes = 2
        var taken: [Bool] = []
        for member in 0..<5 { taken.append(governor.takeConnection(for: member, at: 0)) }
        #expect(taken == [true, true, false, false, false])
        governor.nodes = 9
        governor.giveBackConnection()
        governor.giveBackConnection()
        #expect(governor.grants(at: 0) == [2])
    }

    @Test func `a block met by one lane stops all, and time brings a single mail first`() {
        var governor = Self.governor(connections: 10, blocks: 1)
        #expect(governor.takeConnection(for: 1, at: 0) == true)
        #expect(governor.permit(at: 0) == .now)
        governor.answered(.refused(.suspend(seconds: 600), code: 550, nil), at: 1)
        #expect(governor.permit(at: 2) == .at(601))
        #expect(governor.opensAt(2) == 601)
        #expect(governor.takeConnection(for: 2, at: 2) == false)
        #expect(governor.takeConnection(for: 3, at: 2) == false)
        #expect(governor.nextLook(2) == 601)
        governor.giveBackConnection()
        #expect(governor.grants(at: 600) == [])
        #expect(governor.grants(at: 601) == [2])
        #expect(governor.permit(at: 601) == .now)
        governor.answered(.accepted, at: 602)
        #expect(governor.grants(at: 602) == [3])
    }

    @Test func `a customer's host that cannot be reached says nothing of the provider`() {
        var governor = Self.governor(connections: 2)
        for second in 0..<50 {
            #expect(governor.permit(at: Double(second)) == .now)
            governor.answered(.broken, at: Double(second))
        }
        #expect(governor.state(at: 60).condition == .open)
    }

    @Test func `what another node has met holds here`() {
        var governor = Self.governor(connections: 2)
        governor.learn(restUntil: 100, .reply(code: 550, nil), at: 10)
        #expect(governor.permit(at: 20) == .at(100))
        // A shorter one changes nothing.
        governor.learn(restUntil: 50, .reply(code: 550, nil), at: 20)
        #expect(governor.opensAt(30) == 100)
        governor.resume(at: 30)
        #expect(governor.permit(at: 30) == .now)
    }

    /// A plain list of who waits and who has a connection judges every step.
    @Test(arguments: Seed.range(60)) func `nobody is forgotten, overtaken or given too much`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let limit = Int.random(in: 1...6, using: &generator)
        var governor = Self.governor(connections: limit, blocks: 1)
        var held: [Int] = []
        var line: [Int] = []
        var permitted = 0
        var now = 0.0
        for step in 0..<2_000 {
            now += Double.random(in: 0...3, using: &generator)
            let member = Int.random(in: 0..<20, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0...2:
                if governor.takeConnection(for: member, at: now) {
                    #expect(line.isEmpty, "step \(step): overtook")
                    held.append(member)
                } else if !line.contains(member) {
                    line.append(member)
                }
            case 3 where !held.isEmpty:
                held.removeLast()
                governor.giveBackConnection()
            case 4:
                governor.stopWaiting(member)
                line.removeAll { $0 == member }
            case 5:
                if governor.permit(at: now) == .now {
                    #expect(governor.opensAt(now) <= now, "step \(step): sent during a rest")
                    permitted += 1
                }
            case 6 where permitted > 0:
                permitted -= 1
                let answers: [LaneAnswer] = [
                    .accepted, .accepted, .refused(.slowDown, code: 451, nil), .refused(.block, code: 550, nil),
                    .refused(.suspend(seconds: 30), code: 550, nil), .refused(nil, code: 550, nil), .broken, .unused,
                ]
                governor.answered(answers.randomElement(using: &generator)!, at: now)
            default: break
            }
            let rests = governor.opensAt(now) > now
            let allowed = governor.state(at: now).connections
            let before = held.count
            for member in governor.grants(at: now) {
                #expect(member == line.first, "step \(step): out of turn")
                if !line.isEmpty { line.removeFirst() }
                held.append(member)
            }
            #expect(held.count <= limit, "step \(step)")
            if rests { #expect(held.count == before, "step \(step): granted during a rest") }
            if case .open = governor.state(at: now).condition {
                #expect(line.isEmpty || held.count >= allowed, "step \(step): left waiting")
            }
            #expect(governor.connectionsInUse == held.count && governor.waitingCount == line.count)
            if !line.isEmpty, rests { #expect(governor.nextLook(now) == governor.opensAt(now)) }
        }
    }
}
