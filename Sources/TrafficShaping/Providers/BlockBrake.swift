/// Decides when so much of a campaign's mail is refused for what its sender is, does or sends that going on only does harm:
/// each further refusal counts against the sender's standing.
///
///     BlockBrake(share: 0.3).stops(answers: 70, blocks: 21)   // true
package struct BlockBrake: Sendable, Hashable {
    /// Blocks that a campaign may meet before their share is looked at, so that a few strict sites stop no campaign.
    package static let leastBlocks = 20
    /// Answers that are counted, older ones less: at so many all counts are brought down to half of it.
    package static let memory = 1_000

    private let share: Double

    /// - Parameter share: of the answers, above 0 and up to 1.
    package init(share: Double) {
        precondition(share > 0 && share <= 1, "a share of nothing stops everything")
        self.share = share
    }

    /// - Parameters:
    ///   - answers: mails that were accepted or refused.
    ///   - blocks: those of them that were refused, and not for their recipient.
    package func stops(answers: Double, blocks: Double) -> Bool {
        blocks >= Double(Self.leastBlocks) && blocks >= share * answers
    }
}
