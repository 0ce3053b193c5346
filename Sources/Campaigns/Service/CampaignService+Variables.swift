import MailMessage
import MailTypes
import Postgres
import Vault

// Tags of the message against what the recipients bring.
extension CampaignService {
    /// What an upload is checked by; nil where every tag has a fallback, and where the content does not compile: that is
    /// told when it is sent.
    func variableCheck(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> VariableCheck? {
        let content = try await readContent(account, campaign, on: connection)
        guard let message = try? CompiledMessage(content) else { return nil }
        return VariableCheck(message)
    }

    /// Adds what an upload found to what earlier ones did.
    func note(
        _ lacking: LackingVariables, _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        guard lacking.recipients > 0 else { return }
        let key = try await vault.openingKey(account, campaign)
        var all = try await LackingVariables.read(account, campaign, key: key, on: connection)
        all.add(lacking)
        try await all.write(account, campaign, key: key, on: connection)
    }

    /// Who lacks what, and whether that keeps them from being mailed.
    func lackingVariables(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> (lacking: LackingVariables, isInvalid: Bool) {
        let key = try await vault.openingKey(account, campaign)
        let lacking = try await LackingVariables.read(account, campaign, key: key, on: connection)
        guard lacking.recipients > 0 else { return (lacking, false) }
        let content = try await readContent(account, campaign, on: connection)
        return (lacking, content.missingVariables != .empty)
    }

    /// Lets the campaign go as `policy` says, or as its content does without one.
    ///
    /// - Throws: ``CampaignError`` `.missingVariables` under ``MissingVariablePolicy/refuse``; `MessageError` for content
    ///   that an earlier version took and this one does not
    func settleVariables(
        _ account: AccountID, _ campaign: CampaignID, policy: MissingVariablePolicy?,
        on connection: PostgresConnection
    ) async throws {
        var content = try await readContent(account, campaign, on: connection)
        _ = try CompiledMessage(content)
        let key = try await vault.openingKey(account, campaign)
        let lacking = try await LackingVariables.read(account, campaign, key: key, on: connection)
        guard lacking.recipients > 0 || policy != nil else { return }
        let policy = policy ?? content.missingVariables
        guard policy != .refuse || lacking.recipients == 0 else { throw CampaignError.missing(lacking) }
        guard policy != content.missingVariables else { return }
        content.missingVariables = policy
        let context = SealContext(account: account, campaign: campaign, purpose: .content)
        try await connection.query(
            """
            UPDATE campaign_content SET sealed = \(try key.seal(content.encoded(), as: context))
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
    }

    private func readContent(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> MessageContent {
        let row = try await connection.query(
            """
            SELECT sealed FROM campaign_content
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """
        ).first
        // Wiped where the campaign has ended.
        guard let sealed = try row?.decode(column: 0, as: [UInt8].self), !sealed.isEmpty else {
            throw CampaignError.purged
        }
        return try await openContent(sealed, account, campaign, vault: vault)
    }
}
