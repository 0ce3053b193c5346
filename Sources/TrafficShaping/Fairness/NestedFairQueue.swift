/// A ``FairQueue`` of fair queues: accounts take turns, and within an account its campaigns do, so that a small campaign
/// overtakes a large one without costing another account anything.
///
///     queue.append(job, for: account, in: campaign)
package struct NestedFairQueue<Outer: Hashable & Sendable, Inner: Hashable & Sendable, Element: Sendable>: Sendable {
    private var ring = TurnRing<Outer>()
    /// By slot of the ring.
    private var queues: [FairQueue<Inner, Element>] = []
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package mutating func append(_ element: Element, for outer: Outer, in inner: Inner) {
        let slot = ring.claim(outer)
        makeRoom()
        let wasEmpty = queues[slot].isEmpty
        queues[slot].append(element, for: inner)
        count += 1
        if wasEmpty { ring.join(slot) }
    }

    /// The next element, whatever the rates.
    package mutating func popFirst() -> Element? {
        guard let slot = ring.next(at: nil) else { return nil }
        return take(queues[slot].popFirst(), from: slot)
    }

    /// The next element of an account whose rate allows it now.
    /// - Returns: nil when there is none; then ``nextDue`` tells when to ask again.
    package mutating func popFirst(at now: SteadySeconds) -> Element? {
        guard let slot = ring.next(at: now) else { return nil }
        return take(queues[slot].popFirst(at: now), from: slot)
    }

    /// When the first account that was held back may be served, nil where none was.
    package var nextDue: SteadySeconds? { ring.hasTurns ? nil : ring.nextDue }

    /// - Parameter weight: elements in one turn, 1…1,000; 1 is the default.
    package mutating func setWeight(_ weight: Int, for outer: Outer) {
        ring.setWeight(weight, for: outer)
        makeRoom()
    }

    /// - Parameter rate: nil lifts the limit.
    package mutating func setRate(_ rate: MessageRate?, for outer: Outer) {
        ring.setPace(rate.map(TokenBucket.init), for: outer)
        makeRoom()
    }

    private mutating func take(_ element: Element?, from slot: Int) -> Element? {
        guard let element else { return nil }
        count -= 1
        if queues[slot].isEmpty { ring.leave(slot) }
        return element
    }

    private mutating func makeRoom() {
        while queues.count < ring.slotCount { queues.append(FairQueue()) }
    }
}
