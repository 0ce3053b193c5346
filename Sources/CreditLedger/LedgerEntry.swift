package import MailTypes
package import Postgres

/// One line of an account's books. Lines are only ever added.
package struct LedgerEntry: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Credits bought or given: `posted` grows by `amount`.
        case grant
        /// Credits set aside for the batches of a campaign: `held` grows by `amount`.
        case reserve
        /// A batch ended: `posted` shrinks by `amount` (what was delivered), `held` by that and by what was released.
        case settle
        /// Holds given back uncharged: `held` shrinks by `amount`.
        case release
        /// A campaign's data was destroyed; moves nothing and repeats the digest of the certificate.
        case purge
        /// A correction by the operator: `posted` changes by `amount`, which may be negative.
        case adjust
        /// A mail that was charged came back later: `posted` grows by `amount`, which is 1. Once a recipient of a campaign.
        case refund
    }

    package let account: AccountID
    /// 1, 2, 3 … within the account, without gaps.
    package let number: Int64
    package let kind: Kind
    package let campaign: CampaignID?
    /// The batch of a settlement.
    package let batch: Int32?
    /// Credits; see ``Kind``.
    package let amount: Int64
    package let postedBefore: Int64
    package let postedAfter: Int64
    package let heldBefore: Int64
    package let heldAfter: Int64
    /// What the caller gave so that a repeated request moves credits once.
    package let idempotencyKey: String?
    /// SHA-256 of the request that the key stands for.
    package let requestHash: [UInt8]?
    /// SHA-256 of the purge certificate.
    package let digest: [UInt8]?
    /// Fingerprint of the recipient whose credit a refund gives back, 16 octets.
    package let recipient: [UInt8]?
    package let memo: String
    package let createdAt: PostgresTimestamp
    /// HMAC-SHA256 over the chain value of the entry before and all fields of this one.
    package let chain: [UInt8]

    init(
        account: AccountID, number: Int64, kind: Kind, campaign: CampaignID?, batch: Int32?, amount: Int64,
        postedBefore: Int64, postedAfter: Int64, heldBefore: Int64, heldAfter: Int64, idempotencyKey: String?,
        requestHash: [UInt8]?, digest: [UInt8]?, recipient: [UInt8]? = nil, memo: String, createdAt: PostgresTimestamp,
        chain: [UInt8]
    ) {
        self.account = account
        self.number = number
        self.kind = kind
        self.campaign = campaign
        self.batch = batch
        self.amount = amount
        self.postedBefore = postedBefore
        self.postedAfter = postedAfter
        self.heldBefore = heldBefore
        self.heldAfter = heldAfter
        self.idempotencyKey = idempotencyKey
        self.requestHash = requestHash
        self.digest = digest
        self.recipient = recipient
        self.memo = memo
        self.createdAt = createdAt
        self.chain = chain
    }

    /// What a settlement gave back: the part of the decrease of `held` that was not charged.
    package var released: Int64 {
        switch kind {
        case .settle: heldBefore - heldAfter - amount
        case .release: amount
        case .grant, .reserve, .purge, .adjust, .refund: 0
        }
    }
}
