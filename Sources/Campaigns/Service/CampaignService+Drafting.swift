package import FoundationEssentials
import MailMessage
package import MailTypes
import Postgres
import Vault

extension CampaignService {
    /// Makes a draft and seals its content under a new key.
    ///
    /// - Throws: `MessageError` for content that cannot be sent, ``CampaignError`` `.domainNotRegistered`,
    ///   `.invalidSetting`
    @concurrent
    package func create(
        _ account: AccountID, _ request: CampaignRequest, onCommit: CommitHook<Campaign>? = nil
    ) async throws -> Campaign {
        try request.validate()
        try await records.withConnection { connection in
            try await requireDomain(of: request, account, on: connection)
            try await requirePool(request.sourcePool, account, on: connection)
        }
        var generator = SystemRandomNumberGenerator()
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        let id = CampaignID.make(millisecondsSince1970: now, using: &generator)
        // The key goes first, into a database of its own. Without its campaign it opens nothing.
        let key = try await vault.createCampaignKey(account, id)
        do {
            let context = SealContext(account: account, campaign: id, purpose: .content)
            let sealed = try key.seal(request.content.encoded(), as: context)
            return try await records.withTransaction { connection in
                try await requireDomain(of: request, account, on: connection)
                try await insert(id, account, request, sealed, on: connection)
                let campaign = try await Campaign.read(account, id, on: connection)
                try await onCommit?(connection, campaign)
                return campaign
            }
        } catch let error as PostgresError where error.kind == .commitUnknown {
            throw error
        } catch {
            let vault = vault
            // In a task of its own, because this one may be cancelled.
            _ = await Task { try? await vault.destroyCampaignKey(account, id) }.value
            throw error
        }
    }

    /// Adds an upload's recipients to a draft, or nothing when the upload is refused or breaks off.
    ///
    /// An upload lasts as long as its source, so it takes a connection of its own and locks the campaign only at its
    /// end. A campaign that was sent or cancelled in the meantime refuses it then.
    ///
    /// - Throws: `ImportError` where the upload is refused as a whole, `InvalidLinesError` where it is for its invalid
    ///   lines, ``CampaignError`` `.notFound`,
    ///   `.illegalTransition` unless the campaign is a draft, `.uploadInProgress`; what the source throws
    @concurrent
    package func importRecipients<Source: AsyncSequence>(
        _ account: AccountID, _ campaign: CampaignID, format: UploadForm, source: Source,
        onCommit: CommitHook<ImportResult>? = nil
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        let connection = try await PostgresConnection.connect(records.configuration)
        do {
            let result = try await connection.withTransaction { connection in
                try await add(source, format: format, to: campaign, of: account, onCommit: onCommit, on: connection)
            }
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func add<Source: AsyncSequence>(
        _ source: Source, format: UploadForm, to campaign: CampaignID, of account: AccountID,
        onCommit: CommitHook<ImportResult>?, on connection: PostgresConnection
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        try await lockUploads(account, campaign, on: connection)
        let before = try await Campaign.read(account, campaign, on: connection)
        try Self.requireDraft(before)
        let result = try await importer.run(
            account: account, campaign: campaign, format: format, source: source, on: connection,
            target: ImportTarget(
                nextIndex: Int32(before.counters.recipients), nextBatch: before.nextBatch,
                batchSize: Int(before.batchSize)),
            check: try await variableCheck(account, campaign, on: connection))
        try Self.requireDraft(try await Campaign.lock(account, campaign, on: connection))
        try Self.requireReach(before, recipients: Int(result.target.nextIndex))
        try await connection.query(
            """
            UPDATE campaigns SET recipients = \(result.target.nextIndex), next_batch = \(result.target.nextBatch)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        try await note(result.lacking, account, campaign, on: connection)
        try await onCommit?(connection, result)
        return result
    }

    /// A cap that leaves recipients without an attempt is a mistake: better told now than after the expiry.
    private static func requireReach(_ campaign: Campaign, recipients: Int) throws(CampaignError) {
        guard let rate = campaign.ratePerHour else { return }
        let reach = max(1, rate * campaign.expirySeconds / 3_600)
        guard recipients <= reach else {
            throw CampaignError(
                .invalidSetting,
                "at \(rate) mails an hour the campaign reaches \(reach) recipients before it expires, not \(recipients)"
            )
        }
    }

    private static func requireDraft(_ campaign: Campaign) throws(CampaignError) {
        guard campaign.state == .draft else {
            throw CampaignError(
                .illegalTransition,
                "recipients can be added to a draft only: the campaign is \(campaign.state.rawValue)")
        }
    }

    /// One upload at a time goes into a campaign, because each numbers its recipients on from the one before.
    private func lockUploads(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        let name = "sluice upload \(account)/\(campaign)"
        let isFree = try await connection.query("SELECT pg_try_advisory_xact_lock(hashtextextended(\(name), 0))").only
            .decode(column: 0, as: Bool.self)
        guard isFree else {
            throw CampaignError(.uploadInProgress, "another upload to this campaign is under way")
        }
    }

    private func requireDomain(
        of request: CampaignRequest, _ account: AccountID, on connection: PostgresConnection
    ) async throws {
        let domain = request.content.from.address.domain
        guard try await SendingDomains.isRegistered(account, domain, on: connection) else {
            throw CampaignError(.domainNotRegistered, "\(domain) is not one of the account's sending domains")
        }
    }

    private func insert(
        _ id: CampaignID, _ account: AccountID, _ request: CampaignRequest, _ sealed: [UInt8],
        on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO campaigns (
                account_id, campaign_id, from_domain, in_doubt_policy, requires_tls, source_pool, expiry_seconds,
                rate_per_hour, results_seconds, batch_size)
            VALUES (
                \(account.rawValue), \(id.rawValue), \(request.content.from.address.domain.text),
                \(request.inDoubt.rawValue), \(request.requiresTLS), \(request.sourcePool as String?),
                \(Int32(request.expirySeconds)),
                \(request.ratePerHour.map { Int32($0) } as Int32?), \(Int32(resultsSeconds)),
                \(Int32(request.batchSize)))
            """)
        try await connection.query(
            """
            INSERT INTO campaign_content (account_id, campaign_id, sealed)
            VALUES (\(account.rawValue), \(id.rawValue), \(sealed))
            """)
    }
}
