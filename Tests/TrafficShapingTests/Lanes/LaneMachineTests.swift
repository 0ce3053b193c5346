import MailTypes
import Testing

@testable import TrafficShaping

/// A mail that is nothing but its number.
struct NumberedMail: LaneMail, Hashable {
    let number: Int
    var account = AccountID(rawValue: 1)
    var campaign = CampaignID(rawValue: 1)
    var queuedAt: SteadySeconds = 0
}

@Suite struct LaneMachineTests {
    typealias Machine = LaneMachine<NumberedMail>
    private static let account = AccountID(rawValue: 1)

    private static func mails(_ numbers: Range<Int>, at time: SteadySeconds = 0) -> [NumberedMail] {
        numbers.map { NumberedMail(number: $0, queuedAt: time) }
    }

    private static func machine(
        connections: Int = 20, queueSeconds: Double = 15, rate: MessageRate? = nil, gates: [any LaneGate] = []
    ) -> Machine {
        Machine(limits: LaneLimits(connections: connections, queueSeconds: queueSeconds, rate: rate), gates: gates)
    }

    /// Puts mails in, and takes the workers that start for granted.
    private static func fill(_ machine: inout Machine, _ numbers: Range<Int>, at time: SteadySeconds = 0) {
        _ = machine.enqueued(mails(numbers, at: time), of: account, on: nil, at: time)
    }

    private static func numbers(_ mails: [NumberedMail]) -> [Int] { mails.map(\.number) }
    private static func numbers(_ mails: [GivenBackMail<NumberedMail>]) -> [Int] { mails.map(\.mail.number) }

    private static func order(_ action: LaneOrder.Action, until: SteadySeconds? = nil) -> LaneOrder {
        LaneOrder(action: action, reason: "test", givenAt: 1, until: until)
    }

    // MARK: Workers

    @Test(arguments: [(1, 1), (8, 1), (9, 2), (80, 10), (400, 20)])
    func `workers come with the queue, up to the limit`(queued: Int, workers: Int) {
        var machine = Self.machine()
        let actions = machine.enqueued(Self.mails(0..<queued), of: Self.account, on: nil, at: 0)
        var expected = LaneActions<NumberedMail>()
        expected.startWorkers = workers
        #expect(actions == expected)
        #expect(machine.workerCount == workers)
    }

    @Test func `a worker carries what waits and retires in the same step in which nothing does`() {
        var machine = Self.machine()
        Self.fill(&machine, 0..<2)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        #expect(machine.answered(.accepted, at: 1) == LaneActions())
        #expect(machine.workerAsks(retires: false, at: 1) == .mail(NumberedMail(number: 1)))
        #expect(machine.workerAsks(retires: false, at: 1) == .retire(wakeAt: nil))
        #expect(machine.workerCount == 1)
        #expect(machine.workerAsks(retires: true, at: 1) == .retire(wakeAt: nil))
        #expect(machine.workerCount == 0)
    }

    @Test func `a connection that is granted before the lane begins to wait is asked for again`() {
        var machine = Self.machine()
        let started = machine.enqueued(Self.mails(0..<1), of: Self.account, on: nil, at: 0).startWorkers
        #expect(machine.connectionGranted(at: 0).startWorkers == 0)
        machine.workersAwaitConnection(started)
        #expect(machine.woke(at: 0.1).startWorkers == 1)
    }

    @Test func `a worker that hangs on a slow mail keeps nobody waiting`() {
        var machine = Self.machine(connections: 2)
        Self.fill(&machine, 0..<1)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        // A moment is not long.
        #expect(machine.enqueued(Self.mails(1..<2), of: Self.account, on: nil, at: 10).startWorkers == 0)
        #expect(machine.woke(at: 10.5).startWorkers == 0)
        #expect(machine.woke(at: 11).startWorkers == 1)
        #expect(machine.workerAsks(retires: true, at: 11) == .mail(NumberedMail(number: 1)))
        // Both hang: there is no connection for more.
        #expect(machine.enqueued(Self.mails(2..<3), of: Self.account, on: nil, at: 20).startWorkers == 0)
        #expect(machine.woke(at: 30).startWorkers == 0)
    }

    @Test func `nodes share the connections of a site, and each has one at least`() {
        for (nodes, workers) in [(1, 20), (2, 10), (3, 6), (50, 1)] {
            var machine = Self.machine()
            machine.nodes = nodes
            #expect(
                machine.enqueued(Self.mails(0..<200), of: Self.account, on: nil, at: 0).startWorkers == workers)
        }
    }

    @Test func `before the first login one connection finds out`() {
        var machine = Machine(limits: LaneLimits(connections: 8), needsLogin: true)
        #expect(machine.enqueued(Self.mails(0..<100), of: Self.account, on: nil, at: 0).startWorkers == 1)
        #expect(machine.connected(7, at: 0) == LaneActions(), "of another generation")
        #expect(machine.connected(0, at: 0).startWorkers == 7)
    }

    @Test func `a login that fails is told once, and again after it has worked`() {
        var machine = Machine(limits: LaneLimits(connections: 8), needsLogin: true)
        Self.fill(&machine, 0..<9)
        func fail(at time: SteadySeconds) -> String? {
            guard case .mail = machine.workerAsks(retires: false, at: time) else { return "no mail" }
            return machine.answered(.notLoggedIn("535"), at: time).loginProblem
        }
        #expect(fail(at: 0) == "535")
        #expect(fail(at: 31) == nil)
        guard case .mail = machine.workerAsks(retires: false, at: 100) else { return #expect(Bool(false)) }
        _ = machine.answered(.accepted, at: 100)
        #expect(fail(at: 101) == "535")
    }

    // MARK: Taken ahead

    private static func takeAhead(_ machine: inout Machine) -> Int? { machine.takeAhead(at: 0) { _ in true }?.number }

    @Test func `mails are taken ahead while all connections are in use and a mail waits for each`() {
        var machine = Self.machine(connections: 2)
        Self.fill(&machine, 0..<12)
        #expect(machine.workerCount == 2)
        for number in 0..<2 {
            #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: number)))
        }
        for number in 2..<11 { #expect(Self.takeAhead(&machine) == number) }
        // One is left, for whichever connection is free first.
        #expect(Self.takeAhead(&machine) == nil)
        #expect(machine.queuedCount == 1 && machine.workerCount == 2)
    }

    @Test func `none is taken ahead in a lane that could have more connections`() {
        var machine = Self.machine(connections: 3)
        Self.fill(&machine, 0..<12)
        #expect(machine.workerCount == 2)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        #expect(Self.takeAhead(&machine) == nil)
    }

    @Test func `none is taken ahead where anything but connections sets the pace`() {
        func takesAhead(_ machine: Machine, _ change: (inout Machine) -> Void = { _ in }) -> Bool {
            var machine = machine
            Self.fill(&machine, 0..<20)
            change(&machine)
            return Self.takeAhead(&machine) != nil
        }
        #expect(takesAhead(Self.machine(connections: 1)))
        #expect(!takesAhead(Self.machine(connections: 1, rate: MessageRate(1_000, per: .second))))
        #expect(!takesAhead(Self.machine(connections: 1, gates: [OpenGate()])))
        #expect(!takesAhead(Self.machine(connections: 1)) { _ = $0.ordered(Self.order(.drain), at: 0) })
        #expect(!takesAhead(Self.machine(connections: 1)) { _ = $0.closed() })
        #expect(
            !takesAhead(Self.machine(connections: 2)) { machine in
                _ = machine.workerAsks(retires: true, at: 0)
                _ = machine.answered(.refused(.slowDown, code: 421, nil), at: 0)
            })
    }

    @Test func `no mail is taken ahead whose account has a rate, and its token is there when its turn comes`() {
        var machine = Self.machine(connections: 1)
        let terms = AccountTerms(rate: MessageRate(1, per: .second))
        _ = machine.enqueued(Self.mails(0..<9), of: Self.account, on: terms, at: 0)
        #expect(machine.workerCount == 1)
        #expect(Self.takeAhead(&machine) == nil)
        #expect(machine.workerAsks(retires: false, at: 0) == .mail(NumberedMail(number: 0)))
        #expect(machine.workerAsks(retires: false, at: 0) == .retire(wakeAt: 1))
    }

    @Test func `a mail that is not fit stays where it is`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<9)
        #expect(machine.takeAhead(at: 0) { $0.number != 0 } == nil)
        #expect(machine.queuedCount == 9)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
    }

    @Test func `what was taken ahead may stay unless the lane rests or has fewer connections`() {
        var machine = Self.machine(connections: 2)
        Self.fill(&machine, 0..<20)
        for _ in 0..<2 { _ = machine.workerAsks(retires: true, at: 0) }
        #expect(machine.mayKeepReady(at: 0) == true)
        var slower = machine
        _ = slower.answered(.refused(.slowDown, code: 421, nil), at: 0)
        #expect(slower.mayKeepReady(at: 0) == false)
        var ordered = machine
        _ = ordered.ordered(Self.order(.drain), at: 0)
        #expect(ordered.mayKeepReady(at: 0) == false && ordered.workerMayCarryReady(at: 0) == false)
        _ = machine.answered(.refused(.suspend(seconds: 60), code: 421, nil), at: 0)
        #expect(machine.mayKeepReady(at: 0) == false)
    }

    @Test func `what was announced goes on in a slowed lane, but not in one that rests, obeys or is closed`() {
        var machine = Self.machine(connections: 4)
        Self.fill(&machine, 0..<40)
        #expect(machine.workerCount == 4)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        #expect(machine.workerMayCarryAnnounced(at: 0) == true)
        func mayGo(_ change: (inout Machine) -> Void) -> (stays: Bool, goes: Bool) {
            var machine = machine
            change(&machine)
            return (machine.mayKeepAnnounced, machine.workerMayCarryAnnounced(at: 0))
        }
        var slowed = machine
        _ = slowed.answered(.refused(.slowDown, code: 421, nil), at: 0)
        #expect(slowed.mayKeepReady(at: 0) == false)
        #expect(slowed.mayKeepAnnounced)
        #expect(mayGo { _ = $0.ordered(Self.order(.drain), at: 0) } == (false, false))
        #expect(mayGo { _ = $0.closed() } == (false, false))
        #expect(mayGo { _ = $0.answered(.refused(.suspend(seconds: 60), code: 421, nil), at: 0) } == (false, false))
    }

    @Test func `what was announced needs a permit like any other mail`() {
        var machine = Self.machine(connections: 1, rate: MessageRate(1, per: .second))
        Self.fill(&machine, 0..<9)
        #expect(machine.workerMayCarryAnnounced(at: 0) == true)
        #expect(machine.mayKeepAnnounced)
        #expect(machine.workerMayCarryAnnounced(at: 0) == false)
    }

    /// Lets everything through.
    private struct OpenGate: LaneGate {
        func permit(forQueued _: Int, at _: SteadySeconds) -> LaneGovernor.Permit { .now }
    }

    // MARK: Waiting

    @Test func `a short wait is not swallowed by a long one`() {
        var machine = Self.machine(connections: 1, rate: MessageRate(20, per: .second))
        Self.fill(&machine, 0..<30)
        // The node has no connection: one look in a second.
        #expect(machine.workerFoundNoConnection(at: 0).wakeAt == 1)
        // Another event brings a worker, which uses up the rate.
        #expect(machine.returned(Self.mails(30..<31), at: 0).startWorkers == 1)
        for _ in 0..<20 {
            guard case .mail = machine.workerAsks(retires: true, at: 0) else { return #expect(Bool(false)) }
            _ = machine.answered(.accepted, at: 0)
        }
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: 0.05))
        // And a later one is no news.
        #expect(machine.woke(at: 0.05).startWorkers == 1)
    }

    @Test func `each wait for the rate is told as long as it is`() {
        var machine = Self.machine(connections: 1, queueSeconds: 1_000, rate: MessageRate(1, per: .minute))
        Self.fill(&machine, 0..<3)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        _ = machine.answered(.accepted, at: 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: 60))
        #expect(machine.woke(at: 60).startWorkers == 1)
        #expect(machine.workerAsks(retires: true, at: 60) == .mail(NumberedMail(number: 1)))
    }

    @Test func `an account waits for its own rate, and its mail is not sent back for that`() {
        var machine = Self.machine(connections: 1, queueSeconds: 1)
        let slow = AccountTerms(rate: MessageRate(1, per: .minute))
        _ = machine.enqueued(Self.mails(0..<3), of: Self.account, on: slow, at: 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: 60))
        #expect(machine.tick(at: 30).giveBack.isEmpty)
        // Another account's mail passes it, and goes back where it has waited for too long.
        let other = AccountID(rawValue: 2)
        let mail = NumberedMail(number: 9, account: other, queuedAt: 30)
        _ = machine.enqueued([mail], of: other, on: nil, at: 30)
        #expect(Self.numbers(machine.tick(at: 31.5).giveBack) == [9])
        // Without its rate it is mail as any other.
        _ = machine.enqueued([], of: Self.account, on: nil, at: 32)
        #expect(Self.numbers(machine.tick(at: 32).giveBack) == [1, 2])
    }

    @Test func `a full lane takes what waits for its account's rate all the same`() {
        var machine = Self.machine(connections: 1, queueSeconds: 1)
        Self.fill(&machine, 0..<300)
        for second in 0..<30 {
            guard case .mail = machine.workerAsks(retires: false, at: Double(second)) else {
                return #expect(Bool(false))
            }
            _ = machine.answered(.accepted, at: Double(second))
        }
        func givenBack(_ number: Int, on terms: AccountTerms?) -> [Int] {
            let other = AccountID(rawValue: Int64(number))
            let mail = NumberedMail(number: number, account: other, queuedAt: 30)
            return Self.numbers(machine.enqueued([mail], of: other, on: terms, at: 30).giveBack)
        }
        #expect(givenBack(901, on: nil) == [901])
        #expect(givenBack(902, on: AccountTerms(weight: 2)) == [902])
        #expect(givenBack(903, on: AccountTerms(rate: MessageRate(1, per: .minute))).isEmpty)
    }

    // MARK: Rests

    /// Fails connections until the lane rests.
    private static func breakDown(_ machine: inout Machine, at time: SteadySeconds) -> LaneActions<NumberedMail> {
        var actions = LaneActions<NumberedMail>()
        for _ in 0..<3 {
            guard case .mail = machine.workerAsks(retires: false, at: time) else { break }
            actions = machine.answered(.broken, at: time)
        }
        return actions
    }

    @Test func `a lane that begins to rest says so, and what waits goes elsewhere or back`() {
        for mayHandOver in [true, false] {
            var machine = Self.machine(connections: 1)
            Self.fill(&machine, 0..<6)
            let actions = Self.breakDown(&machine, at: 0)
            #expect(actions.tickNow)
            #expect(machine.readiness(at: 0) == .rests(until: 30))
            let next = machine.tick(mayHandOver: mayHandOver, at: 0)
            #expect(Self.numbers(next.handOver) == (mayHandOver ? [3, 4, 5] : []))
            #expect(Self.numbers(next.giveBack) == (mayHandOver ? [] : [3, 4, 5]))
            #expect(machine.queuedCount == 0)
        }
    }

    @Test func `what nobody takes comes back when the first other lane opens, not when this one does`() {
        for (elsewhere, seconds) in [(nil, 31.0), (20, 21), (.infinity, 31), (0, 16)] as [(SteadySeconds?, Double)] {
            var machine = Self.machine(connections: 1)
            Self.fill(&machine, 0..<4)
            _ = Self.breakDown(&machine, at: 0)
            let offered = machine.tick(mayHandOver: true, at: 0).handOver
            let back = machine.declined(offered, opensElsewhere: elsewhere, at: 0).giveBack
            #expect(back == [GivenBackMail(offered[0], inSeconds: seconds, awaitsResume: true)])
        }
    }

    @Test func `what waits while all rest comes back when the first of them opens`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<4)
        _ = Self.breakDown(&machine, at: 0)
        #expect(machine.tick(opensElsewhere: 20, at: 0).giveBack.map(\.inSeconds) == [21])
    }

    @Test func `in the last seconds of a rest mail waits for the probe, and the others for its answer`() {
        var machine = Self.machine(connections: 4)
        Self.fill(&machine, 0..<3)
        _ = Self.breakDown(&machine, at: 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: nil))
        let actions = machine.enqueued(Self.mails(3..<9, at: 20), of: Self.account, on: nil, at: 20)
        var expected = LaneActions<NumberedMail>()
        expected.wakeAt = 30
        #expect(actions == expected)
        #expect(machine.woke(at: 30).startWorkers == 1)
        guard case .mail = machine.workerAsks(retires: true, at: 30) else { return #expect(Bool(false)) }
        #expect(machine.tick(at: 31).startWorkers == 0)
        #expect(machine.answered(.accepted, at: 31).startWorkers == 1)
    }

    @Test func `a new way to connect ends a rest for want of a connection, and older answers say nothing of logins`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<3)
        _ = Self.breakDown(&machine, at: 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: nil))
        Self.fill(&machine, 3..<4, at: 25)
        #expect(machine.connectionGeneration == 0)
        #expect(machine.reconnected(needsLogin: true, at: 26).startWorkers == 1)
        #expect(machine.connectionGeneration == 1)
    }

    // MARK: Overflow

    @Test func `mail beyond what the site takes while it may wait goes back, spread over the time it needs`() {
        var machine = Self.machine(connections: 1, queueSeconds: 15)
        Self.fill(&machine, 0..<400)
        // Ten a second, over a whole window.
        for step in 0..<70 {
            guard case .mail = machine.workerAsks(retires: false, at: Double(step) / 10) else { break }
            _ = machine.answered(.accepted, at: Double(step) / 10)
        }
        let actions = machine.enqueued(Self.mails(400..<410, at: 7), of: Self.account, on: nil, at: 7)
        #expect(Self.numbers(actions.giveBack) == Array(400..<410))
        let seconds = actions.giveBack.map(\.inSeconds)
        #expect(seconds == seconds.sorted() && seconds.allSatisfy { $0 > 15 && $0 < 17 }, "\(seconds)")
        #expect(actions.giveBack.allSatisfy { !$0.awaitsResume })
        let offered = machine.enqueued(
            Self.mails(410..<412, at: 7), of: Self.account, on: nil, mayHandOver: true, at: 7)
        #expect(Self.numbers(offered.handOver) == [410, 411] && offered.giveBack.isEmpty)
    }

    @Test func `what has waited for too long, or must not start, goes back, and the others keep their order`() {
        var machine = Self.machine(connections: 1, queueSeconds: 15)
        Self.fill(&machine, 0..<2)
        Self.fill(&machine, 2..<6, at: 10)
        let back = machine.tick(at: 16) { $0.number != 4 }.giveBack
        #expect(Self.numbers(back) == [0, 1, 4])
        #expect(back.allSatisfy { !$0.awaitsResume })
        var left: [Int] = []
        while case .mail(let mail) = machine.workerAsks(retires: false, at: 16) { left.append(mail.number) }
        #expect(left == [2, 3, 5])
    }

    // MARK: Orders

    @Test func `a failing lane ends what waits and what comes`() {
        var machine = Self.machine()
        Self.fill(&machine, 0..<3)
        #expect(Self.numbers(machine.ordered(Self.order(.fail), at: 0).end) == [0, 1, 2])
        let late = machine.enqueued(Self.mails(3..<5), of: Self.account, on: nil, mayHandOver: true, at: 0)
        #expect(Self.numbers(late.end) == [3, 4] && late.handOver.isEmpty && late.giveBack.isEmpty)
        // The same order, read again, is no news.
        #expect(machine.ordered(Self.order(.fail, until: 7), at: 0) == LaneActions())
        #expect(machine.ordered(nil, at: 0).tickNow)
        Self.fill(&machine, 5..<6)
        #expect(machine.queuedCount == 1)
    }

    @Test func `a draining lane sends what it has and takes nothing new`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<3)
        _ = machine.ordered(Self.order(.drain, until: 100), at: 0)
        let late = machine.enqueued(Self.mails(3..<4), of: Self.account, on: nil, at: 0)
        #expect(late.giveBack == [GivenBackMail(NumberedMail(number: 3), inSeconds: 101, awaitsResume: true)])
        #expect(machine.tick(mayHandOver: true, at: 1).handOver.isEmpty)
        #expect(machine.workerAsks(retires: true, at: 1) == .mail(NumberedMail(number: 0)))
        #expect(machine.readiness(at: 1) == .rests(until: 100))
    }

    @Test func `a suspended lane starts nothing and keeps what need not wait for long`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<2)
        let actions = machine.ordered(Self.order(.suspend, until: 10), at: 0)
        #expect(actions.tickNow && actions.startWorkers == 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: 10))
        #expect(machine.tick(at: 1).giveBack.isEmpty)
        // Its own rests are not what a resume ends here.
        #expect(machine.resumed(at: 1).startWorkers == 0)
        _ = machine.ordered(Self.order(.suspend), at: 2)
        #expect(machine.tick(at: 2).giveBack.isEmpty, "the same order")
        _ = machine.ordered(LaneOrder(action: .suspend, reason: "longer", givenAt: 2), at: 2)
        #expect(Self.numbers(machine.tick(at: 2).giveBack) == [0, 1])
    }

    @Test func `a closed lane takes nothing and keeps nothing, whatever brings it`() {
        var machine = Self.machine()
        Self.fill(&machine, 0..<2)
        #expect(Self.numbers(machine.closed().giveBack) == [0, 1])
        let late = [NumberedMail(number: 2)]
        for actions in [
            machine.enqueued(late, of: Self.account, on: nil, mayHandOver: true, at: 0),
            machine.declined(late, opensElsewhere: nil, at: 0), machine.returned(late, at: 0),
        ] {
            #expect(Self.numbers(actions.giveBack) == [2] && actions.startWorkers == 0)
        }
        #expect(machine.queuedCount == 0)
    }

    @Test func `an emptied lane sends all back for a minute and goes on`() {
        var machine = Self.machine()
        Self.fill(&machine, 0..<2)
        #expect(machine.emptied().giveBack.map(\.inSeconds) == [60, 60])
        Self.fill(&machine, 2..<3)
        #expect(machine.queuedCount == 1)
    }

    // MARK: Forgetting

    @Test func `what a lane has learnt is not forgotten with its last mail`() {
        var machine = Self.machine(connections: 1)
        Self.fill(&machine, 0..<3)
        #expect(!machine.mayBeForgotten(unusedFor: 1_000, pause: 300, at: 0), "mail waits")
        _ = Self.breakDown(&machine, at: 0)
        _ = machine.workerAsks(retires: true, at: 0)
        #expect(machine.queuedCount == 0 && machine.workerCount == 0)
        #expect(!machine.mayBeForgotten(unusedFor: 1e9, pause: 300, at: 29), "it rests")
        #expect(!machine.mayBeForgotten(unusedFor: 1_000, pause: 300, at: 1_000), "the next mail is a probe")
        #expect(machine.mayBeForgotten(unusedFor: 3_600, pause: 300, at: 4_000))
        let fresh = Self.machine()
        #expect(!fresh.mayBeForgotten(unusedFor: 299, pause: 300, at: 299))
        #expect(fresh.mayBeForgotten(unusedFor: 300, pause: 300, at: 300))
    }

    // MARK: Gates

    /// Lets so many mails through and says when more may go.
    private final class CountingGate: LaneGate, @unchecked Sendable {
        var left: Int
        var isShut = false
        var answers: [LaneAnswer] = []

        init(_ left: Int) { self.left = left }

        func permit(forQueued _: Int, at now: SteadySeconds) -> LaneGovernor.Permit {
            guard left > 0 else { return .at(now + 7) }
            left -= 1
            return .now
        }

        func answered(_ answer: LaneAnswer, at _: SteadySeconds) {
            answers.append(answer)
            if answer == .unused { left += 1 }
        }

        func opensAt(_ now: SteadySeconds) -> SteadySeconds { isShut ? 1_000 : now }
    }

    @Test func `a gate is asked for each mail, told each answer, and given back what another gate refuses`() {
        let (first, second) = (CountingGate(5), CountingGate(1))
        var machine = Self.machine(connections: 1, gates: [first, second])
        Self.fill(&machine, 0..<4)
        #expect(machine.workerAsks(retires: true, at: 0) == .mail(NumberedMail(number: 0)))
        _ = machine.answered(.accepted, at: 0)
        #expect(machine.workerAsks(retires: true, at: 0) == .retire(wakeAt: 7))
        #expect(first.left == 4)
        #expect(first.answers == [.accepted, .unused] && second.answers == [.accepted])
        #expect(machine.queuedCount == 3)
    }

    @Test func `a gate that is shut for long sends back what waits, as a rest does`() {
        let gate = CountingGate(5)
        var machine = Self.machine(connections: 1, gates: [gate])
        Self.fill(&machine, 0..<2)
        gate.isShut = true
        #expect(machine.readiness(at: 0) == .rests(until: 1_000))
        let back = machine.tick(at: 0).giveBack
        #expect(Self.numbers(back) == [0, 1] && back.allSatisfy { $0.inSeconds > 999 && $0.awaitsResume })
        #expect(Self.numbers(machine.enqueued(Self.mails(2..<3), of: Self.account, on: nil, at: 0).giveBack) == [2])
    }

    @Test func `a lane that awaits a connection of a gate starts no worker until it is granted one`() {
        var machine = Self.machine(connections: 4)
        #expect(machine.enqueued(Self.mails(0..<16), of: Self.account, on: nil, at: 0).startWorkers == 2)
        machine.workersAwaitConnection(2)
        #expect(machine.workerCount == 0)
        #expect(machine.tick(at: 1).startWorkers == 0)
        #expect(!machine.mayBeForgotten(unusedFor: 1e9, pause: 0, at: 1))
        #expect(machine.connectionGranted(at: 2).startWorkers == 1)
        #expect(machine.tick(at: 3).startWorkers == 1)
        // Granted too late, it goes back.
        machine.workersAwaitConnection(1)
        _ = machine.emptied()
        #expect(machine.connectionGranted(at: 4).startWorkers == 0)
    }

    // MARK: Pace

    @Test func `a lane without mail says nothing about the pace of its site, however often one looks`() {
        var throughput = Throughput()
        #expect(throughput.perSecond(at: 0) == 0)
        #expect(throughput.established(at: 60) == nil)
        for mail in 0..<20 { throughput.count(at: 60 + Double(mail) / 2) }
        #expect(throughput.established(at: 70) == 2)
        throughput.rest()
        #expect(throughput.perSecond(at: 71) == 0)
        #expect(throughput.established(at: 120) == nil)
        #expect(throughput.total == 20)
    }
}
