package import Feedback
package import FoundationEssentials
package import MailMessage
package import MailTypes
package import Postgres
package import Vault

/// Brings uploads of recipients into draft campaigns.
package struct RecipientImporter: Sendable {
    private let vault: Vault
    private let suppressions: SuppressionList

    package init(vault: Vault, suppressions: SuppressionList) {
        self.vault = vault
        self.suppressions = suppressions
    }

    /// Reads `source` to its end and adds its recipients to the campaign, as batches in state draft.
    ///
    /// Memory stays bounded whatever the upload's size: a few batches, and 24 octets for each recipient of the
    /// campaign.
    ///
    /// - Parameters:
    ///   - connection: inside the transaction of the upload, which lets no other upload into the campaign. The caller
    ///     writes the result's counts into the campaign's row and commits, or rolls back and so leaves nothing.
    ///   - target: how many recipients and batches the campaign has.
    ///   - check: tells which variables of the message a recipient lacks; nil where none can be lacking.
    /// - Throws: ``ImportError`` where the upload is refused as a whole, ``InvalidLinesError`` where it is for its
    ///   invalid lines; `VaultError`, `PostgresError`; what the source
    ///   throws.
    package func run<Source: AsyncSequence>(
        account: AccountID, campaign: CampaignID, format: UploadForm, source: Source,
        on connection: PostgresConnection, target: ImportTarget, check: VariableCheck? = nil
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        var upload = RecipientImport(
            account: account, campaign: campaign, format: format, target: target,
            fingerprinter: try await vault.accountKeys(account).fingerprinter,
            key: try await vault.campaignKey(account, campaign), check: check)
        let store = PostgresImportStore(
            account: account, campaign: campaign, suppressions: suppressions, connection: connection)
        return try await upload.run(source, into: store)
    }
}
