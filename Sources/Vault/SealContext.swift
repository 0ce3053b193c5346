package import MailTypes

/// Where a sealed value belongs. It is authenticated with the value but not stored: a value that was moved to another
/// row, or is read as something else, does not open.
package struct SealContext: Sendable, Hashable {
    /// What a sealed value is. The raw values are part of every sealed value; never renumber them.
    package enum Purpose: UInt8, Sendable, CaseIterable {
        /// The recipients of one batch.
        case recipients = 1
        /// The message as the customer submitted it.
        case content = 2
        /// The final outcomes of one batch.
        case results = 3
        /// Intents and outcomes of a batch at work.
        case journal = 4
        /// The private DKIM key of a sending domain.
        case dkimKey = 5
        /// A campaign's key under the master key.
        case campaignKey = 6
        /// An account's key under the master key.
        case accountKey = 7
        /// The known text that tells whether the master key is the right one.
        case masterKeyCheck = 8
        /// An address that an account has put on its suppression list.
        case suppression = 9
        /// What tells a provider's reports from others'.
        case providerSource = 20
        /// What a provider has sent and is not worked off.
        case providerPayload = 21
        /// The address and the secrets of a webhook.
        case webhookEndpoint = 30
        /// Addresses and replies that webhooks tell of.
        case webhookEvents = 31
        /// A key that signs session tokens.
        case sessionKey = 40
        /// What a user's app makes codes of.
        case secondFactor = 41
        /// The key of an account at a certificate authority.
        case acmeAccount = 50
        /// The private key of a certificate that listeners show.
        case certificateKey = 51
    }

    package let account: AccountID
    package let campaign: CampaignID?
    package let batch: Int32?
    package let purpose: Purpose
    /// What else tells the row from its neighbours, such as the domain of a DKIM key.
    package let label: String

    package init(
        account: AccountID, campaign: CampaignID? = nil, batch: Int32? = nil, purpose: Purpose, label: String = ""
    ) {
        self.account = account
        self.campaign = campaign
        self.batch = batch
        self.purpose = purpose
        self.label = label
    }

    package init(_ batch: BatchID, purpose: Purpose) {
        self.init(account: batch.account, campaign: batch.campaign, batch: batch.number, purpose: purpose)
    }

    /// Version, purpose, which parts are present, then each part in a fixed width and the label as the rest: no two
    /// contexts share an encoding.
    var associatedData: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(23 + label.utf8.count)
        bytes.append(Self.version)
        bytes.append(purpose.rawValue)
        bytes.append((campaign == nil ? 0 : 1) | (batch == nil ? 0 : 2))
        Self.append(UInt64(bitPattern: account.rawValue), to: &bytes)
        Self.append(UInt64(bitPattern: campaign?.rawValue ?? 0), to: &bytes)
        Self.append(UInt32(bitPattern: batch ?? 0), to: &bytes)
        bytes.append(contentsOf: label.utf8)
        return bytes
    }

    private static let version: UInt8 = 1

    private static func append(_ value: some FixedWidthInteger & UnsignedInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
