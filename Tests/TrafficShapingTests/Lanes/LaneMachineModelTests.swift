import MailTypes
import TestSupport
import Testing

@testable import TrafficShaping

/// Seeded histories of a lane, judged by a simpler model: no mail is lost or doubled, the order is fair, limits hold, and
/// each action has a reason.
@Suite struct LaneMachineModelTests {
    @Test(arguments: Seed.range(60)) func `every history adds up`(seed: Seed) throws {
        var history = LaneHistory(seed)
        for _ in 0..<600 { history.step() }
        history.finish()
        #expect(
            history.faults.isEmpty,
            "\(seed.testDescription): \(history.faults.prefix(3)) after \(history.log.suffix(12))")
    }
}

/// Turns of accounts, and of campaigns within an account, written down plainly.
private struct PlainQueue {
    private var accounts: [(account: AccountID, campaigns: [(campaign: CampaignID, mails: [NumberedMail])])] = []

    var mails: [NumberedMail] { accounts.flatMap { $0.campaigns.flatMap(\.mails) } }

    mutating func append(_ mail: NumberedMail) {
        if !accounts.contains(where: { $0.account == mail.account }) { accounts.append((mail.account, [])) }
        let account = accounts.firstIndex { $0.account == mail.account }!
        if !accounts[account].campaigns.contains(where: { $0.campaign == mail.campaign }) {
            accounts[account].campaigns.append((mail.campaign, []))
        }
        let campaign = accounts[account].campaigns.firstIndex { $0.campaign == mail.campaign }!
        accounts[account].campaigns[campaign].mails.append(mail)
    }

    mutating func pop() -> NumberedMail? {
        guard !accounts.isEmpty else { return nil }
        var account = accounts.removeFirst()
        var campaign = account.campaigns.removeFirst()
        let mail = campaign.mails.removeFirst()
        if !campaign.mails.isEmpty { account.campaigns.append(campaign) }
        if !account.campaigns.isEmpty { accounts.append(account) }
        return mail
    }

    /// Takes these out; the others line up anew.
    mutating func remove(_ gone: Set<NumberedMail>) {
        var kept: [NumberedMail] = []
        while let mail = pop() { if !gone.contains(mail) { kept.append(mail) } }
        for mail in kept { append(mail) }
    }
}

private struct LaneHistory {
    private var machine: LaneMachine<NumberedMail>
    private var generator: SeededGenerator
    private var now: SteadySeconds = 0
    private var queue = PlainQueue()
    private var carried: [NumberedMail] = []
    private var ahead: [NumberedMail] = []
    private var out: Set<NumberedMail> = []
    private var made = 0
    private var workers = 0
    private var wakes: [SteadySeconds] = []
    private var limits: LaneLimits
    private var order: LaneOrder?
    private var orders: Int64 = 0
    /// When mails were let through, for the rate.
    private var sentAt: [SteadySeconds] = []
    private(set) var faults: [String] = []
    private(set) var log: [String] = []

    init(_ seed: Seed) {
        generator = SeededGenerator(seed)
        let rates: [MessageRate?] = [nil, nil, MessageRate(5, per: .second), MessageRate(30, per: .minute)]
        limits = LaneLimits(
            connections: Int.random(in: 1...6, using: &generator),
            queueSeconds: Double.random(in: 2...30, using: &generator), rate: rates.randomElement(using: &generator)!)
        machine = LaneMachine(limits: limits)
    }

    private mutating func expect(_ isSo: Bool, _ fault: String) {
        if !isSo { faults.append("\(fault) at \(now)") }
    }

    private mutating func note(_ text: String) { log.append("\(now): \(text)") }

    // MARK: Events

    mutating func step() {
        now += Double.random(in: 0...0.5, using: &generator)
        fireWakes()
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<25: come()
        case 25..<62: work()
        case 62..<70: takeAhead()
        case 70..<88: tick()
        case 88..<91: giveOrder()
        case 91..<93: act("resumed", machine.resumed(at: now))
        case 93..<94: act("emptied", machine.emptied(), isEmptied: true)
        case 94..<96: changeRules()
        case 96..<97: act("reconnected", machine.reconnected(needsLogin: false, at: now))
        default: now += Double.random(in: 0...20, using: &generator)
        }
        check()
    }

    /// Everything comes to its end by itself.
    mutating func finish() {
        order = nil
        act("released", machine.ordered(nil, at: now))
        while !ahead.isEmpty { returnAhead() }
        for _ in 0..<20_000 where machine.queuedCount > 0 || workers > 0 {
            now += 0.25
            fireWakes()
            if workers > 0 { work(answer: .accepted) }
            if Int(now * 4) % 40 == 0 { tick() }
        }
        check()
        expect(machine.queuedCount == 0 && workers == 0, "mail waits for ever")
        expect(out.count == made, "\(made - out.count) mails were lost")
    }

    private mutating func come() {
        let mails = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
            made += 1
            return NumberedMail(
                number: made, account: AccountID(rawValue: Int64.random(in: 1...3, using: &generator)),
                campaign: CampaignID(rawValue: Int64.random(in: 1...2, using: &generator)), queuedAt: now)
        }
        for (account, mails) in Dictionary(grouping: mails, by: \.account).sorted(by: { $0.key < $1.key }) {
            let mayHandOver = Bool.random(using: &generator)
            let opensAt = opensAt
            let actions = machine.enqueued(mails, of: account, on: nil, mayHandOver: mayHandOver, at: now)
            let elsewhere = Set(actions.handOver).union(actions.giveBack.map(\.mail)).union(actions.end)
            let isLong = order?.action == .drain || opensAt > now + limits.queueSeconds
            expect(elsewhere.isEmpty || isLong || order?.action == .fail || queue.mails.count >= 256, "turned away")
            expect(mayHandOver || actions.handOver.isEmpty, "handed over to nobody")
            for mail in mails { queue.append(mail) }
            act("came \(mails.map(\.number))", actions, isAdmission: true)
        }
    }

    private mutating func work(answer: LaneAnswer? = nil) {
        // An idle worker asks first; one that carries is answered.
        if workers > carried.count, !ahead.isEmpty, machine.workerMayCarryReady(at: now) {
            let mail = ahead.removeFirst()
            note("carries \(mail.number)")
            expect(!isSuspended && order == nil, "a ready mail starts against the order")
            carried.append(mail)
        } else if workers > carried.count {
            // A probe comes on top of the rate.
            let isProbe = if case .probing = machine.state(at: now).condition { true } else { false }
            switch machine.workerAsks(retires: true, at: now) {
            case .mail(let mail):
                note("mail \(mail.number)")
                expect(queue.pop() == mail, "mail \(mail.number) is out of turn")
                expect(!isSuspended && order?.action != .fail, "a mail starts against the order")
                carried.append(mail)
                if !isProbe { sentAt.append(now) }
            case .retire(let wakeAt):
                note("retires")
                workers -= 1
                if let wakeAt { wakes.append(wakeAt) }
            }
        } else if !carried.isEmpty {
            let mail = carried.remove(at: Int.random(in: 0..<carried.count, using: &generator))
            end(mail, answer ?? randomAnswer())
        }
    }

    /// One more, or the oldest goes back.
    private mutating func takeAhead() {
        if !ahead.isEmpty, !machine.mayKeepReady(at: now) || Int.random(in: 0..<4, using: &generator) == 0 {
            return returnAhead()
        }
        guard let mail = machine.takeAhead(at: now, where: { $0.number % 9 > 0 }) else { return }
        note("ahead \(mail.number)")
        expect(queue.pop() == mail, "mail \(mail.number) is out of turn")
        expect(mail.number % 9 > 0, "mail \(mail.number) is not fit")
        expect(order == nil && limits.rate == nil, "taken ahead against an order or a rate")
        expect(workers == limits.connections, "taken ahead while connections are left")
        ahead.append(mail)
    }

    private mutating func returnAhead() {
        let mail = ahead.removeFirst()
        queue.append(mail)
        act("back \(mail.number)", machine.returned([mail], at: now))
    }

    private mutating func randomAnswer() -> LaneAnswer {
        switch Int.random(in: 0..<20, using: &generator) {
        case 0: .broken
        case 1: .refused(.slowDown, code: 421, nil)
        case 2: .refused(.suspend(seconds: 40), code: 451, nil)
        // A permit that is given back comes on top of the rate.
        case 3: limits.rate == nil ? .unused : .accepted
        case 4: .refused(nil, code: 550, nil)
        case 5: .refused(.rotateSource(seconds: 5), code: 550, nil)
        default: .accepted
        }
    }

    private mutating func end(_ mail: NumberedMail, _ answer: LaneAnswer) {
        act("\(mail.number) \(answer)", machine.answered(answer, at: now))
        if answer == .unused {
            queue.append(mail)
            act("returned", machine.returned([mail], at: now))
        } else {
            expect(out.insert(mail).inserted, "\(mail.number) has two fates")
        }
    }

    private mutating func tick() {
        let mayHandOver = Int.random(in: 0..<3, using: &generator) == 0
        let stopped = Int.random(in: 0..<8, using: &generator)
        let isOpen = machine.readiness(at: now) == .open
        let opensAt = opensAt
        let actions = machine.tick(mayHandOver: mayHandOver, at: now) { $0.number % 8 != stopped || stopped > 0 }
        expect(actions.handOver.isEmpty || mayHandOver && !isOpen && order?.action != .drain, "handed over")
        for back in actions.giveBack {
            let waited = now - back.mail.queuedAt > limits.queueSeconds
            let mustNotStart = stopped == 0 && back.mail.number % 8 == 0
            expect(
                waited || mustNotStart || opensAt > now + limits.queueSeconds,
                "\(back.mail.number) is given back without a reason")
            expect(back.inSeconds > 0 && back.inSeconds < 1e4, "back in \(back.inSeconds) s")
        }
        act("tick", actions, isShed: true)
    }

    private mutating func giveOrder() {
        orders += 1
        let action: LaneOrder.Action? = [nil, nil, .drain, .suspend, .fail].randomElement(using: &generator)!
        order = action.map {
            LaneOrder(
                action: $0, reason: "test", givenAt: orders,
                until: now + Double.random(in: 1...60, using: &generator))
        }
        act("order \(action.map { "\($0)" } ?? "none")", machine.ordered(order, at: now))
    }

    private mutating func changeRules() {
        limits.connections = Int.random(in: 1...6, using: &generator)
        act("\(limits.connections) connections", machine.rulesChanged(limits, gates: [], at: now))
    }

    private mutating func fireWakes() {
        for wake in wakes.filter({ $0 <= now }) {
            wakes.remove(at: wakes.firstIndex(of: wake)!)
            act("woke", machine.woke(at: now))
        }
    }

    // MARK: Actions

    private mutating func act(
        _ event: String, _ actions: LaneActions<NumberedMail>, isAdmission: Bool = false, isShed: Bool = false,
        isEmptied: Bool = false
    ) {
        note(event)
        let gone = actions.handOver + actions.giveBack.map(\.mail) + actions.end
        if isAdmission || isShed || isEmptied || !gone.isEmpty { take(gone, isAdmission: isAdmission) }
        expect(actions.end.isEmpty || order?.action == .fail, "ended without an order")
        expect(actions.startWorkers == 0 || machine.queuedCount > 0, "a worker for nothing")
        expect(actions.startWorkers == 0 || !isSuspended, "a worker against the order")
        workers += actions.startWorkers
        if let wakeAt = actions.wakeAt { wakes.append(wakeAt) }
        if actions.tickNow { tick() }
    }

    /// Mail that left the queue otherwise than by a worker: half of what was handed over is declined.
    private mutating func take(_ gone: [NumberedMail], isAdmission: Bool) {
        guard !gone.isEmpty else { return }
        if isAdmission { queue.removeLast(gone) } else { queue.remove(Set(gone)) }
        for mail in gone { expect(out.insert(mail).inserted, "\(mail.number) has two fates") }
    }

    private var isSuspended: Bool { order?.action == .suspend && order?.until ?? .infinity > now }

    private var opensAt: SteadySeconds {
        if case .rests(let until) = machine.readiness(at: now) {
            max(until, machine.restsUntil(now) ?? now)
        } else {
            now
        }
    }

    // MARK: Invariants

    private mutating func check() {
        expect(machine.workerCount == workers, "\(machine.workerCount) workers are counted, \(workers) run")
        expect(machine.queuedCount == queue.mails.count, "\(machine.queuedCount) wait, not \(queue.mails.count)")
        expect(out.count + queue.mails.count + carried.count + ahead.count == made, "a mail is nowhere")
        expect(machine.permitted == carried.count, "\(machine.permitted) permits for \(carried.count) mails")
        expect(machine.queuedCount == 0 || workers > 0 || wakes.contains { $0.isFinite }, "nobody will look")
        checkRate()
    }

    /// Never more than the rate allows, in any stretch of time.
    private mutating func checkRate() {
        guard let rate = limits.rate?.perSecond, let last = sentAt.last else { return }
        let burst = max(1, rate)
        for (index, start) in sentAt.enumerated().suffix(60) {
            let count = Double(sentAt.count - index)
            expect(count <= rate * (last - start) + burst + 1e-6, "\(count) mails in \(last - start) s")
        }
    }
}

extension PlainQueue {
    /// Takes out what came last and was not let in.
    fileprivate mutating func removeLast(_ gone: [NumberedMail]) {
        for index in accounts.indices {
            for place in accounts[index].campaigns.indices {
                accounts[index].campaigns[place].mails.removeAll { gone.contains($0) }
            }
            accounts[index].campaigns.removeAll(where: \.mails.isEmpty)
        }
        accounts.removeAll(where: \.campaigns.isEmpty)
    }
}
