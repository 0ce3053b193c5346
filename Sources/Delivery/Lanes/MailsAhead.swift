import Synchronization

/// The mails of a node that are made ready while another is on their connection: a few, for the memory that they take. Where
/// more connections are open than that, they fill the time of a commit by themselves.
final class MailsAhead: Sendable {
    private let limit: Int
    private let present = Atomic(0)

    init(limit: Int = 64) { self.limit = limit }

    /// - Returns: false where there are enough; otherwise ``end()`` follows.
    func begin() -> Bool {
        guard present.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            end()
            return false
        }
        return true
    }

    func end() { present.wrappingSubtract(1, ordering: .relaxed) }

    var count: Int { present.load(ordering: .relaxed) }
}
