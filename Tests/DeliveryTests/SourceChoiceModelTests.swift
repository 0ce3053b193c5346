import Campaigns
import Synchronization
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Seeded histories of the choice of sources, judged by a plain list: each mail has an order of preference among the
/// sources of its pool that never changes, and leaves from the first that may take it.
struct SourceChoiceModelTests {
    @Test(arguments: Seed.range(80)) func `each mail leaves from the first source of its own that may take it`(
        seed: Seed
    )
        throws
    {
        var history = try SourceHistory(seed)
        for _ in 0..<30 { history.round() }
        #expect(history.faults.isEmpty, "\(seed.testDescription): \(history.faults.prefix(3))")
    }
}

private struct SourceHistory {
    private static let day = 20_000
    private static let provider = "acme"

    private var generator: SeededGenerator
    private let pool: SourcePool
    private let chooser: SourceChooser
    private let destination: Destination
    private let run: BatchRun
    private let secondsOfDay: Int64
    /// Mails that wait in lanes, with the source of each.
    private var waiting: [(mail: QueuedMail, source: MailSource)] = []
    private var sent: [MailSource: Int] = [:]
    private(set) var faults: [String] = []

    init(_ seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let sources = (1...Int.random(in: 1...5, using: &generator)).map { number in
            let isCold = Int.random(in: 0..<2, using: &generator) == 0
            let start = Self.day + Int.random(in: -4...1, using: &generator)
            return MailSource(
                address: "192.0.2.\(number)", heloName: "out.example.net",
                weight: Int.random(in: 1...5, using: &generator), pool: "bulk",
                warmUp: isCold ? WarmUpSchedule(startDay: start, dailyAllowances: [3, 10, 40]) : nil)
        }
        pool = SourcePool(name: "bulk", sources: sources)
        secondsOfDay = Int64.random(in: 0..<86_400, using: &generator)
        let time = Int64(Self.day) * 86_400 + secondsOfDay
        chooser = SourceChooser(
            pools: ["bulk": pool], fleet: FleetState(),
            clock: DeliveryClock(steady: { 0 }, wall: { Double(time) }))
        destination = try .sample(["127.0.0.1"], port: 25)
        run = try BatchRun.sample(500)
        self.generator = generator
    }

    mutating func round() {
        leave()
        let now = Double.random(in: 100...200, using: &generator)
        let readiness = Dictionary(uniqueKeysWithValues: pool.sources.map { ($0, randomReadiness(now)) })
        let mails = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
            QueuedMail(run: run, position: Int.random(in: 0..<500, using: &generator), queuedAt: now)
        }
        var expected = PlainChoice(pool.sources, readiness, used: used, now: now, secondsOfDay: secondsOfDay)
        let answers = mails.map { expected.place(preference(of: $0)) }
        let plan = chooser.plan(mails, of: pool, to: destination, at: now) { readiness[$0]! }
        compare(plan, with: answers, mails)
        // What ends leaves its place.
        guard !expected.endsMail else { return }
        for (source, mails) in plan.bySource { waiting += mails.map { ($0, source) } }
        for (source, count) in used {
            let allowance = source.warmUp?.allowance(onDay: Self.day) ?? .max
            if count > allowance { faults.append("\(source.address) has \(count) of \(allowance)") }
        }
    }

    /// Some mails are sent, others leave their lane untried.
    private mutating func leave() {
        while !waiting.isEmpty, Int.random(in: 0..<3, using: &generator) > 0 {
            let gone = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &generator))
            guard Bool.random(using: &generator) else { continue }
            gone.mail.warmUp?.use()
            sent[gone.source, default: 0] += 1
        }
    }

    private mutating func randomReadiness(_ now: Double) -> LaneReadiness {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: .wantsProbe
        case 1: .rests(until: now)
        case 2: .rests(until: .infinity)
        case 3: .rests(until: now + Double.random(in: 1...100, using: &generator))
        default: .open
        }
    }

    private var used: [MailSource: Int] {
        waiting.reduce(into: sent) { $0[$1.source, default: 0] += 1 }
    }

    /// Asked with all sources well, then without the one that was named, and so on.
    private func preference(of mail: QueuedMail) -> [MailSource] {
        var left = pool.sources
        var order: [MailSource] = []
        while !left.isEmpty {
            let choice = SourcePool(name: "bulk", sources: left).choose(
                for: SourceChooser.key(mail), onDay: Self.day + 1_000, sentToday: { _ in 0 }, restsUntil: { _ in nil })
            guard case .source(let source) = choice else { return order }
            order.append(source)
            left.removeAll { $0 == source }
        }
        return order
    }

    private mutating func compare(
        _ plan: SourceChooser.Plan, with expected: [PlainChoice.Place], _ mails: [QueuedMail]
    ) {
        var places: [PlainChoice.Place: [Int]] = [:]
        for (source, mails) in plan.bySource { places[.source(source)] = mails.map(\.position) }
        for (mail, seconds, reason) in plan.later {
            places[.later(seconds: seconds.rounded(), reason), default: []].append(mail.position)
        }
        var wanted: [PlainChoice.Place: [Int]] = [:]
        for (mail, place) in zip(mails, expected) { wanted[place, default: []].append(mail.position) }
        if places != wanted { faults.append("\(places) instead of \(wanted)") }
    }
}

/// The sources at one moment, and what each has left.
private struct PlainChoice {
    enum Place: Hashable {
        case source(MailSource)
        case later(seconds: Double, RequeueReason)
    }

    private let readiness: [MailSource: LaneReadiness]
    private var left: [MailSource: Int] = [:]
    private var unprobed: [MailSource] = []
    private let first: MailSource
    private let now: Double
    private let secondsOfDay: Int64

    init(
        _ sources: [MailSource], _ readiness: [MailSource: LaneReadiness], used: [MailSource: Int], now: Double,
        secondsOfDay: Int64
    ) {
        self.readiness = readiness
        first = sources[0]
        self.now = now
        self.secondsOfDay = secondsOfDay
        for source in sources {
            left[source] = source.warmUp?.allowance(onDay: 20_000).map { $0 - (used[source] ?? 0) } ?? .max
        }
        if sources.count > 1 { unprobed = sources.filter { readiness[$0] == .wantsProbe } }
    }

    /// All sources do.
    var endsMail: Bool { readiness.values.allSatisfy { $0 == .rests(until: .infinity) } }

    /// One mail more, that prefers sources in this order.
    mutating func place(_ order: [MailSource]) -> Place {
        if endsMail { return .source(first) }
        let able = order.filter { left[$0]! > 0 }
        let probed = unprobed.popLast()
        let open = able.first { readiness[$0] == .open }
        let second = able.first { opensAt($0) <= now }
        if let source = probed.flatMap({ able.contains($0) ? $0 : nil }) ?? open ?? second {
            if left[source] != .max { left[source]! -= 1 }
            return .source(source)
        }
        guard let first = able.map(opensAt).min() else {
            return .later(seconds: Double(86_400 - secondsOfDay), .allowance)
        }
        // In those it would end, in others it goes tomorrow.
        if first == .infinity { return .later(seconds: Double(86_400 - secondsOfDay), .allowance) }
        return .later(seconds: (first - now).rounded(), .site)
    }

    private func opensAt(_ source: MailSource) -> Double {
        if case .rests(let until) = readiness[source] { until } else { now }
    }
}
