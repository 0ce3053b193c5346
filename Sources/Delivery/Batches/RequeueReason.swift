import Campaigns
import MailTypes

/// Why a mail waits untried, and what its recipient is told should the campaign expire.
enum RequeueReason: CaseIterable, Sendable, Hashable {
    /// The site is suspended, or takes mail more slowly than it comes.
    case site
    /// Every source that may send it warms up and has used its allowance of the day.
    case allowance
    /// The operator has set a rate for its account.
    case accountRate
    /// Its campaign has a rate.
    case campaignRate
    /// The operator has suspended its account or its campaign.
    case operatorOrder
    /// No connection came free.
    case turn

    /// What is known of the recipient while it waits.
    var waitText: String {
        switch self {
        case .site: "waiting until the site takes more mail"
        case .allowance: "waiting for the next allowance of the warm-up"
        case .accountRate: "waiting for the rate of the account"
        case .campaignRate: "waiting for the rate of the campaign"
        case .operatorOrder: "suspended by the operator"
        case .turn: "waiting for its turn"
        }
    }

    /// What is known of it when the campaign has expired: no receiver refused it (RFC 3463 §3.5, X.4.7).
    var endReply: RecipientReply { RecipientReply(enhanced: EnhancedStatusCode("4.4.7"), text: endText) }

    private var endText: String {
        switch self {
        case .site: "its site took no more mail before the expiry"
        case .allowance: "the allowance of the warm-up did not reach it before the expiry"
        case .accountRate: "the rate of the account did not reach it before the expiry"
        case .campaignRate: "the rate of the campaign did not reach it before the expiry"
        case .operatorOrder: "the campaign expired while the operator had suspended it"
        case .turn: "its turn did not come before the expiry"
        }
    }
}
