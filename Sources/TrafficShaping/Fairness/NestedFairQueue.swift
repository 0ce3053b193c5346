/// A ``FairQueue`` of fair queues: accounts take turns, and within an account its campaigns do, so that a small campaign
/// overtakes a large one without costing another account anything.
///
///     queue.append(job, for: account, in: campaign)
///
/// Weights and rates are those of accounts.
public struct NestedFairQueue<Outer: Hashable & Sendable, Inner: Hashable & Sendable, Element: Sendable>: Sendable {
    @usableFromInline var members = FairMembers<Outer, FairQueue<Inner, Element>>()
    @usableFromInline var waiting = 0

    @inlinable
    public init() {}

    @inlinable public var count: Int { waiting }

    @inlinable public var isEmpty: Bool { waiting == 0 }

    @inlinable
    public mutating func append(_ element: Element, for outer: Outer, in inner: Inner) {
        let slot = members.slot(of: outer, new: FairQueue())
        if members.queues[slot].isEmpty { members.ring.join(slot) }
        members.queues[slot].append(element, for: inner)
        waiting += 1
    }

    /// The next element, whatever the rates.
    @inlinable
    public mutating func popFirst() -> Element? { pop(at: nil) }

    /// The next element of an account whose rate allows it now.
    /// - Returns: nil when there is none; then ``nextDue`` tells when to ask again.
    @inlinable
    public mutating func popFirst(at now: SteadySeconds) -> Element? { pop(at: now) }

    /// The element that is next, where its account has no rate: taking it costs no token that would be lost if it came back.
    @inlinable
    public mutating func peekUnpaced(at now: SteadySeconds) -> Element? {
        members.ring.peekUnpaced(at: now).flatMap { members.queues[$0].peekUnpaced(at: now) }
    }

    /// Whether an element is like this; looks at all of them at most.
    @inlinable
    public func contains(where isLike: (Element) -> Bool) -> Bool {
        members.queues.contains { $0.contains(where: isLike) }
    }

    /// When the first account that was held back may be served; nil where none was, or another may be served at once.
    @inlinable public var nextDue: SteadySeconds? { members.ring.nextDue }

    /// - Parameter weight: elements in one turn, 1…1,000; 1 is the default.
    package mutating func setWeight(_ weight: Int, for outer: Outer) {
        members.setWeight(weight, for: outer, new: FairQueue())
    }

    /// - Parameter rate: nil lifts the limit; the same as before changes nothing.
    package mutating func setRate(_ rate: MessageRate?, for outer: Outer) {
        members.setRate(rate, for: outer, new: FairQueue())
    }

    @inlinable
    mutating func pop(at now: SteadySeconds?) -> Element? {
        guard let slot = members.ring.next(at: now), let element = members.queues[slot].popFirst() else { return nil }
        waiting -= 1
        if members.queues[slot].isEmpty { members.leave(slot) }
        return element
    }
}
