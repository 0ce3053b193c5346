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
    /// The octets of the largest mail that was made so far; as its content has it before there is any.
    let largestMail: Atomic<Int>
    let signer: DKIMSigner
    let fromDomain: DomainName
    /// How often the mail to a recipient is sent again after an answer was lost.
    let inDoubtResends: Int
    /// Its mails ask for REQUIRETLS (RFC 8689).
    let requiresTLS: Bool
    /// The pool of sources that its mails leave from; nil for the one of the account.
    let sourcePool: String?
    let keys: AccountKeys
    /// Seals what goes into the node's own journal.
    let sealer: JournalSealer?
    /// The same for each attempt at a recipient, so that a receiver can tell a second copy (RFC 5322 §3.6.4).
    private let messageID: TokenFrame
    /// Where bounces of a recipient come back to.
    private let reversePath: TokenFrame
    /// The link, and the address for clients that only send mail (RFC 2369 §3.2).
    private let unsubscribing: [TokenFrame]
    private let feedbackID: TokenFrame
    /// The value of CFBL-Address (RFC 9477 §3.1): complaints go to the return path's domain, where the token says the rest.
    /// Nil where nobody takes them in.
    private let complaintAddress: String?

    init(
        account: AccountID, campaign: CampaignID, sendable: SendableCampaign, signer: DKIMSigner, keys: AccountKeys,
        sealer: JournalSealer? = nil, inDoubtResends: Int = 1, publicURL: String?,
        feedbackSender: FeedbackSender = .standard, namesFeedbackAddresses: Bool = true
    ) throws {
        self.account = account
        self.campaign = campaign
        message = try CompiledMessage(sendable.content)
        largestMail = Atomic(message.expectedOctets)
        self.signer = signer
        fromDomain = sendable.fromDomain
        let returnPathDomain = "bounce." + sendable.fromDomain.text
        self.inDoubtResends = sendable.inDoubt == .resend ? inDoubtResends : 0
        requiresTLS = sendable.requiresTLS
        sourcePool = sendable.sourcePool
        self.keys = keys
        self.sealer = sealer
        messageID = TokenFrame("", "@" + sendable.fromDomain.text)
        reversePath = TokenFrame("b-", "@" + returnPathDomain)
        feedbackID = feedbackSender.frame(campaign, account)
        complaintAddress = namesFeedbackAddresses ? "fbl@\(returnPathDomain); report=arf" : nil
        let link = publicURL.map { TokenFrame($0 + "/u/") }
        let address = namesFeedbackAddresses ? TokenFrame("mailto:u-", "@\(returnPathDomain)?subject=unsubscribe") : nil
        unsubscribing = [link, address].compactMap(\.self)
    }

    func messageID(token: String) -> String { messageID.around(token) }

    /// What names a recipient in all places that may come back: any one of them is enough to tell whom a report is about,
    /// without a look-up, also after the purge.
    func token(of fingerprint: Fingerprint) -> String {
        RecipientToken(account: account, campaign: campaign, fingerprint: fingerprint).text(signedWith: keys)
    }

    func reversePath(token: String) -> String { reversePath.around(token) }

    /// A mail whose signature is begun.
    func mail(
        for record: RecipientRecord, token: String, at seconds: Int64, signedIn signing: SigningQueue
    ) throws -> PreparedMail {
        var rendered = RenderedMessage()
        let fields = MessageEnvelopeFields(
            messageID: messageID(token: token), date: seconds, listUnsubscribe: unsubscribing.map { $0.around(token) },
            oneClick: true, feedbackID: feedbackID.around(token), complaintAddress: complaintAddress,
            complaintID: token)
        let recipient = MergeRecipient(address: record.address, name: record.name, variables: record.variables)
        try message.render(recipient, fields, into: &rendered)
        largestMail.max(rendered.bytes.count, ordering: .relaxed)
        let signature = try signing.begin(
            rendered.bytes, bodyOffset: rendered.bodyOffset, at: seconds, by: signer)
        return PreparedMail(
            signature: signature, content: rendered.bytes, isInternationalised: rendered.needsSMTPUTF8)
    }
}

struct PreparedMail: Sendable {
    let signature: MailSignature
    let content: [UInt8]
    /// Whether a header holds UTF-8 (RFC 6532), which only SMTPUTF8 servers take.
    let isInternationalised: Bool
}
