import Synchronization

/// The connections that a node may have open, all lanes together. A lane that has some gets further ones while few are
/// open on the node, and above that only for a long queue: a thousand sites would take several each, and all of them when
/// the node itself is what is slow, for memory alone.
final class ConnectionBudget: Sendable {
    private let limit: Int
    private let fewLimit: Int
    private let used = Atomic(0)

    /// - Parameter few: that many open ones are few; nil for a quarter of the limit, 1,024 at the least.
    init(_ limit: Int, few: Int? = nil) {
        self.limit = limit
        fewLimit = min(limit, few ?? max(limit / 4, 1_024))
    }

    /// - Parameters:
    ///   - others: that the lane has.
    ///   - queued: mails that wait in the lane.
    func take(others: Int = 0, forQueued queued: Int = 0) -> Bool {
        let isNeeded = others == 0 || queued >= (others + 1) * Self.longQueue
        guard used.wrappingAdd(1, ordering: .relaxed).newValue <= (isNeeded ? limit : fewLimit) else {
            giveBack()
            return false
        }
        return true
    }

    /// Mails for each connection.
    private static let longQueue = 16

    func giveBack() { used.wrappingSubtract(1, ordering: .relaxed) }

    var inUse: Int { used.load(ordering: .relaxed) }
}
