/// A node that has ever delivered with these records, as the database knows it. Ages are in seconds.
package struct NodeStatus: Sendable, Hashable {
    package let name: String
    package let startedSecondsAgo: Double
    /// A node says so every two seconds, whether or not it has work.
    package let seenSecondsAgo: Double
    /// Whether a process holds the name at this moment.
    package let isAlive: Bool
}
