import Synchronization

/// Counts the mails of a node that are ready before their connections, or are being made so. They are few, for the memory that
/// they take and the doubt that they leave if the node is lost. Where more connections are open than that, these fill the
/// time of a commit by themselves.
final class MailsAhead: Sendable {
    private let limit: Int
    private let present = Atomic(0)

    /// Mail of a campaign that has larger ones is not among them, so that all together take 48 MiB. Its transfer takes much
    /// longer than a commit.
    static let mostOctets = 128 << 10

    init(limit: Int = 384) { self.limit = limit }

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
