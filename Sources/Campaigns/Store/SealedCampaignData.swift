import MailMessage
package import MailTypes
package import Vault

/// Opens the campaign's content.
///
/// - Throws: ``CampaignError`` `.purged` once the key is gone; ``UnreadableContent``
func openContent(
    _ sealed: [UInt8], _ account: AccountID, _ campaign: CampaignID, vault: Vault
) async throws -> MessageContent {
    let key = try await vault.openingKey(account, campaign)
    let context = SealContext(account: account, campaign: campaign, purpose: .content)
    do {
        return try MessageContent(decoding: key.open(sealed, as: context))
    } catch let error where DeliveryStore.isDamage(error) {
        throw UnreadableContent(campaign: campaign)
    }
}

extension SealingKey {
    func openRecipients(_ sealed: [UInt8], of batch: BatchID) throws -> [RecipientRecord] {
        try RecipientBatch(decoding: open(sealed, as: SealContext(batch, purpose: .recipients))).records
    }

    func sealRecipients(_ records: [RecipientRecord], of batch: BatchID) throws -> [UInt8] {
        try seal(RecipientBatch(records: records).encoded(), as: SealContext(batch, purpose: .recipients))
    }

    func openResults(_ sealed: [UInt8], of batch: BatchID) throws -> [RecipientResult] {
        try RecipientResult.decode(open(sealed, as: SealContext(batch, purpose: .results)))
    }

    func sealResults(_ results: [RecipientResult], of batch: BatchID) throws -> [UInt8] {
        try seal(RecipientResult.encode(results), as: SealContext(batch, purpose: .results))
    }

    package func openJournal(_ sealed: [UInt8], epoch: Int64, of batch: BatchID) throws -> [JournalEntry] {
        try JournalGroup.entries(decoding: open(sealed, as: SealContext(batch, purpose: .journal)), epoch: epoch)
    }

    package func sealJournal(_ group: JournalGroup) throws -> [UInt8] {
        try seal(group.encoded(), as: SealContext(group.batch, purpose: .journal))
    }
}

extension Vault {
    /// The campaign's key; nil once it is gone, and with it whoever held a batch of the campaign.
    func keyOfLeased(_ batch: BatchID) async throws -> SealingKey? {
        do {
            return try await campaignKey(batch.account, batch.campaign)
        } catch let error as VaultError where error.code == .destroyed || error.code == .noKey {
            return nil
        }
    }

    /// The campaign's key, where its absence means that the campaign's data cannot be read any more: it was purged, or
    /// the records were restored without their vault.
    func openingKey(_ account: AccountID, _ campaign: CampaignID) async throws -> SealingKey {
        do {
            return try await campaignKey(account, campaign)
        } catch let error as VaultError where error.code == .destroyed || error.code == .noKey {
            throw CampaignError.purged
        }
    }
}

extension CampaignError {
    static let purged = CampaignError(.purged, "the campaign's data was destroyed when it ended")
}
