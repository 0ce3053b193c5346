public import DequeModule

/// A first-in-first-out queue for each key, served in turn: no key waits behind another's backlog.
///
///     queue.append(1, for: "a"); queue.append(2, for: "a"); queue.append(3, for: "b")
///     queue.popFirst()   // 1, then 3, then 2
///
/// A key may have a weight, the elements it gets in one turn, and a rate that it does not exceed. Both are kept while it
/// has nothing waiting, until they are set back. Each step takes constant time; for a key held back by its rate,
/// logarithmic in the number of such keys.
public struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    @usableFromInline var members = FairMembers<Key, Deque<Element>>()
    @usableFromInline var waiting = 0

    @inlinable
    public init() {}

    @inlinable public var count: Int { waiting }

    @inlinable public var isEmpty: Bool { waiting == 0 }

    @inlinable
    public mutating func append(_ element: Element, for key: Key) {
        let slot = members.slot(of: key, new: [])
        if members.queues[slot].isEmpty { members.ring.join(slot) }
        members.queues[slot].append(element)
        waiting += 1
    }

    /// The next element, whatever the rates of the keys.
    @inlinable
    public mutating func popFirst() -> Element? { pop(at: nil) }

    /// The next element of a key whose rate allows it now.
    /// - Returns: nil when there is none; then ``nextDue`` tells when to ask again.
    @inlinable
    public mutating func popFirst(at now: SteadySeconds) -> Element? { pop(at: now) }

    /// The element that is next, where its key has no rate.
    @inlinable
    public mutating func peekUnpaced(at now: SteadySeconds) -> Element? {
        members.ring.peekUnpaced(at: now).flatMap { members.queues[$0].first }
    }

    /// Whether an element is like this; looks at all of them at most.
    @inlinable
    public func contains(where isLike: (Element) -> Bool) -> Bool {
        members.queues.contains { $0.contains(where: isLike) }
    }

    /// When the first key that was held back may be served; nil where none was, or another may be served at once.
    @inlinable public var nextDue: SteadySeconds? { members.ring.nextDue }

    /// - Parameter weight: elements in one turn, 1…1,000; 1 is the default.
    package mutating func setWeight(_ weight: Int, for key: Key) { members.setWeight(weight, for: key, new: []) }

    /// - Parameter rate: nil lifts the limit; the same as before changes nothing.
    package mutating func setRate(_ rate: MessageRate?, for key: Key) { members.setRate(rate, for: key, new: []) }

    @inlinable
    mutating func pop(at now: SteadySeconds?) -> Element? {
        guard let slot = members.ring.next(at: now) else { return nil }
        let element = members.queues[slot].removeFirst()
        waiting -= 1
        if members.queues[slot].isEmpty { members.leave(slot) }
        return element
    }
}
