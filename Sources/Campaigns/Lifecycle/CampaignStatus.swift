package import CreditLedger

/// A campaign, its credits and what keeps its mail, read together.
package struct CampaignStatus: Sendable, Hashable {
    package let campaign: Campaign
    package let credits: CampaignCredits
    /// By which replies its mail was refused for its sender, the most frequent first.
    package let blocks: [CampaignBlock]
    /// Why recipients bounced or expired.
    package let reasons: CampaignReasons
    /// How far complaints and bounces have braked it; nil where they have not.
    package let brake: CampaignBrake?
    /// What will keep some recipients from being reached, as known when the campaign was sent; nil at any other time.
    package var warnings: [ReachWarning]?

    package var state: CampaignState { campaign.state }
    package var counters: CampaignCounters { campaign.counters }
}

/// What sending a draft would take.
package struct CampaignQuote: Sendable, Hashable {
    package let recipients: Int
    /// Those that would be mailed. With ``suppressed`` and ``invalid`` they are the recipients.
    package let deliverable: Int
    /// Those on the suppression list when they were imported. Neither mailed nor charged.
    package let suppressed: Int
    /// Those who lack a variable, where that keeps them from being mailed. Their credits are held with their batch's and
    /// given back with it.
    package let invalid: Int
    /// Which variables how many recipients lack.
    package let lacking: LackingVariables
    /// Credits to be held: at most this much is charged.
    package let credits: Int64
    /// What the account can reserve now.
    package let available: Int64
    /// The pool of source addresses that the campaign asks for.
    package var sourcePool: String?
    /// What keeps its mail from that pool now, and the campaign from being sent.
    package var sourcePoolProblem: String?
    /// What would keep some of them from being reached, if the campaign were sent now.
    package let warnings: [ReachWarning]
}
