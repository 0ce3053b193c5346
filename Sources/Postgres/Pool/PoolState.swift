/// Which connection of a pool goes to whom: decisions only.
///
/// `Resource` is a connection; whoever waits is known by a number. Waiters are served in the order in which they came,
/// and nobody overtakes them.
struct PoolState<Resource> {
    enum Acquisition {
        /// Take this one.
        case use(Resource)
        /// Open a new one; its slot is taken.
        case open
        /// Wait until resumed.
        case wait
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

    private let maximum: Int
    private var idle: [Resource] = []
    /// Slots taken: idle, lent, and being opened.
    private(set) var taken = 0
    private var queue: [UInt64] = []
    private var head = 0
    private var waiting: Set<UInt64> = []
    private(set) var isClosed = false

    init(maximum: Int) { self.maximum = max(1, maximum) }

    var idleCount: Int { idle.count }
    var waitingCount: Int { waiting.count }

    mutating func acquire(as waiter: UInt64) -> Acquisition {
        if isClosed { return .closed }
        // The most recently used one: it is the warmest, and the likeliest to be alive.
        if let resource = idle.popLast() { return .use(resource) }
        if taken < maximum {
            taken += 1
            return .open
        }
        queue.append(waiter)
        waiting.insert(waiter)
        return .wait
    }

    /// Takes back a resource in good order.
    mutating func release(_ resource: Resource) -> Handover {
        if isClosed {
            taken -= 1
            return .discard(resource)
        }
        if let waiter = nextWaiter() { return .give(resource, to: waiter) }
        idle.append(resource)
        return .none
    }

    /// Takes back the slot of a resource that is gone or could not be opened.
    mutating func releaseSlot() -> Handover {
        taken -= 1
        guard !isClosed, let waiter = nextWaiter() else { return .none }
        taken += 1
        return .open(by: waiter)
    }

    /// - Returns: false if the waiter has been served already.
    mutating func abandon(_ waiter: UInt64) -> Bool { waiting.remove(waiter) != nil }

    /// - Returns: what to close, and who waits in vain.
    mutating func close() -> (idle: [Resource], waiting: [UInt64]) {
        isClosed = true
        defer {
            taken -= idle.count
            idle = []
            waiting = []
            queue = []
            head = 0
        }
        return (idle, queue[head...].filter(waiting.contains))
    }

    private mutating func nextWaiter() -> UInt64? {
        while head < queue.count {
            let waiter = queue[head]
            head += 1
            if head > 64, head * 2 > queue.count {
                queue.removeFirst(head)
                head = 0
            }
            if waiting.remove(waiter) != nil { return waiter }
        }
        queue.removeAll(keepingCapacity: true)
        head = 0
        return nil
    }
}
