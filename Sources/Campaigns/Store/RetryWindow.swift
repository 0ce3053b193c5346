/// Which recipients may share a retry batch, which is due when the first of them is.
package enum RetryWindow {
    /// Whether a recipient with a time of its own may come with one that is due before. Nobody comes later for company,
    /// and nobody by more than a fifth of its wait, or a second, too early.
    ///
    /// - Parameters:
    ///   - first: seconds from now until the first is due
    ///   - own: seconds from now until this one is
    package static func allows(first: Double, own: Double) -> Bool { own - first <= max(1, own / 5) }
}

/// Decides which small retry batches of one campaign become one.
///
/// A joined batch remembers the latest time that one of its recipients was given, and is judged by that when it is to be
/// joined again: however often that happens, nobody comes earlier than ``RetryWindow`` allowed for at first.
struct RetryJoinPlan: Sendable, Hashable {
    struct Part: Sendable, Hashable {
        let number: Int32
        let recipients: Int32
        /// Seconds from now until it is due, and until the last of its recipients would be by itself.
        let due: Double
        let latest: Double
    }

    /// Batches to join, by number.
    let groups: [[Int32]]

    /// - Parameters:
    ///   - parts: in any order.
    ///   - size: the most recipients of a batch.
    ///   - leastParts: fewer are not worth a transaction.
    init(_ parts: [Part], size: Int32, leastParts: Int) {
        var left = parts.sorted { ($0.due, $0.number) < ($1.due, $1.number) }
        var groups: [[Int32]] = []
        while let first = left.first {
            var room = size
            var group: [Int32] = []
            left.removeAll { part in
                guard group.isEmpty || part.recipients <= room && RetryWindow.allows(first: first.due, own: part.latest)
                else { return false }
                room -= part.recipients
                group.append(part.number)
                return true
            }
            if group.count >= leastParts { groups.append(group) }
        }
        self.groups = groups
    }
}
