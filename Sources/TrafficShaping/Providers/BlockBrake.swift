/// Decides when so much of a campaign's mail is refused for what its sender is, does or sends that going on only does harm:
/// each further refusal counts against the sender's standing.
///
/// Counted are the last answers, older ones less: at ``memory`` answers all counts are halved.
///
///     var brake = BlockBrake(share: 0.3)
///     if brake.answered(isBlock: true) { pause(campaign) }
package struct BlockBrake: Sendable, Hashable {
    /// Blocks that a campaign may meet before their share is looked at, so that a few strict sites stop no campaign.
    package static let leastBlocks = 20
    static let memory = 1_000

    private let share: Double
    private var answers = 0
    private var blocks = 0
    private var hasTripped = false

    /// - Parameter share: of the answers, above 0 and up to 1.
    package init(share: Double) {
        precondition(share > 0 && share <= 1, "a share of nothing stops everything")
        self.share = share
    }

    /// A mail was accepted or refused.
    ///
    /// - Parameter isBlock: refused, and not for its recipient.
    /// - Returns: whether to stop now; true once.
    package mutating func answered(isBlock: Bool) -> Bool {
        answers += 1
        if isBlock { blocks += 1 }
        defer { if answers >= Self.memory { (answers, blocks) = (answers / 2, blocks / 2) } }
        guard isBlock, !hasTripped, blocks >= Self.leastBlocks, Double(blocks) >= share * Double(answers) else {
            return false
        }
        hasTripped = true
        return true
    }
}
