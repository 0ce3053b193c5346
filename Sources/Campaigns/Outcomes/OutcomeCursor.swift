/// Where a stream of outcomes goes on: behind the line that it stands in.
///
/// Outcomes are told in two ways. Those of batches at work are told from the journal, in the order of its groups: all up
/// to a *horizon*. Those of batches that have ended are told batch by batch, in the order in which they ended, without
/// what lay before the horizon. So each is told once, however long the reader was away and whatever has ended meanwhile.
///
/// Text form: horizon and its position in the group, the number of the last batch that ended and the position in it,
/// joined by full stops. For readers it is opaque.
package struct OutcomeCursor: Sendable, Hashable, CustomStringConvertible {
    /// All outcomes that were journalled with this number or one before have been told; `.min` where none has.
    var horizon: Int64
    /// Of the group with that number, so many have been told.
    var horizonPosition: Int32
    /// The batch at hand, by the number of its end; `.min` before the first.
    var ended: Int64
    /// Recipients of it before this position have been told.
    var position: Int32

    init(horizon: Int64, horizonPosition: Int32, ended: Int64, position: Int32) {
        self.horizon = horizon
        self.horizonPosition = horizonPosition
        self.ended = ended
        self.position = position
    }

    /// Before the first outcome.
    package static let start = OutcomeCursor(horizon: .min, horizonPosition: 0, ended: .min, position: 0)

    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestText else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, let horizon = Int64(parts[0]), let horizonPosition = Int32(parts[1]),
            let ended = Int64(parts[2]), let position = Int32(parts[3]), horizonPosition >= 0, position >= 0
        else { return nil }
        self.init(
            horizon: horizon == 0 ? .min : horizon, horizonPosition: horizonPosition,
            ended: ended == 0 ? .min : ended, position: position)
        // One cursor, one spelling.
        guard description == text else { return nil }
    }

    private static let longestText = 64

    /// No number is 0: it stands for the start.
    package var description: String {
        "\(horizon == .min ? 0 : horizon).\(horizonPosition).\(ended == .min ? 0 : ended).\(position)"
    }

    /// Whether an outcome was told from the journal.
    func hasTold(_ mark: OutcomeMark) -> Bool {
        (mark.number, mark.position) <= (horizon, horizonPosition)
    }
}
