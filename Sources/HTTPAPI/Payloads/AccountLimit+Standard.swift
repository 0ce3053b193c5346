import Campaigns
import Feedback
import Identity
package import MailTypes
import SendingDomains
import Webhooks

extension AccountLimit {
    /// What holds for accounts that nothing was set for, as the rooms have it.
    package var standard: Int {
        switch self {
        case .drafts: CampaignLimits.drafts
        case .campaigns: CampaignLimits.unfinished
        case .suppressions: SuppressionLimits.rows
        case .domains: SendingDomains.mostDomains
        case .keys: IdentityLimits.keys
        case .webhooks: WebhookLimits.endpoints
        case .storedAnswers: IdentityLimits.answers
        case .uploads: APILimits.uploadsPerAccount
        case .requests: APILimits.connectionsPerAccount
        case .bodyBytes: APILimits.openBodyBytesPerAccount
        case .invitations: PeopleLimits.invitationsPerDay
        }
    }
}
