package import FoundationEssentials
import MailMessage
package import MailTypes
import Postgres
import Vault

extension CampaignService {
    /// Makes a draft and seals its content under a new key.
    ///
    /// - Throws: `MessageError` for content that cannot be sent, ``CampaignError`` `.domainNotRegistered`,
    ///   `.invalidSetting`, `.tooManyDrafts`
    @concurrent
    package func create(
        _ account: AccountID, _ request: CampaignRequest, onCommit: CommitHook<Campaign>? = nil
    ) async throws -> Campaign {
        try request.validate()
        let domain = request.content.from.address.domain
        try await records.withConnection { connection in
            try await requireDomain(domain, account, on: connection)
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
                try await requireDomain(domain, account, on: connection)
                try await requireRoom(account, on: connection)
                try await insert(id, account, request, sealed, on: connection)
                var campaign = try await Campaign.read(account, id, on: connection)
                let warnings = try await unprovenDomain(
                    of: campaign.fromDomain, account, recipients: 0, on: connection)
                campaign.warnings = warnings.isEmpty ? nil : warnings
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
    /// An upload lasts as long as its source. Its recipients are stored portion by portion and become part of the campaign
    /// at its end, all at once; only then the campaign is locked. One that was sent or cancelled in the meantime refuses
    /// them.
    ///
    /// - Throws: `ImportError` where the upload is refused as a whole, `InvalidLinesError` where it is for its invalid
    ///   lines, ``CampaignError`` `.notFound`,
    ///   `.illegalTransition` unless the campaign is a draft, `.uploadInProgress`, `.uploadLost`; what the source throws
    @concurrent
    package func importRecipients<Source: AsyncSequence>(
        _ account: AccountID, _ campaign: CampaignID, format: UploadForm, source: Source,
        onCommit: CommitHook<ImportResult>? = nil
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        // One at a time, because each numbers its recipients on from the one before.
        guard try await turns.take(account, campaign) else {
            throw CampaignError(.uploadInProgress, "another upload to this campaign is under way")
        }
        do {
            let result = try await add(source, format: format, to: campaign, of: account, onCommit: onCommit)
            await turns.giveBack(account, campaign)
            return result
        } catch {
            await turns.giveBack(account, campaign)
            throw error
        }
    }

    private func add<Source: AsyncSequence>(
        _ source: Source, format: UploadForm, to campaign: CampaignID, of account: AccountID,
        onCommit: CommitHook<ImportResult>?
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        try Self.requireDraft(try await uploads.withConnection { try await Campaign.read(account, campaign, on: $0) })
        let stage = try await importer.stage(account, campaign, on: uploads)
        do {
            // Nobody else adds to the campaign from here on.
            let (before, check) = try await uploads.withConnection { connection in
                (
                    try await Campaign.read(account, campaign, on: connection),
                    try await variableCheck(account, campaign, on: connection)
                )
            }
            let result = try await importer.run(
                format: format, source: source, into: stage,
                target: ImportTarget(
                    nextIndex: Int32(before.counters.recipients), nextBatch: before.nextBatch,
                    batchSize: Int(before.batchSize)),
                check: check)
            return try await uploads.withTransaction { connection in
                try await publish(result, of: stage, after: before, on: connection)
                try await onCommit?(connection, result)
                return result
            }
        } catch {
            // In a task of its own, because this one may be cancelled. What is left all the same, the sweep finds.
            _ = await Task { try? await stage.discard() }.value
            throw error
        }
    }

    /// - Parameter before: the campaign as it was when the upload began.
    private func publish(
        _ result: ImportResult, of stage: UploadStage, after before: Campaign, on connection: PostgresConnection
    ) async throws {
        let (account, campaign) = (stage.account, stage.campaign)
        try Self.requireDraft(try await Campaign.lock(account, campaign, on: connection))
        try Self.requireReach(before, recipients: Int(result.target.nextIndex))
        try await stage.publish(result.deliverableOfBatches, from: before.nextBatch, on: connection)
        try await connection.query(
            """
            UPDATE campaigns SET recipients = \(result.target.nextIndex), next_batch = \(result.target.nextBatch)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        try await note(result.lacking, account, campaign, on: connection)
    }

    /// Does away with what uploads have left that stopped without a word.
    ///
    /// - Returns: of how many campaigns
    package func sweepUploads() async throws -> Int {
        try await UploadStage.sweep(olderThanSeconds: ImportLimits.sweptAfterSeconds, on: uploads)
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

    /// Drafts cost nothing, so there is a bound to them. The bound holds for requests that come at the same time as well.
    private func requireRoom(_ account: AccountID, on connection: PostgresConnection) async throws {
        let name = "sluice drafts \(account)"
        let most = limits[.drafts, account] ?? (account.isTest ? CampaignLimits.testDrafts : CampaignLimits.drafts)
        try await connection.query("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
        let drafts = try await connection.query(
            """
            SELECT count(*) FROM (
                SELECT FROM campaigns WHERE account_id = \(account.rawValue) AND state = 'draft'
                LIMIT \(Int64(most))) d
            """
        ).only.decode(Int64.self)
        guard drafts < Int64(most) else {
            throw CampaignError(
                .tooManyDrafts, "the account has at most \(most) drafts; send or delete some of them")
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
                \(request.ratePerHour.map { Int32($0) } as Int32?), \(Int32(request.resultsFor ?? resultsSeconds)),
                \(Int32(request.batchSize)))
            """)
        try await connection.query(
            """
            INSERT INTO campaign_content (account_id, campaign_id, sealed)
            VALUES (\(account.rawValue), \(id.rawValue), \(sealed))
            """)
    }
}
