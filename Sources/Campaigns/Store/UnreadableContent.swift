package import MailTypes

/// What is stored of a campaign's message is damaged, or is not there although the campaign has not ended. Nothing will mend
/// that, and without it no mail can be made.
package struct UnreadableContent: Error, CustomStringConvertible {
    let campaign: CampaignID

    package init(campaign: CampaignID) { self.campaign = campaign }

    package var description: String { "the stored message of campaign \(campaign) cannot be read" }
}
