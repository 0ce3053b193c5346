import DequeModule

/// A first-in-first-out queue for each key, served in turn: no key waits behind another's backlog.
///
///     queue.append(1, for: "a"); queue.append(2, for: "a"); queue.append(3, for: "b")
///     queue.popFirst()   // 1, then 3, then 2
package struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    private var queues: [Key: Deque<Element>] = [:]
    /// Keys that have elements, the next to be served first.
    private var turns: Deque<Key> = []
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package mutating func append(_ element: Element, for key: Key) {
        if queues[key, default: []].isEmpty { turns.append(key) }
        queues[key, default: []].append(element)
        count += 1
    }

    package mutating func popFirst() -> Element? {
        guard let key = turns.popFirst(), let element = queues[key]?.popFirst() else { return nil }
        count -= 1
        if queues[key]?.isEmpty == false {
            turns.append(key)
        } else {
            queues[key] = nil
        }
        return element
    }
}
