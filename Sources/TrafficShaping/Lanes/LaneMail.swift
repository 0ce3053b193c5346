public import MailTypes

/// What a lane has to know of a mail that waits in it.
public protocol LaneMail: Sendable {
    var account: AccountID { get }
    var campaign: CampaignID { get }
    /// When it began to wait.
    var queuedAt: SteadySeconds { get }
}

/// What an operator has set for an account, as it holds on this node.
public struct AccountTerms: Sendable, Hashable {
    /// Mails in one turn, 1…1,000.
    package let weight: Int
    /// This node's part of the account's rate; nil without one.
    package let rate: MessageRate?

    package init(weight: Int = 1, rate: MessageRate? = nil) {
        self.weight = weight
        self.rate = rate
    }

    @usableFromInline var hasRate: Bool { rate != nil }
}
