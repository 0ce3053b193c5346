import Feedback
import FoundationEssentials
import MailMessage
import MailTypes
import Postgres
import Vault

/// Brings uploads of recipients into draft campaigns.
struct RecipientImporter: Sendable {
    private let vault: Vault
    private let suppressions: SuppressionList

    init(vault: Vault, suppressions: SuppressionList) {
        self.vault = vault
        self.suppressions = suppressions
    }

    /// Begins an upload to a draft. The caller sees to it that no other one is under way.
    func stage(_ account: AccountID, _ campaign: CampaignID, on records: PostgresPool) async throws -> UploadStage {
        try await UploadStage.begin(account, campaign, records: records, suppressions: suppressions)
    }

    /// Reads `source` to its end and stores its recipients where nobody sees them yet, as batches in state draft.
    ///
    /// Memory stays bounded whatever the upload's size: a few batches, and 24 octets for each recipient of the
    /// campaign.
    ///
    /// - Parameters:
    ///   - stage: The caller publishes it and writes the result's counts into the campaign's row, or discards it.
    ///   - target: how many recipients and batches the campaign has.
    ///   - check: tells which variables of the message a recipient lacks; nil where none can be lacking.
    /// - Throws: ``ImportError`` where the upload is refused as a whole, ``InvalidLinesError`` where it is for its
    ///   invalid lines; `VaultError`, `PostgresError`; what the source
    ///   throws.
    func run<Source: AsyncSequence>(
        format: UploadForm, source: Source, into stage: UploadStage, target: ImportTarget, check: VariableCheck? = nil
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        let (account, campaign) = (stage.account, stage.campaign)
        var upload = RecipientImport(
            account: account, campaign: campaign, format: format, target: target,
            fingerprinter: try await vault.accountKeys(account).fingerprinter,
            key: try await vault.campaignKey(account, campaign), check: check)
        return try await upload.run(source, into: stage)
    }
}
