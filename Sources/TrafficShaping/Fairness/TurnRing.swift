import DequeModule
import HeapModule

/// Whose turn it is: weighted round robin with an optional pace for each member. Members are numbers; what they are and
/// what they have waiting is the owner's business.
///
/// With elements of equal cost, deficit round robin is this: a member takes up to `weight` turns in a row and then goes
/// to the end. Between two services of a member that always waits, another takes at most its weight.
///
/// Not generic, so that other modules need not specialise it.
@usableFromInline
struct TurnRing: Sendable {
    /// The place of a member, valid until it is released.
    @usableFromInline typealias Slot = Int

    private struct Member: Sendable {
        var weight = 1
        /// Turns left before it goes to the end.
        var turnsLeft = 1
        var pace: TokenBucket?
        var place = Place.absent

        var isPlain: Bool { weight == 1 && pace == nil }
    }

    private enum Place: Sendable {
        case absent
        case inTurn
        case parked(until: SteadySeconds)
    }

    private struct Parked: Comparable, Sendable {
        let until: SteadySeconds
        let slot: Slot
        static func < (left: Self, right: Self) -> Bool {
            (left.until, left.slot) < (right.until, right.slot)
        }
    }

    private var members: [Member] = []
    private var free: [Slot] = []
    /// The next to be served first.
    private var turns: Deque<Slot> = []
    /// Entries whose member has since moved elsewhere are passed over.
    private var parked = Heap<Parked>()

    @usableFromInline
    init() {}

    /// A slot for a new member: one that was released, or the next number.
    @usableFromInline
    mutating func claim() -> Slot {
        if let reused = free.popLast() {
            members[reused] = Member()
            return reused
        }
        members.append(Member())
        return members.count - 1
    }

    /// The member has something to be served now. One that is parked for its pace stays so.
    @usableFromInline
    mutating func join(_ slot: Slot) {
        guard case .absent = members[slot].place else { return }
        members[slot].turnsLeft = members[slot].weight
        members[slot].place = .inTurn
        turns.append(slot)
    }

    /// The slot to serve, which gets one turn; nil when nobody may have one now.
    /// - Parameter now: nil serves whatever the pace.
    @usableFromInline
    mutating func next(at now: SteadySeconds?) -> Slot? {
        if !parked.isEmpty { unpark(until: now ?? .infinity) }
        while let slot = turns.first {
            if let now, members[slot].pace != nil, let due = members[slot].pace!.take(at: now) {
                turns.removeFirst()
                park(slot, until: due)
                continue
            }
            members[slot].turnsLeft -= 1
            if members[slot].turnsLeft == 0 {
                members[slot].turnsLeft = members[slot].weight
                turns.removeFirst()
                turns.append(slot)
            }
            return slot
        }
        return nil
    }

    /// The slot that ``next(at:)`` would serve, where it has no pace, so that its turn costs it nothing but the turn.
    @usableFromInline
    mutating func peekUnpaced(at now: SteadySeconds?) -> Slot? {
        if !parked.isEmpty { unpark(until: now ?? .infinity) }
        guard let slot = turns.first, members[slot].pace == nil else { return nil }
        return slot
    }

    /// The member has nothing left.
    /// - Parameter slot: the one that was served last.
    /// - Returns: true when the slot was released, because nobody has set a weight or a pace.
    @usableFromInline
    mutating func leave(_ slot: Slot) -> Bool {
        removeFromTurns(slot)
        members[slot].place = .absent
        return releaseIfUnused(slot)
    }

    /// When the first parked member is due, nil where somebody has a turn or nobody is parked.
    @usableFromInline var nextDue: SteadySeconds? { turns.isEmpty ? parked.min?.until : nil }

    /// - Parameter weight: turns in a row, 1…1,000.
    /// - Returns: true when the slot was released.
    mutating func setWeight(_ weight: Int, of slot: Slot) -> Bool {
        precondition((1...1_000).contains(weight), "a share is 1 to 1,000")
        members[slot].weight = weight
        members[slot].turnsLeft = min(members[slot].turnsLeft, weight)
        return releaseIfUnused(slot)
    }

    /// Setting the same rate again leaves what it has used up as it is.
    /// - Returns: true when the slot was released.
    mutating func setRate(_ rate: MessageRate?, of slot: Slot) -> Bool {
        if let rate, members[slot].pace?.rate == rate.perSecond { return false }
        members[slot].pace = rate.map(TokenBucket.init)
        wake(slot)
        return releaseIfUnused(slot)
    }

    /// Puts a parked slot back in turn.
    private mutating func wake(_ slot: Slot) {
        guard case .parked = members[slot].place else { return }
        members[slot].place = .inTurn
        turns.append(slot)
    }

    private mutating func releaseIfUnused(_ slot: Slot) -> Bool {
        guard case .absent = members[slot].place, members[slot].isPlain else { return false }
        free.append(slot)
        return true
    }

    private mutating func park(_ slot: Slot, until due: SteadySeconds) {
        members[slot].turnsLeft = members[slot].weight
        members[slot].place = .parked(until: due)
        parked.insert(Parked(until: due, slot: slot))
    }

    private mutating func unpark(until now: SteadySeconds) {
        while let first = parked.min, first.until <= now {
            parked.removeMin()
            guard case .parked(first.until) = members[first.slot].place else { continue }
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
