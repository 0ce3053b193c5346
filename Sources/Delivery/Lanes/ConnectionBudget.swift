import Synchronization

/// The connections that a node may have open, all lanes together.
final class ConnectionBudget: Sendable {
    private let limit: Int
    private let used = Atomic(0)

    init(_ limit: Int) { self.limit = limit }

    func take() -> Bool {
        guard used.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            giveBack()
            return false
        }
        return true
    }

    func giveBack() { used.wrappingSubtract(1, ordering: .relaxed) }

    var inUse: Int { used.load(ordering: .relaxed) }
}
