import Campaigns
import MailMessage
import MailSigning
import MailTypes
import Synchronization
import Vault

/// What all mails of one campaign share: the compiled template, the signer, the account's keys.
final class CampaignRuntime: Sendable {
    let account: AccountID
    let campaign: CampaignID
    let message: CompiledMessage
    let signer: DKIMSigner
    let fromDomain: DomainName
    let returnPathDomain: String
    /// How often the mail to a recipient is sent again after an answer was lost.
    let inDoubtResends: Int
    /// Its mails ask for REQUIRETLS (RFC 8689).
    let requiresTLS: Bool
    /// The pool of sources that its mails leave from; nil for the one of the account.
    let sourcePool: String?
    let keys: AccountKeys
    /// Seals what goes into the node's own journal.
    let sealer: JournalSealer?
    let feedbackID: String
    private let publicURL: String?

    init(
        account: AccountID, campaign: CampaignID, sendable: SendableCampaign, signer: DKIMSigner, keys: AccountKeys,
        sealer: JournalSealer? = nil, inDoubtResends: Int = 1, publicURL: String?,
        feedbackSender: FeedbackSender = .standard
    ) throws {
        self.account = account
        self.campaign = campaign
        message = try CompiledMessage(sendable.content)
        self.signer = signer
        fromDomain = sendable.fromDomain
        returnPathDomain = "bounce." + sendable.fromDomain.text
        self.inDoubtResends = sendable.inDoubt == .resend ? inDoubtResends : 0
        requiresTLS = sendable.requiresTLS
        sourcePool = sendable.sourcePool
        self.keys = keys
        self.sealer = sealer
        feedbackID = feedbackSender.feedbackID(campaign, account)
        self.publicURL = publicURL
    }

    /// The same for each attempt at a recipient, so that a receiver can tell a second copy (RFC 5322 §3.6.4).
    func messageID(of record: RecipientRecord) -> String {
        "\(campaign).\(record.index)@\(fromDomain)"
    }

    /// What return path and unsubscribe link of a recipient have in common; readable without a look-up, also after the
    /// purge.
    func token(of fingerprint: Fingerprint) -> String {
        RecipientToken(account: account, campaign: campaign, fingerprint: fingerprint).text(signedWith: keys)
    }

    /// Where bounces of this recipient come back to.
    func reversePath(token: String) -> String { "b-\(token)@\(returnPathDomain)" }

    /// A signed mail.
    func mail(for record: RecipientRecord, token: String, at seconds: Int64) throws -> SignedMail {
        var rendered = RenderedMessage()
        let fields = MessageEnvelopeFields(
            messageID: messageID(of: record), date: seconds,
            listUnsubscribe: publicURL.map { ["\($0)/u/\(token)"] } ?? [], oneClick: true, feedbackID: feedbackID)
        let recipient = MergeRecipient(address: record.address, name: record.name, variables: record.variables)
        try message.render(recipient, fields, into: &rendered)
        let signature = try signer.sign(rendered.bytes, bodyOffset: rendered.bodyOffset, at: seconds)
        return SignedMail(
            signature: signature, content: rendered.bytes, isInternationalised: rendered.needsSMTPUTF8)
    }
}

struct SignedMail: Sendable {
    let signature: [UInt8]
    let content: [UInt8]
    /// Whether a header holds UTF-8 (RFC 6532), which only SMTPUTF8 servers take.
    let isInternationalised: Bool
}
