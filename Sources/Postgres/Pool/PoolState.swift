/// Which connection of a pool goes to whom: decisions only.
///
/// `Resource` is a connection; whoever waits is known by a number. Waiters are served in the order in which they came.
/// Nobody overtakes them but who passes those whose owner has all of its share.
struct PoolState<Resource> {
    enum Acquisition {
        /// Take this one.
        case use(Resource)
        /// Open a new one; its slot is taken.
        case open
        /// Wait until resumed.
        case wait
        /// The owner has all of its share, and as many wait as may.
        case refused
        case closed
    }

    enum Handover {
        case none
        /// Give the resource to the waiter.
        case give(Resource, to: UInt64)
        /// Tell the waiter to open a new one; the slot is its own.
        case open(by: UInt64)
        /// Close the resource: the pool is closed.
        case discard(Resource)
    }

    private struct Waiter {
        let number: UInt64
        let owner: ConnectionOwner?
    }

    private let maximum: Int
    private let share: PoolShare?
    private var idle: [Resource] = []
    /// Slots taken: idle, lent, and being opened.
    private(set) var taken = 0
    /// Of each owner: lent and being opened.
    private var lent: [ConnectionOwner: Int] = [:]
    private var queue: [Waiter] = []
    private(set) var isClosed = false

    init(maximum: Int, share: PoolShare? = nil) {
        self.maximum = max(1, maximum)
        self.share = share
    }

    var idleCount: Int { idle.count }
    var waitingCount: Int { queue.count }

    /// Whether the owner has all that it may have.
    func hasItsShare(_ owner: ConnectionOwner?) -> Bool {
        guard let share, let owner else { return false }
        return lent[owner, default: 0] >= max(1, owner.connections ?? share.connections)
    }

    mutating func acquire(as waiter: UInt64, for owner: ConnectionOwner? = nil) -> Acquisition {
        if isClosed { return .closed }
        guard !hasItsShare(owner), !idle.isEmpty || taken < maximum else { return enqueue(waiter, owner) }
        lend(to: owner)
        // The most recently used one: it is the warmest, and the likeliest to be alive.
        if let resource = idle.popLast() { return .use(resource) }
        taken += 1
        return .open
    }

    /// Takes a slot for a resource that nobody has asked for yet. Once it is open, or could not be opened, release it as any other.
    ///
    /// - Returns: false where all are taken.
    mutating func takeSlot() -> Bool {
        guard !isClosed, taken < maximum else { return false }
        taken += 1
        return true
    }

    private mutating func enqueue(_ waiter: UInt64, _ owner: ConnectionOwner?) -> Acquisition {
        if let share, let owner, queue.count(where: { $0.owner == owner }) >= share.waiting { return .refused }
        queue.append(Waiter(number: waiter, owner: owner))
        return .wait
    }

    /// Takes back a resource in good order.
    mutating func release(_ resource: Resource, of owner: ConnectionOwner? = nil) -> Handover {
        takeBack(from: owner)
        if isClosed {
            taken -= 1
            return .discard(resource)
        }
        if let waiter = nextWaiter() { return .give(resource, to: waiter) }
        idle.append(resource)
        return .none
    }

    /// Takes back the slot of a resource that is gone or could not be opened.
    mutating func releaseSlot(of owner: ConnectionOwner? = nil) -> Handover {
        takeBack(from: owner)
        taken -= 1
        guard !isClosed, let waiter = nextWaiter() else { return .none }
        taken += 1
        return .open(by: waiter)
    }

    /// - Returns: false if the waiter has been served already.
    mutating func abandon(_ waiter: UInt64) -> Bool {
        guard let place = queue.firstIndex(where: { $0.number == waiter }) else { return false }
        queue.remove(at: place)
        return true
    }

    /// - Returns: what to close, and who waits in vain.
    mutating func close() -> (idle: [Resource], waiting: [UInt64]) {
        isClosed = true
        defer {
            taken -= idle.count
            idle = []
            queue = []
        }
        return (idle, queue.map(\.number))
    }

    /// The first whose owner may have another; it counts as served.
    private mutating func nextWaiter() -> UInt64? {
        guard let place = queue.firstIndex(where: { !hasItsShare($0.owner) }) else { return nil }
        let waiter = queue.remove(at: place)
        lend(to: waiter.owner)
        return waiter.number
    }

    private mutating func lend(to owner: ConnectionOwner?) {
        if let owner { lent[owner, default: 0] += 1 }
    }

    private mutating func takeBack(from owner: ConnectionOwner?) {
        guard let owner else { return }
        let left = lent[owner, default: 0] - 1
        lent[owner] = left > 0 ? left : nil
    }
}
