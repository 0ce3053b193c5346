import Testing
import TrafficShaping

@Suite struct FairQueueTests {
    @Test func keysAreServedInTurnAndEachInOrder() {
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
    @Test(arguments: 0..<20) func agreesWithASimplerModel(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
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

    @Test func connectionsGrowWithTheQueueUpToTheLimit() {
        let limits = LaneLimits(connections: 5)
        #expect([0, 1, 4, 5, 8, 17, 1_000].map(limits.connections(forQueued:)) == [0, 1, 1, 2, 2, 5, 5])
    }
}
