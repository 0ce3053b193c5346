import TestSupport
import Testing
import TrafficShaping

@Suite struct FairQueueTests {
    @Test func `keys are served in turn and each in order`() {
        var queue = FairQueue<String, Int>()
        for number in 1...4 { queue.append(number, for: "large") }
        queue.append(10, for: "small")
        queue.append(20, for: "late")
        #expect(queue.count == 6)
        var served: [Int] = []
        while let next = queue.popFirst() { served.append(next) }
        #expect(served == [1, 10, 20, 2, 3, 4])
        #expect(queue.isEmpty)
    }

    /// The model keeps one list and, at each turn, looks for the first element of the key that was served longest ago.
    @Test(arguments: Seed.range(20)) func `agrees with a simpler model`(seed: Seed) {
        var generator = SeededGenerator(seed)
        var queue = FairQueue<Int, Int>()
        var turns: [Int] = []
        var waiting: [(key: Int, element: Int)] = []
        for step in 0..<2_000 {
            if Bool.random(using: &generator) {
                let key = Int.random(in: 0..<5, using: &generator)
                if !waiting.contains(where: { $0.key == key }) { turns.append(key) }
                waiting.append((key, step))
                queue.append(step, for: key)
            } else {
                var expected: Int?
                if let key = turns.first, let index = waiting.firstIndex(where: { $0.key == key }) {
                    turns.removeFirst()
                    expected = waiting.remove(at: index).element
                    if waiting.contains(where: { $0.key == key }) { turns.append(key) }
                }
                #expect(queue.popFirst() == expected)
            }
            #expect(queue.count == waiting.count)
        }
    }

    @Test func `a weight is the number of elements in a turn`() {
        var queue = FairQueue<String, String>()
        queue.setWeight(3, for: "heavy")
        for _ in 0..<6 { queue.append("h", for: "heavy") }
        for _ in 0..<3 { queue.append("l", for: "light") }
        var served = ""
        while let next = queue.popFirst() { served += next }
        #expect(served == "hhhlhhhll")
        queue.append("h", for: "heavy")
        queue.append("l", for: "light")
        #expect(queue.popFirst() == "h", "a key that comes back has its weight")
    }

    @Test func `a key at its rate is passed over and the queue tells when it is due`() {
        var queue = FairQueue<String, Int>()
        queue.setRate(MessageRate(60, per: .minute), for: "slow")
        for number in 1...3 { queue.append(number, for: "slow") }
        queue.append(10, for: "free")
        #expect(queue.nextDue == nil)
        #expect([queue.popFirst(at: 0), queue.popFirst(at: 0), queue.popFirst(at: 0)] == [1, 10, nil])
        #expect(queue.nextDue == 1 && queue.count == 2)
        queue.append(11, for: "free")
        #expect(queue.nextDue == nil)
        #expect([queue.popFirst(at: 0.5), queue.popFirst(at: 0.5)] == [11, nil])
        #expect([queue.popFirst(at: 1), queue.popFirst(at: 1)] == [2, nil])
        queue.setRate(MessageRate(60, per: .minute), for: "slow")
        #expect(queue.popFirst(at: 1.5) == nil, "the same rate again is no new allowance")
        queue.setRate(nil, for: "slow")
        #expect(queue.popFirst(at: 1.5) == 3 && queue.isEmpty)
    }

    @Test func `the next element is shown, unless its key has a rate`() {
        var queue = FairQueue<String, Int>()
        queue.setRate(MessageRate(1, per: .second), for: "slow")
        for number in 1...3 { queue.append(number, for: "slow") }
        queue.append(10, for: "free")
        queue.append(11, for: "free")
        #expect(queue.peekUnpaced(at: 0) == nil)
        #expect(queue.popFirst(at: 0) == 1)
        #expect(queue.peekUnpaced(at: 0) == 10 && queue.popFirst(at: 0) == 10 && queue.count == 3)
        // It has no token, and is passed over.
        #expect(queue.popFirst(at: 0) == 11)
        #expect(queue.peekUnpaced(at: 0.5) == nil)
        queue.append(12, for: "free")
        // Both have their turn: the one that waits longer comes in its place.
        #expect(queue.peekUnpaced(at: 1) == 12 && queue.popFirst(at: 1) == 12)
        #expect(queue.peekUnpaced(at: 1) == nil && queue.popFirst(at: 1) == 2)
    }

    @Test func `without a time rates do not count`() {
        var queue = FairQueue<String, Int>()
        queue.setRate(MessageRate(1, per: .day), for: "slow")
        for number in 1...3 { queue.append(number, for: "slow") }
        #expect([queue.popFirst(at: 0), queue.popFirst(at: 0)] == [1, nil])
        #expect([queue.popFirst(), queue.popFirst(), queue.popFirst()] == [2, 3, nil])
    }

    /// While a key waits, every other gets at most its weight and what is left of a turn between two services of it,
    /// and each keeps its own order; and what goes in comes out.
    @Test(arguments: Seed.range(20)) func `shares follow weights`(seed: Seed) {
        var generator = SeededGenerator(seed)
        var queue = FairQueue<Int, (key: Int, number: Int)>()
        let weights = (0..<8).map { _ in Int.random(in: 1...5, using: &generator) }
        for (key, weight) in weights.enumerated() { queue.setWeight(weight, for: key) }
        var waiting = [Int](repeating: 0, count: 8)
        var appended = waiting
        var nextNumber = waiting
        /// For each pair: turns of the second since the first was served or came.
        var since = [[Int]](repeating: waiting, count: 8)
        for step in 0..<4_000 {
            let key = Int.random(in: 0..<8, using: &generator)
            if step < 3_500, Int.random(in: 0..<9, using: &generator) < 5 {
                if waiting[key] == 0 { since[key] = [Int](repeating: 0, count: 8) }
                queue.append((key, appended[key]), for: key)
                appended[key] += 1
                waiting[key] += 1
            } else if let (key, number) = queue.popFirst() {
                #expect(number == nextNumber[key])
                nextNumber[key] += 1
                waiting[key] -= 1
                since[key] = [Int](repeating: 0, count: 8)
                for other in 0..<8 where other != key && waiting[other] > 0 {
                    since[other][key] += 1
                    #expect(since[other][key] <= weights[key], "\(key) went ahead of \(other)")
                }
            }
            #expect(queue.count == waiting.reduce(0, +))
        }
    }

    /// Capped and free keys against a model that keeps plain lists and looks at all of them.
    @Test(arguments: Seed.range(20)) func `rates hold and nothing is lost`(seed: Seed) {
        var generator = SeededGenerator(seed)
        var queue = FairQueue<Int, Int>()
        let rates = (0..<6).map { $0 < 3 ? MessageRate(Int.random(in: 1...20, using: &generator), per: .second) : nil }
        for (key, rate) in rates.enumerated() { queue.setRate(rate, for: key) }
        var now = 0.0
        var appended = [Int](repeating: 0, count: 6)
        var served = appended
        for _ in 0..<2_000 {
            let key = Int.random(in: 0..<6, using: &generator)
            queue.append(key, for: key)
            appended[key] += 1
            if Bool.random(using: &generator) { now += Double.random(in: 0...0.05, using: &generator) }
            guard let key = queue.popFirst(at: now) else {
                #expect(queue.isEmpty || queue.nextDue! > now)
                continue
            }
            served[key] += 1
            if let rate = rates[key]?.perSecond { #expect(Double(served[key]) <= rate * now + rate + 1e-6) }
        }
        while !queue.isEmpty {
            if let key = queue.popFirst(at: now) { served[key] += 1 } else { now = queue.nextDue! }
        }
        #expect(served == appended)
    }

    @Test func `ten thousand keys come in order and leave nothing behind`() {
        var queue = FairQueue<Int, Int>()
        for round in 0..<3 {
            for key in 0..<10_000 { queue.append(round, for: key) }
        }
        for round in 0..<3 {
            #expect((0..<10_000).allSatisfy { _ in queue.popFirst() == round })
        }
        #expect(queue.isEmpty && queue.popFirst() == nil)
    }

    @Test func `campaigns share their account's turns`() {
        var queue = NestedFairQueue<String, String, String>()
        for _ in 0..<100 { queue.append("large", for: "a", in: "large") }
        for _ in 0..<100 { queue.append("other", for: "b", in: "other") }
        queue.append("small", for: "a", in: "small")
        queue.append("small", for: "a", in: "small")
        let served = (0..<8).compactMap { _ in queue.popFirst(at: 0) }
        #expect(served == ["large", "other", "small", "other", "large", "other", "small", "other"])
        queue.setRate(MessageRate(1, per: .second), for: "b")
        #expect([queue.popFirst(at: 0), queue.popFirst(at: 0), queue.popFirst(at: 0)] == ["large", "other", "large"])
        #expect(queue.popFirst(at: 0) == "large")
        var rest = 0
        while queue.popFirst() != nil { rest += 1 }
        #expect(rest == 202 - 12 && queue.isEmpty)
    }
}
