import Campaigns
import Fleet
import MailTypes
import Synchronization
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Seeded histories of the routing of a node, with lanes that carry nothing by themselves: what comes, what operators
/// order, what providers want nothing of, and time. A plain account of every mail says whether each may be where it is.
struct RoutingModelTests {
    @Test(arguments: Seed.range(60)) func `mail for recipients' own servers is lost, doubled or misled by nothing`(
        seed: Seed
    ) async throws {
        try await Self.run(seed, smarthosts: 0)
    }

    @Test(arguments: Seed.range(60)) func `mail for smarthosts is lost, doubled or misled by nothing`(
        seed: Seed
    ) async throws {
        try await Self.run(seed, smarthosts: 3)
    }

    private static func run(_ seed: Seed, smarthosts: Int) async throws {
        let history = try RoutingHistory(seed, smarthosts: smarthosts)
        for _ in 0..<120 where history.faults.isEmpty { history.step() }
        await history.finish()
        #expect(
            history.faults.isEmpty,
            "\(seed.testDescription): \(history.faults.prefix(3)) after \(history.log.suffix(10))")
    }
}

private final class RoutingHistory {
    private var generator: SeededGenerator
    private let clock: SimulatedClock
    private let ledger = MailLedger()
    private let routing: SampleRouting
    private let runs: [BatchRun]
    /// The pool of each run's account; nil where this node has none.
    private let pools: [SourcePool?]
    private let hasPools: Bool
    /// Mail at a position takes the way of its remainder.
    private let ways: [[Destination]]
    private let gates: [String: RestGate]
    private var order: OperatorOrder?
    private var made = 0
    private(set) var faults: [String] = []
    private(set) var log: [String] = []

    private static let queueSeconds = 15.0
    private static let accounts = (1...3).map { AccountID(rawValue: $0) }

    init(_ seed: Seed, smarthosts count: Int) throws {
        var generator = SeededGenerator(seed)
        let pools = Self.pools(&generator, coldOnes: count == 0)
        let smarthosts = (0..<count).map {
            Smarthost(host: "relay\($0).example", port: 587, addresses: [IPAddress("192.0.2.\($0 + 1)")!])
        }
        let clock = SimulatedClock(20_000 * 86_400 + 1_000)
        let time = DeliveryClock(steady: { clock.now }, wall: { clock.now })
        let names = pools.values.flatMap(\.sources).map(\.address) + [""]
        let gates = Dictionary(uniqueKeysWithValues: names.map { ($0, RestGate()) })
        routing = SampleRouting(
            ledger, ConnectionBudget(0),
            {
                $0.sources = pools
                $0.smarthosts = smarthosts
                $0.laneLimits = LaneLimits(connections: 2, queueSeconds: Self.queueSeconds)
            },
            accounts: [
                Self.accounts[1]: AccountShaping(pool: "own"), Self.accounts[2]: AccountShaping(pool: "elsewhere"),
            ], clock: time, carries: false,
            gate: { gates[$1 ?? ""] })
        runs = try Self.accounts.map { try BatchRun.sample(600, of: $0, clock: time) }
        ways =
            count == 0
            ? try (0..<3).map { [try .sample(["127.0.0.1"], host: "mx\($0).acme.example", port: 25)] }
            : [try routing.dispatcher.smarthosts.way(of: DomainName("example.org")).smarthosts]
        self.pools = [pools["default"], pools["own"], nil]
        hasPools = !pools.isEmpty
        (self.clock, self.gates, self.generator) = (clock, gates, generator)
        let usages = Self.usages(of: pools, to: ways[0][0])
        let fleet = routing.fleet
        ledger.usage.withLock { $0 = { usages.mapValues { fleet.sentToday($0) } } }
    }

    /// None, so that the system picks the address, or two of their own sources.
    private static func pools(_ generator: inout SeededGenerator, coldOnes: Bool) -> [String: SourcePool] {
        guard Int.random(in: 0..<4, using: &generator) > 0 else { return [:] }
        var pools: [String: SourcePool] = [:]
        for (place, name) in ["default", "own"].enumerated() {
            let sources = (1...Int.random(in: 1...3, using: &generator)).map { number in
                let isCold = coldOnes && Int.random(in: 0..<3, using: &generator) == 0
                return MailSource(
                    address: "192.0.\(place).\(number)", heloName: "out.example.net", pool: name,
                    warmUp: isCold ? WarmUpSchedule(startDay: 20_000, dailyAllowances: [15, 40, 90]) : nil)
            }
            pools[name] = SourcePool(name: name, sources: sources)
        }
        return pools
    }

    private static func usages(of pools: [String: SourcePool], to destination: Destination) -> [String: SourceUsage] {
        let addresses = pools.values.flatMap(\.sources).map(\.address)
        return Dictionary(
            uniqueKeysWithValues: addresses.map {
                ($0, SourceUsage(source: $0, provider: destination.provider.name))
            })
    }

    private var now: SteadySeconds { clock.now }

    private func expect(_ isSo: Bool, _ fault: @autoclosure () -> String) {
        if !isSo { faults.append("\(fault()) at \(now)") }
    }

    private func note(_ text: String) { log.append("\(now): \(text)") }

    // MARK: Events

    func step() {
        clock.pass(Double.random(in: 0...3, using: &generator))
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<7: come()
        case 7..<11: tick()
        case 11..<14: carry()
        case 14..<16: giveOrder()
        case 16..<18: rest()
        case 18: clock.pass(Double.random(in: 0...60, using: &generator))
        default: obey(nil)
        }
        check()
    }

    /// Everything stands open at last, and all mail has its end.
    func finish() async {
        obey(nil)
        clock.pass(90_000)
        for lane in routing.lanes.all { send(lane) }
        check()
        expect(routing.lanes.all.allSatisfy { $0.snapshot.queued == 0 }, "mail waits for ever")
        await routing.end()
    }

    private func come() {
        let way = Int.random(in: 0..<ways.count, using: &generator)
        let run = runs.randomElement(using: &generator)!
        let mails = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
            let position = Int.random(in: 0..<200, using: &generator) * ways.count + way
            return QueuedMail(run: run, position: position, queuedAt: now)
        }
        made += mails.count
        note("\(mails.count) of account \(run.batch.id.account.rawValue) come to \(ways[way].map(\.id.site))")
        watch { routing.dispatcher.enqueue(mails, to: ways[way]) }
    }

    private func tick() {
        note("tick")
        watch(mayBeLate: true) { routing.lanes.tick() }
    }

    /// A lane that may send does.
    private func carry() {
        let able = routing.lanes.all.filter { $0.snapshot.queued > 0 && isOpen($0.id) }
        guard let lane = able.min(by: { "\($0.id)" < "\($1.id)" }) else { return }
        note("\(lane.id) sends")
        send(lane)
    }

    private func send(_ lane: Lane) {
        let start = ledger.count
        ledger.send(lane)
        for fate in ledger.fates(since: start) {
            expect(
                candidates(fate.mail).contains(lane.id),
                "account \(fate.mail.account.rawValue) sends by \(lane.id)")
        }
    }

    private func giveOrder() {
        let lanes = routing.lanes.all.sorted { "\($0.id)" < "\($1.id)" }
        guard let lane = lanes.randomElement(using: &generator) else { return }
        let patterns = [lane.id.hosts[0], lane.id.source.map { "\(lane.id.site) from \($0)" } ?? lane.id.site]
        let left = Bool.random(using: &generator) ? Double.random(in: 1...100, using: &generator) : nil
        let actions: [OperatorOrder.Action] = [.suspend, .suspend, .drain, .fail]
        obey(
            OperatorOrder(
                target: .lanes(patterns.randomElement(using: &generator)!),
                action: actions.randomElement(using: &generator)!, reason: "test", givenAt: Int64(log.count),
                secondsLeft: left))
    }

    private func obey(_ order: OperatorOrder?) {
        note("order \(order.map { "\($0.action) \($0.target)" } ?? "none")")
        self.order = order
        watch(mayBeLate: true, isOrder: true) { _ = routing.lanes.obey(ActiveOrders(order.map { [$0] } ?? [])) }
    }

    /// A provider wants nothing from one source for a while.
    private func rest() {
        let source = gates.keys.sorted().randomElement(using: &generator)!
        let until = now + Double.random(in: 1...60, using: &generator)
        note("rest from \(source) until \(until)")
        gates[source]?.rest(until: until)
    }

    private func watch(mayBeLate: Bool = false, isOrder: Bool = false, _ event: () -> Void) {
        let start = ledger.count
        event()
        for fate in ledger.fates(since: start) { judge(fate, mayBeLate: mayBeLate, isOrder: isOrder) }
    }

    // MARK: Judgement

    private func judge(_ fate: MailLedger.Fate, mayBeLate: Bool, isOrder: Bool) {
        let lanes = candidates(fate.mail)
        switch fate.end {
        case .sent: expect(false, "mail was sent by itself")
        case .failed:
            let failing = lanes.filter { order?.action == .fail && isOrdered($0) }
            expect(failing.count == lanes.count || isOrder && !failing.isEmpty, "mail ended while others would take it")
        case .back(let seconds, let reason):
            let isOld = mayBeLate && now - fate.mail.queuedAt > Self.queueSeconds
            let open = lanes.filter {
                isOpen($0) && hasAllowance($0, fate.used) && !fate.mail.declinedBy.contains($0.from(nil))
            }
            // What waits in a lane that drains leaves from there, or goes back where that is for long.
            let isDrained = mayBeLate && order?.action == .drain && lanes.contains { isOrdered($0) && restsLong($0) }
            expect(
                open.isEmpty || isOld || isDrained, "mail goes back (\(reason), \(seconds) s) while \(open) takes it")
            expect(seconds >= 0 && seconds < 90_000, "back in \(seconds) s")
            guard reason == .allowance else { return }
            let wellOnes = lanes.filter { !(order?.action == .fail && isOrdered($0)) }
            expect(!wellOnes.isEmpty && !wellOnes.contains { hasAllowance($0, fate.used) }, "an allowance is left")
            expect(Int(seconds) == 86_400 - Int(now) % 86_400, "back in \(seconds) s, not at midnight")
        }
    }

    /// The lanes that a mail may take; none where another node has the sources of its account.
    private func candidates(_ mail: QueuedMail) -> [LaneID] {
        let pool = pools[Int(mail.account.rawValue) - 1]
        let sources: [String?] = hasPools ? pool?.sources.map(\.address) ?? [] : [nil]
        return ways[mail.position % ways.count].flatMap { way in sources.map { way.id.from($0) } }
    }

    private func isOrdered(_ lane: LaneID) -> Bool {
        guard case .lanes(let pattern) = order?.target else { return false }
        return lane.matches(pattern)
    }

    private func restsLong(_ lane: LaneID) -> Bool {
        !lane.isSmarthost && gates[lane.source ?? ""]!.opensAt(now) > now + Self.queueSeconds
    }

    private func isOpen(_ lane: LaneID) -> Bool {
        !isOrdered(lane) && (lane.isSmarthost || gates[lane.source ?? ""]!.opensAt(now) <= now)
    }

    private func hasAllowance(_ lane: LaneID, _ used: [String: Int]) -> Bool {
        guard let source = lane.source, let allowance = allowance(of: source) else { return true }
        return used[source] ?? 0 < allowance
    }

    private var sources: [MailSource] { pools.compactMap(\.self).flatMap(\.sources) }

    private func allowance(of source: String) -> Int? {
        sources.first { $0.address == source }?.warmUp?.allowance(onDay: Int(now) / 86_400)
    }

    /// Waiting and sent: all sites are one provider's.
    private func used(_ source: String) -> Int {
        let waiting = routing.lanes.all.filter { $0.id.source == source }.reduce(0) { $0 + $1.snapshot.queued }
        return waiting + ledger.sent(from: source)
    }

    private func check() {
        let waiting = routing.lanes.all.reduce(0) { $0 + $1.snapshot.queued }
        expect(waiting + ledger.count == made, "\(made) came, \(waiting) wait, \(ledger.count) ended")
        for source in sources {
            guard let allowance = allowance(of: source.address) else { continue }
            let counted = ledger.usage.withLock(\.self)()[source.address]
            expect(counted == used(source.address), "the node counts \(counted ?? 0) of \(source.address)")
            expect(used(source.address) <= allowance, "\(source.address) has \(used(source.address)) of \(allowance)")
        }
    }
}
