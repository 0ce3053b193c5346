import Campaigns
import MailTypes
import SMTPProtocol
import SMTPTransport
import Synchronization
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Seeded histories of a lane whose workers and preparations are played by the test: mail comes, is made ready, carried,
/// answered and put back, operators order, the lane rests and is closed. A plain account of every intent judges them.
struct ReadyMailModelTests {
    @Test(arguments: Seed.range(60)) func `no intent is left, and each mail has one end`(seed: Seed) async throws {
        let history = try await Self.history(seed)
        #expect(
            history.faults.isEmpty,
            "\(seed.testDescription): \(history.faults.prefix(3)) after \(history.log.suffix(12))")
    }

    @Test func `the histories are about ready mails`() async throws {
        var (carried, takenUp, takenBack) = (0, 0, 0)
        for seed in (0..<10).map({ Seed($0) }) {
            let history = try await Self.history(seed)
            carried += history.carriedReady
            takenUp += history.takenUp
            takenBack += history.takenBack
        }
        #expect(carried > 100 && takenUp > 20 && takenBack > 20)
    }

    private static func history(_ seed: Seed) async throws -> ReadyMailHistory {
        let history = try ReadyMailHistory(seed)
        for _ in 0..<400 where history.faults.isEmpty { history.step() }
        await history.finish()
        return history
    }
}

/// Notes intents and ends, by position.
private final class IntentLedger: MailSender {
    struct Account {
        var open: Set<Int> = []
        var ended: Set<Int> = []
        var faults: [String] = []

        mutating func end(_ position: Int, _ how: String) {
            if open.contains(position) { faults.append("\(position) \(how) with an open intent") }
            if !ended.insert(position).inserted { faults.append("\(position) \(how) after its end") }
        }
    }

    private let state = Mutex(Account())

    var account: Account { state.withLock(\.self) }

    func intend(_ mail: QueuedMail) {
        state.withLock { account in
            if !account.open.insert(mail.position).inserted {
                account.faults.append("\(mail.position) has two intents")
            }
            if account.ended.contains(mail.position) { account.faults.append("\(mail.position) begins after its end") }
        }
    }

    /// The answer has come.
    func conclude(_ mail: QueuedMail) {
        close(mail, "is answered")
        end(mail, "is answered")
    }

    func close(_ mail: QueuedMail, _ how: String) {
        state.withLock { account in
            if account.open.remove(mail.position) == nil {
                account.faults.append("\(mail.position) \(how) without an intent")
            }
        }
    }

    func end(_ mail: QueuedMail, _ how: String) { state.withLock { $0.end(mail.position, how) } }

    // MARK: Of the lane

    func withdraw(_ ready: ReadyMail) { close(ready.mail, "is withdrawn") }

    func requeue(_ mail: QueuedMail, inSeconds _: Double, awaitsResume _: Bool, because _: RequeueReason) {
        end(mail, "goes back")
    }

    func giveUp(_ mail: QueuedMail) { end(mail, "is given up") }

    func endIfOver(_ mail: QueuedMail) -> Bool {
        guard !mail.run.mayStart else { return false }
        end(mail, "may not start")
        return true
    }

    func prepare(_: QueuedMail) async -> ReadyMail? { nil }

    func send(
        _: ReadyMail, over _: SMTPConnection, provider _: Provider, isSmarthost _: Bool,
        next _: @escaping @Sendable () -> SMTPEnvelope?, step _: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer { .unused }

    func fail(_: QueuedMail, _: SMTPConnectFailure, _: DeliveryReport, provider _: Provider) -> LaneAnswer { .unused }
}

private final class ReadyMailHistory {
    private enum Worker {
        case withoutConnection
        case free
        /// - Parameter announced: what its server was told of meanwhile.
        case carrying(QueuedMail, announced: ReadyMail?)
    }

    private var generator: SeededGenerator
    private let clock = SimulatedClock(1_000_000)
    private let ledger = IntentLedger()
    private let routing: SampleRouting
    private let lane: Lane
    private var runs: [BatchRun]
    private var workers: [Worker] = []
    private var preparing: [QueuedMail] = []
    /// When what is ready became so, by position.
    private var readyAt: [Int: SteadySeconds] = [:]
    private var made = 0
    private var order: LaneOrder?
    private var isClosed = false
    private(set) var carriedReady = 0
    private(set) var takenUp = 0
    private(set) var takenBack = 0
    private var ownFaults: [String] = []
    private(set) var log: [String] = []

    private static let mostMails = 4_000

    init(_ seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let clock = clock
        let time = DeliveryClock(steady: { clock.now }, wall: { clock.now })
        let connections = Int.random(in: 1...4, using: &generator)
        routing = SampleRouting(
            ledger, dice: .seeded(1), { $0.laneLimits = LaneLimits(connections: connections, queueSeconds: 20) },
            clock: time, carries: false)
        lane = routing.lanes.lane(to: try .sample(["127.0.0.1"], port: 25), from: nil)
        runs = try (0..<3).map { _ in try BatchRun.sample(Self.mostMails, clock: time) }
        self.generator = generator
    }

    var faults: [String] { ownFaults + ledger.account.faults }

    private var now: SteadySeconds { clock.now }

    private func expect(_ isSo: Bool, _ fault: @autoclosure () -> String) {
        if !isSo { ownFaults.append("\(fault()) at \(now)") }
    }

    private func note(_ text: String) { log.append("\(now): \(text)") }

    // MARK: Events

    func step() {
        clock.pass(Double.random(in: 0...0.02, using: &generator))
        switch Int.random(in: 0..<200, using: &generator) {
        case 0..<16: come()
        case 16..<110: work()
        case 110..<164: endPreparation()
        case 164..<180: tick()
        case 180..<183: obey()
        case 183..<187: liftOrder()
        case 187..<189: lane.resume()
        case 189: stopRun()
        case 190: lane.empty()
        case 191..<198: clock.pass(Double.random(in: 0...0.3, using: &generator))
        default: clock.pass(Double.random(in: 0...8, using: &generator))
        }
        check()
    }

    /// Half of the lanes are closed as they stand, in the others all mail has its end before.
    func finish() async {
        if Bool.random(using: &generator) {
            note("closes")
            isClosed = true
            lane.takeNoMore()
            check()
        }
        liftOrder()
        for _ in 0..<20_000 where ledger.account.ended.count < made && faults.isEmpty {
            clock.pass(0.05)
            endPreparation()
            tick()
            work()
            check()
        }
        expect(ledger.account.ended.count == made, "\(made - ledger.account.ended.count) mails have no end")
        expect(ledger.account.open.isEmpty, "an intent is left")
        expect(routing.ahead.count == 0, "\(routing.ahead.count) places are left")
        await routing.end()
    }

    private func come() {
        let count = Int.random(in: 1...40, using: &generator)
        guard made + count <= Self.mostMails else { return }
        let run = runs.randomElement(using: &generator)!
        let mails = (made..<made + count).map { QueuedMail(run: run, position: $0, queuedAt: now) }
        made += count
        note("\(count) come")
        lane.enqueue(mails, of: run.batch.id.account)
    }

    private func stopRun() {
        note("a run is stopped")
        let index = runs.indices.randomElement(using: &generator)!
        runs[index].stop(.park)
        let time = DeliveryClock(steady: { [clock] in clock.now }, wall: { [clock] in clock.now })
        runs[index] = try! BatchRun.sample(Self.mostMails, clock: time)
    }

    private func obey() {
        let action = [LaneOrder.Action.drain, .suspend, .fail].randomElement(using: &generator)!
        note("order \(action)")
        order = LaneOrder(action: action, reason: "test", givenAt: Int64(log.count), until: now + 30)
        _ = lane.obey(order)
        expect(ready.isEmpty, "mail is ready under an order")
    }

    private func liftOrder() {
        note("no order")
        order = nil
        _ = lane.obey(nil)
    }

    private func tick() {
        note("tick")
        lane.tick()
        expectFresh()
    }

    private func expectFresh() {
        for position in ready {
            expect(now - readyAt[position, default: 0] < 0.1, "\(position) is ready for long")
            expect(order == nil && !isClosed, "\(position) is ready against the order")
        }
    }

    // MARK: Workers

    private func work() {
        while workers.count < lane.snapshot.workers { workers.append(.withoutConnection) }
        guard let index = workers.indices.randomElement(using: &generator) else { return }
        switch workers[index] {
        case .withoutConnection: take(index, retires: true)
        case .free: take(index, retires: false)
        case .carrying(let mail, nil) where Bool.random(using: &generator):
            guard let next = lane.announceNext() else { return }
            note("\(next.mail.position) is announced behind \(mail.position)")
            expect(ledger.account.open.contains(next.mail.position), "\(next.mail.position) has no intent")
            expect(now - readyAt[next.mail.position, default: 0] < 0.05, "\(next.mail.position) was ready for long")
            expect(order == nil && !isClosed, "\(next.mail.position) is announced against the order")
            workers[index] = .carrying(mail, announced: next)
        case .carrying(let mail, let announced):
            end(mail, index)
            if let announced { follow(announced, index) }
        }
    }

    /// The worker has its answer: it goes on with what was announced, if its connection is free.
    private func follow(_ announced: ReadyMail, _ index: Int) {
        let position = announced.mail.position
        guard case .free = workers[index] else {
            note("\(position) is taken back")
            takenBack += 1
            return lane.putBack(announced)
        }
        let wasThere = ready.contains(position)
        let rests = lane.restsUntil(now) != nil
        guard let next = lane.takeUp(announced) else {
            note("\(position) was taken back")
            takenBack += 1
            workers[index] = .withoutConnection
            return
        }
        takenUp += 1
        expect(wasThere && next.ready === announced, "\(position) is taken up twice")
        expect(!rests, "\(position) is carried while its lane rests")
        carry(next, index)
    }

    private func take(_ index: Int, retires: Bool) {
        let next = lane.next(retires: retires)
        expectFresh()
        guard let next else {
            expect(lane.snapshot.workers > 0 || self.ready.isEmpty, "mail is ready for nobody")
            note(retires ? "retires" : "gives its connection back")
            if retires { workers.remove(at: index) } else { workers[index] = .withoutConnection }
            return
        }
        expect(next.ready == nil || !retires, "\(next.mail.position) is ready for a connection still to be made")
        carry(next, index)
    }

    private func carry(_ next: Lane.Next, _ index: Int) {
        let (mail, ready, _) = next
        note("\(ready == nil ? "takes" : "carries") \(mail.position)")
        if ready != nil {
            carriedReady += 1
            expect(ledger.account.open.contains(mail.position), "\(mail.position) is ready without an intent")
            expect(now - readyAt[mail.position, default: 0] < 0.1, "\(mail.position) was ready for long")
            expect(mail.run.mayStart && order == nil && !isClosed, "\(mail.position) may not start")
            readyAt[mail.position] = nil
        } else if ledger.endIfOver(mail) {
            return lane.answered(.unused)
        } else {
            ledger.intend(mail)
        }
        workers[index] = .carrying(mail, announced: nil)
        if let next = lane.takeAhead() {
            note("prepares \(next.position)")
            expect(order == nil && next.run.mayStart, "\(next.position) is prepared against the order")
            preparing.append(next)
            expect(
                unannouncedCount + preparing.count <= 5 * workers.count,
                "\(unannouncedCount) are ready and \(preparing.count) soon, for \(workers.count)")
        }
    }

    private func end(_ mail: QueuedMail, _ index: Int) {
        workers[index] = .free
        switch Int.random(in: 0..<120, using: &generator) {
        case 0..<3:
            note("\(mail.position) finds its connection closed")
            ledger.close(mail, "is withdrawn")
            ledger.intend(mail)
            workers[index] = .carrying(mail, announced: nil)
        case 3..<6:
            note("\(mail.position) could not be tried")
            ledger.close(mail, "is withdrawn")
            lane.answered(.unused)
            lane.update { $0.returned([mail], at: $1) }
        case 6..<9:
            note("\(mail.position) breaks")
            ledger.conclude(mail)
            lane.answered(.broken)
            workers[index] = .withoutConnection
        case 9: answer(mail, .refused(.slowDown, code: 421, nil))
        case 10: answer(mail, .refused(.suspend(seconds: 10), code: 451, nil))
        case 11..<17: answer(mail, .refused(nil, code: 550, nil))
        default: answer(mail, .accepted)
        }
    }

    private func answer(_ mail: QueuedMail, _ answer: LaneAnswer) {
        note("\(mail.position) \(answer)")
        ledger.conclude(mail)
        lane.answered(answer)
    }

    private func endPreparation() {
        guard let index = preparing.indices.randomElement(using: &generator) else { return }
        let mail = preparing.remove(at: index)
        guard Int.random(in: 0..<10, using: &generator) > 0 else {
            note("\(mail.position) is suppressed")
            ledger.end(mail, "is suppressed")
            return lane.prepared(nil)
        }
        note("\(mail.position) is ready")
        ledger.intend(mail)
        readyAt[mail.position] = now
        lane.prepared(.sample(mail, readyAt: now))
    }

    // MARK: Invariants

    private var carried: [Int] {
        workers.compactMap { if case .carrying(let mail, _) = $0 { mail.position } else { nil } }
    }

    private var unannouncedCount: Int {
        let announced = workers.compactMap { worker -> Int? in
            if case .carrying(_, let next) = worker { next?.mail.position } else { nil }
        }
        return ready.subtracting(announced).count
    }

    /// Whose intent is open without a worker.
    private var ready: Set<Int> { ledger.account.open.subtracting(carried) }

    private func check() {
        let account = ledger.account
        let ready = account.open.subtracting(carried)
        readyAt = readyAt.filter { ready.contains($0.key) }
        let queued = lane.snapshot.queued
        expect(
            account.ended.count + carried.count + queued == made,
            "\(made) came, \(queued) wait, \(carried.count) are carried, \(account.ended.count) have ended")
        expect(
            routing.ahead.count == ready.count + preparing.count,
            "\(routing.ahead.count) places for \(ready.count) and \(preparing.count)")
        expect(!isClosed || ready.isEmpty, "mail is ready in a closed lane")
    }
}
