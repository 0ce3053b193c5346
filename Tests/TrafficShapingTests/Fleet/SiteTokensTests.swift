import TestSupport
import Testing
import TrafficShaping

@Suite struct SiteTokensTests {
    @Test func `a chunk is twice the equal share of a lease`() {
        #expect(SiteTokens(rate: MessageRate(100, per: .second), nodes: 10).chunk == 40)
        #expect(SiteTokens(rate: MessageRate(100, per: .second), nodes: 1).chunk == 200)
        #expect(SiteTokens(rate: MessageRate(60, per: .hour), nodes: 50).chunk == 1)
    }

    @Test func `asks for what it needs and spends it`() {
        var tokens = SiteTokens(rate: MessageRate(100, per: .second), nodes: 10)
        let before = tokens.take(at: 0)
        #expect(!before)
        #expect(tokens.wanted(forQueued: 3, at: 0) == 3 && tokens.wanted(forQueued: 1_000, at: 0) == 40)
        tokens.leased(3, at: 0)
        #expect(tokens.wanted(forQueued: 3, at: 0) == 0)
        let taken = (0..<4).map { _ in tokens.take(at: 0.1) }
        #expect(taken == [true, true, true, false])
        #expect(tokens.wanted(forQueued: 2, at: 0.1) == 2)
    }

    @Test func `tokens end with their lease`() {
        var tokens = SiteTokens(rate: MessageRate(100, per: .second), nodes: 10)
        tokens.leased(5, at: 0)
        let late = tokens.take(at: 2)
        #expect(!late)
        tokens.leased(2, at: 3)
        let inTime = (tokens.take(at: 4), tokens.take(at: 4), tokens.take(at: 4))
        #expect(inTime == (true, true, false))
    }

    @Test func `an empty store is not asked at once again`() {
        var tokens = SiteTokens(rate: MessageRate(10, per: .second), nodes: 2)
        tokens.leased(0, at: 0)
        #expect(tokens.wanted(forQueued: 5, at: 0.4) == 0 && tokens.wanted(forQueued: 5, at: 0.5) == 5)
    }

    @Test func `without the store a node keeps to its share`() {
        var tokens = SiteTokens(rate: MessageRate(10, per: .second), nodes: 5)
        tokens.storeFailed(at: 0)
        var sent = 0
        for step in 0..<1_000 {
            let now = Double(step) / 10
            if tokens.take(at: now) { sent += 1 }
            if tokens.wanted(forQueued: 9, at: now) > 0 { tokens.storeFailed(at: now) }
        }
        #expect((199...201).contains(sent))
        // With the store it has its tokens at once.
        tokens.leased(4, at: 100)
        let taken = (0..<5).map { _ in tokens.take(at: 100) }
        #expect(taken == [true, true, true, true, false])
    }

    /// Which nodes reach the store.
    enum Reach: CaseIterable, Sendable { case all, some, none }

    /// Nodes that stand still at times, and a store that not all of them reach: together they stay within the rate, and
    /// a busy fleet uses most of it.
    @Test(arguments: Seed.range(8), Reach.allCases) func `the fleet stays within its rate`(seed: Seed, reach: Reach) {
        var generator = SeededGenerator(seed)
        let nodes = Int.random(in: 2...12, using: &generator)
        let rate = MessageRate(Int.random(in: 5...60, using: &generator), per: .second)
        var store = TokenBucket(rate)
        var fleet = [SiteTokens](repeating: SiteTokens(rate: rate, nodes: nodes), count: nodes)
        var standsStillUntil = [Double](repeating: 0, count: nodes)
        let cutOff = fleet.indices.filter { reach == .none || reach == .some && $0 % 2 == 0 }
        var sentInStep: [Int] = []
        for step in 0..<600 {
            let now = Double(step) / 10
            var sent = 0
            for node in fleet.indices.shuffled(using: &generator) where standsStillUntil[node] <= now {
                if Int.random(in: 0..<1_000, using: &generator) == 0 { standsStillUntil[node] = now + 5 }
                let asked = fleet[node].wanted(forQueued: 500, at: now)
                if asked > 0 {
                    if cutOff.contains(node) {
                        fleet[node].storeFailed(at: now)
                    } else {
                        fleet[node].leased(store.take(upTo: asked, at: now), at: now)
                    }
                }
                while fleet[node].take(at: now) { sent += 1 }
            }
            sentInStep.append(sent)
        }
        let onTop = reach == .some ? Double(cutOff.count) / Double(nodes) : 0
        let slack = max(1, rate.perSecond) + Double(nodes * max(1, fleet[0].chunk))
        for start in stride(from: 0, through: 500, by: 10) {
            let sent = Double(sentInStep[start..<start + 100].reduce(0, +))
            #expect(sent <= rate.perSecond * 10 * (1 + onTop) + slack)
        }
        let total = Double(sentInStep.reduce(0, +))
        #expect(total >= rate.perSecond * 60 * 0.75, "\(total) of \(rate.perSecond * 60)")
    }
}
