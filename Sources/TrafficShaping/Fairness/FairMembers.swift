/// The keys of a ring, each with a queue of some kind. Members are visible to inlined code of other modules.
@usableFromInline
struct FairMembers<Key: Hashable & Sendable, Queue: Sendable>: Sendable {
    @usableFromInline var ring = TurnRing()
    @usableFromInline var slots: [Key: Int] = [:]
    /// By slot; keys that have left are kept until their slot is used again.
    @usableFromInline var keys: [Key] = []
    @usableFromInline var queues: [Queue] = []

    @inlinable
    init() {}

    /// The key's slot, which is made with a new queue if the key is new.
    @inlinable
    mutating func slot(of key: Key, new queue: @autoclosure () -> Queue) -> Int {
        if let slot = slots[key] { return slot }
        let slot = ring.claim()
        if slot == keys.count {
            keys.append(key)
            queues.append(queue())
        } else {
            keys[slot] = key
        }
        slots[key] = slot
        return slot
    }

    /// - Parameter slot: of a key whose queue is empty, the one served last.
    @inlinable
    mutating func leave(_ slot: Int) {
        if ring.leave(slot) { slots[keys[slot]] = nil }
    }

    mutating func setWeight(_ weight: Int, for key: Key, new queue: @autoclosure () -> Queue) {
        if ring.setWeight(weight, of: slot(of: key, new: queue())) { slots[key] = nil }
    }

    mutating func setRate(_ rate: MessageRate?, for key: Key, new queue: @autoclosure () -> Queue) {
        if ring.setRate(rate, of: slot(of: key, new: queue())) { slots[key] = nil }
    }
}
