import DequeModule

/// A first-in-first-out queue for each key, served in turn: no key waits behind another's backlog.
///
///     queue.append(1, for: "a"); queue.append(2, for: "a"); queue.append(3, for: "b")
///     queue.popFirst()   // 1, then 3, then 2
///
/// A key may have a weight, the elements it gets in one turn, and a rate that it does not exceed. Both are kept while it
/// has nothing waiting, until they are set back. Each step takes constant time; for a key held back by its rate,
/// logarithmic in the number of such keys.
package struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    private var ring = TurnRing<Key>()
    /// By slot of the ring.
    private var queues: [Deque<Element>] = []
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package mutating func append(_ element: Element, for key: Key) {
        let slot = ring.claim(key)
        makeRoom()
        if queues[slot].isEmpty { ring.join(slot) }
        queues[slot].append(element)
        count += 1
    }

    /// The next element, whatever the rates of the keys.
    package mutating func popFirst() -> Element? { pop(at: nil) }

    /// The next element of a key whose rate allows it now.
    /// - Returns: nil when there is none; then ``nextDue`` tells when to ask again.
    package mutating func popFirst(at now: SteadySeconds) -> Element? { pop(at: now) }

    /// When the first key that was held back may be served, nil where none was.
    package var nextDue: SteadySeconds? { ring.hasTurns ? nil : ring.nextDue }

    /// - Parameter weight: elements in one turn, 1…1,000; 1 is the default.
    package mutating func setWeight(_ weight: Int, for key: Key) {
        ring.setWeight(weight, for: key)
        makeRoom()
    }

    /// - Parameter rate: nil lifts the limit.
    package mutating func setRate(_ rate: MessageRate?, for key: Key) {
        ring.setPace(rate.map(TokenBucket.init), for: key)
        makeRoom()
    }

    private mutating func pop(at now: SteadySeconds?) -> Element? {
        guard let slot = ring.next(at: now) else { return nil }
        let element = queues[slot].removeFirst()
        count -= 1
        if queues[slot].isEmpty { ring.leave(slot) }
        return element
    }

    private mutating func makeRoom() {
        while queues.count < ring.slotCount { queues.append([]) }
    }
}
