import TrafficShaping

/// Decides when what is done of a batch is settled although others of it are still under way.
///
/// A part is worth its transaction when a recipient in it is due again, or its credits have waited for a while; after a
/// cancellation as soon as the quick answers have come. Each part doubles the wait for the next, so that a batch in a slow
/// lane becomes a few parts and not hundreds.
struct PartTiming: Sendable, Hashable {
    /// The least seconds between parts, at first.
    static let leastWait = 2.0
    /// After so many times the least wait a part is settled for its credits alone.
    static let patience = 15.0
    private static let mostDoublings = 5

    private var lastAt: SteadySeconds
    private(set) var parts = 0
    /// Recipients that are done and not settled.
    private var done = 0
    /// When the first of them is due again.
    private var firstDueAt: SteadySeconds?
    private var mayPart = true
    private var isCancelled = false
    /// The least seconds from a cancellation to its first part: the lanes have given back by then what they hold.
    static let cancelledWait = 0.5

    init(startedAt: SteadySeconds) { lastAt = startedAt }

    /// A recipient has its fate.
    ///
    /// - Parameter dueAt: when it is tried again.
    mutating func finished(dueAt: SteadySeconds?) {
        done += 1
        if let dueAt { firstDueAt = min(firstDueAt ?? dueAt, dueAt) }
    }

    /// No new mail starts, and what is done of the batch is to be given back.
    mutating func cancelled(at now: SteadySeconds) {
        isCancelled = true
        (lastAt, parts) = (now, 0)
    }

    /// The batch is given back as a whole.
    mutating func parked() { mayPart = false }

    /// A part is taken, whether or not that will succeed.
    mutating func taken(at now: SteadySeconds) {
        lastAt = now
        parts += 1
    }

    /// - Parameters:
    ///   - done: how many are done and not settled after a part was.
    ///   - firstDueAt: when the first of them is due again.
    mutating func settled(leaving done: Int, firstDueAt: SteadySeconds?) {
        self.done = done
        self.firstDueAt = firstDueAt
    }

    func isDue(at now: SteadySeconds) -> Bool {
        let leastWait = isCancelled ? Self.cancelledWait : Self.leastWait
        let wait = leastWait * Double(1 << min(parts, Self.mostDoublings))
        guard mayPart, done > 0, now >= lastAt + wait else { return false }
        return isCancelled || firstDueAt.map { $0 <= now } ?? false || now >= lastAt + wait * Self.patience
    }
}
