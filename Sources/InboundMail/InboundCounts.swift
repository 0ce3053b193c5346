package import Feedback
import Synchronization

/// What came in since the start.
package struct InboundCounts: Sendable, Hashable {
    package var connections = 0
    /// Connections and mails of clients that had too many, and mails for which there was no room.
    package var refusedConnections = 0
    package var refusedMails = 0
    package var noRoom = 0
    /// Recipients that do not exist, by ``Miss``.
    package var misses: [String: Int] = [:]
    /// Contents refused for their form.
    package var malformed = 0
    /// Mails that were put off because a database did not answer.
    package var failures = 0
    /// Mails that were taken, by ``FeedbackKind``, and those that only ask for an unsubscribe.
    package var kinds: [String: Int] = [:]
    /// Complaints without a token of ours.
    package var unattributed = 0
    /// Facts that were told, and how many of them were new.
    package var facts: [FeedbackFact: Int] = [:]
    package var newFacts = 0

    package init() {}
}

/// Counts of a running listener.
final class InboundTally: Sendable {
    private let counts = Mutex(InboundCounts())

    var current: InboundCounts { counts.withLock(\.self) }

    func count(_ change: (inout InboundCounts) -> Void) { counts.withLock { change(&$0) } }
}
