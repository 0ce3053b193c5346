import DequeModule
import HeapModule

/// Whose turn it is among keys: weighted round robin with an optional pace for each key. It knows nothing of what the
/// keys have waiting; its owner keeps that in an array by ``Slot``.
///
/// With elements of equal cost, deficit round robin is this: a key takes up to `weight` turns in a row and then goes to
/// the end. Between two services of a key that always waits, another takes at most its weight.
struct TurnRing<Key: Hashable & Sendable>: Sendable {
    /// The place of a key, valid until it is released.
    typealias Slot = Int

    private struct Member {
        let key: Key
        var weight = 1
        /// Turns left before it goes to the end.
        var turnsLeft = 1
        var pace: TokenBucket?
        var place = Place.absent

        var isPlain: Bool { weight == 1 && pace == nil }
    }

    private enum Place {
        case absent
        case inTurn
        case parked(until: SteadySeconds)
    }

    private struct Parked: Comparable {
        let until: SteadySeconds
        let slot: Slot
        static func < (left: Self, right: Self) -> Bool {
            (left.until, left.slot) < (right.until, right.slot)
        }
    }

    private var slots: [Key: Slot] = [:]
    private var members: [Member?] = []
    private var free: [Slot] = []
    /// The next to be served first.
    private var turns: Deque<Slot> = []
    /// Entries whose member has since moved elsewhere are passed over.
    private var parked = Heap<Parked>()

    /// Slots are below this.
    var slotCount: Int { members.count }

    /// The key's slot, which is made if it is new.
    mutating func claim(_ key: Key) -> Slot {
        if let slot = slots[key] { return slot }
        let slot: Slot
        if let reused = free.popLast() {
            slot = reused
            members[slot] = Member(key: key)
        } else {
            slot = members.count
            members.append(Member(key: key))
        }
        slots[key] = slot
        return slot
    }

    /// The key has something to be served now. One that is parked for its pace stays so.
    mutating func join(_ slot: Slot) {
        guard case .absent = members[slot]!.place else { return }
        members[slot]!.turnsLeft = members[slot]!.weight
        members[slot]!.place = .inTurn
        turns.append(slot)
    }

    /// The slot to serve, which gets one turn; nil when nobody may have one now.
    /// - Parameter now: nil serves whatever the pace.
    mutating func next(at now: SteadySeconds?) -> Slot? {
        unpark(until: now ?? .infinity)
        while let slot = turns.first {
            if let now, let due = members[slot]!.pace?.take(at: now) {
                turns.removeFirst()
                park(slot, until: due)
                continue
            }
            members[slot]!.turnsLeft -= 1
            if members[slot]!.turnsLeft == 0 {
                members[slot]!.turnsLeft = members[slot]!.weight
                turns.removeFirst()
                turns.append(slot)
            }
            return slot
        }
        return nil
    }

    /// The key has nothing left. Its slot is forgotten unless somebody has set a weight or a pace.
    /// - Parameter slot: the one that was served last.
    mutating func leave(_ slot: Slot) {
        removeFromTurns(slot)
        members[slot]!.place = .absent
        if members[slot]!.isPlain { release(slot) }
    }

    /// When the first parked key is due, nil where none is.
    var nextDue: SteadySeconds? { parked.min?.until }

    /// Whether somebody may be served without waiting for ``nextDue``.
    var hasTurns: Bool { !turns.isEmpty }

    /// - Parameter weight: turns in a row, 1…1,000.
    mutating func setWeight(_ weight: Int, for key: Key) {
        precondition((1...1_000).contains(weight), "a share is 1 to 1,000")
        let slot = claim(key)
        members[slot]!.weight = weight
        members[slot]!.turnsLeft = min(members[slot]!.turnsLeft, weight)
        releaseIfUnused(slot)
    }

    /// Setting the same pace again leaves what it has used up as it is.
    mutating func setPace(_ pace: TokenBucket?, for key: Key) {
        let slot = claim(key)
        if let pace, let present = members[slot]!.pace, (pace.rate, pace.burst) == (present.rate, present.burst) {
            return
        }
        members[slot]!.pace = pace
        wake(slot)
        releaseIfUnused(slot)
    }

    private mutating func wake(_ slot: Slot) {
        guard case .parked = members[slot]!.place else { return }
        members[slot]!.place = .inTurn
        turns.append(slot)
    }

    private mutating func releaseIfUnused(_ slot: Slot) {
        if case .absent = members[slot]!.place, members[slot]!.isPlain { release(slot) }
    }

    private mutating func release(_ slot: Slot) {
        slots[members[slot]!.key] = nil
        members[slot] = nil
        free.append(slot)
    }

    private mutating func park(_ slot: Slot, until due: SteadySeconds) {
        members[slot]!.turnsLeft = members[slot]!.weight
        members[slot]!.place = .parked(until: due)
        parked.insert(Parked(until: due, slot: slot))
    }

    private mutating func unpark(until now: SteadySeconds) {
        while let first = parked.min, first.until <= now {
            parked.removeMin()
            guard let member = members[first.slot], case .parked(first.until) = member.place else { continue }
            wake(first.slot)
        }
    }

    /// The slot that was served last stands at one of the two ends.
    private mutating func removeFromTurns(_ slot: Slot) {
        if turns.last == slot {
            turns.removeLast()
        } else {
            precondition(turns.first == slot, "only the slot served last leaves")
            turns.removeFirst()
        }
    }
}
