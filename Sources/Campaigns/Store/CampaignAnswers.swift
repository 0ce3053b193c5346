package import MailTypes

/// What a node has heard of one campaign's mail since it told the store last.
package struct CampaignAnswers: Sendable {
    package let account: AccountID
    package let campaign: CampaignID
    /// To first attempts: later ones come back to those that were refused before, and would make any campaign look blocked
    /// at its end.
    package private(set) var answers = 0
    /// Those of them that refused the mail for its sender.
    package private(set) var blocked = 0
    /// Attempts, later ones included, that were refused so, by reply; with the words of the last.
    package private(set) var blocks: [CampaignBlock.Reply: (count: Int, text: String)] = [:]

    package init(_ account: AccountID, _ campaign: CampaignID) {
        self.account = account
        self.campaign = campaign
    }

    /// A mail was accepted or refused.
    ///
    /// - Parameter block: by which it was refused for its sender, without addresses; nil for any other answer.
    package mutating func add(isFirstAttempt: Bool, block: (reply: CampaignBlock.Reply, text: String)?) {
        if isFirstAttempt { answers += 1 }
        guard let block else { return }
        if isFirstAttempt { blocked += 1 }
        blocks[block.reply] = ((blocks[block.reply]?.count ?? 0) + 1, block.text)
    }

    /// What was heard before.
    package mutating func add(earlier: CampaignAnswers) {
        answers += earlier.answers
        blocked += earlier.blocked
        blocks.merge(earlier.blocks) { ($0.count + $1.count, $0.text) }
    }
}
