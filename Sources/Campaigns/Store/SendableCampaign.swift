package import MailMessage
package import MailTypes

/// What a worker needs to know of a campaign besides its batches.
package struct SendableCampaign: Sendable {
    package let account: AccountID
    package let campaign: CampaignID
    package let content: MessageContent
    package let fromDomain: DomainName
    package let inDoubt: InDoubtPolicy
    package let expirySeconds: Int
    /// Its mails ask for REQUIRETLS (RFC 8689).
    package var requiresTLS = false
    /// The pool of source addresses that its mails leave from; nil for the one of the account.
    package var sourcePool: String?
}
