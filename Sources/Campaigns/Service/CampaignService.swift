package import CreditLedger
package import Feedback
package import Logging
package import MailTypes
package import Postgres
package import SendingDomains
package import Vault

/// What customers do with campaigns.
///
/// Each mutating call is one transaction, with the credits it moves, and takes an `onCommit` hook that runs inside it,
/// last: there the caller stores the answer under the request's idempotency key, so that answer and effect are
/// committed together or not at all. An error thrown by the hook undoes the call.
///
/// A campaign of another account does not exist: ``CampaignError`` `.notFound`.
package struct CampaignService: Sendable {
    /// Runs in the transaction of a call with the value that the call returns.
    package typealias CommitHook<Value> = @Sendable (PostgresConnection, Value) async throws -> Void

    let records: PostgresPool
    /// Connections that uploads take, each for as long as a statement or its end lasts.
    let uploads: PostgresPool
    let turns: UploadTurns
    let vault: Vault
    let ledger: CreditLedger
    let importer: RecipientImporter
    let domains: SendingDomains
    let purger: CampaignPurger
    let resultsSeconds: Int
    let refundSeconds: Int
    let limits: AccountLimits
    let logger: Logger

    /// - Parameters:
    ///   - records: for calls that are short.
    ///   - uploads: for uploads; `records` if nil.
    ///   - housekeeping: for what comes after a campaign's end; `records` if nil.
    ///   - resultsFor: seconds from the end of campaigns that are made here to their purge, in which their outcomes
    ///     can be read; 0 purges at the end.
    ///   - refundFor: seconds from the end of campaigns that are sent here in which a bounce is refunded; 0: none is.
    ///   - limits: what was set for accounts.
    package init(
        records: PostgresPool, uploads: PostgresPool? = nil, housekeeping: PostgresPool? = nil, vault: Vault,
        ledger: CreditLedger, suppressions: SuppressionList,
        domains: SendingDomains, resultsFor: Int = 0, refundFor: Int = 0, limits: AccountLimits = AccountLimits(),
        logger: Logger
    ) {
        self.records = records
        self.uploads = uploads ?? records
        turns = UploadTurns((uploads ?? records).configuration)
        self.vault = vault
        self.ledger = ledger
        self.domains = domains
        self.limits = limits
        self.logger = logger
        importer = RecipientImporter(vault: vault, suppressions: suppressions)
        resultsSeconds = resultsFor
        refundSeconds = refundFor
        purger = CampaignPurger(records: housekeeping ?? records, vault: vault, ledger: ledger, logger: logger)
    }

    /// - Throws: ``CampaignError`` `.notFound`
    package func get(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignStatus {
        try await records.withConnection { connection in
            try await status(account, campaign, on: connection)
        }
    }

    /// The account's campaigns, newest first.
    ///
    /// - Parameters:
    ///   - before: the last campaign of the page before; nil for the newest
    ///   - limit: bounded by ``CampaignLimits/pageSize``
    package func list(
        _ account: AccountID, before: CampaignID? = nil, limit: Int = 100
    ) async throws -> [Campaign] {
        let limit = Int32(min(max(limit, CampaignLimits.pageSize.lowerBound), CampaignLimits.pageSize.upperBound))
        return try await records.query(
            """
            SELECT \(unescaped: Campaign.columns) FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id < \(before?.rawValue ?? .max)
            ORDER BY campaign_id DESC LIMIT \(limit)
            """
        ).map { try Campaign(account: account, row: $0) }
    }

    /// How many drafts the account has, and how many campaigns that were sent and have not ended.
    package func count(of account: AccountID) async throws -> (drafts: Int, unfinished: Int) {
        try await records.query(
            """
            SELECT count(*) FILTER (WHERE state = 'draft'), count(*) FILTER (WHERE state <> 'draft') FROM campaigns
            WHERE account_id = \(account.rawValue) AND purged_at IS NULL AND results_until IS NULL
            """
        ).only.decode(Int.self, Int.self)
    }

    /// What sending would take, or took.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.purged`
    package func quote(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignQuote {
        try await records.withConnection { connection in
            let current = try await Campaign.read(account, campaign, on: connection)
            guard current.purgedAt == nil else { throw CampaignError.purged }
            let deliverable = try await connection.query(
                """
                SELECT coalesce(sum(recipients), 0)::bigint FROM batches
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND attempt = 0
                """
            ).only.decode(Int64.self)
            let balance = try await ledger.balance(account, on: connection)
            let (lacking, isInvalid) = try await lackingVariables(account, campaign, on: connection)
            let invalid = isInvalid ? lacking.recipients : 0
            let now = try await connection.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
            return CampaignQuote(
                recipients: current.counters.recipients, deliverable: Int(deliverable) - invalid,
                suppressed: current.counters.recipients - Int(deliverable), invalid: invalid, lacking: lacking,
                credits: account.isTest ? 0 : deliverable, available: balance.available, sourcePool: current.sourcePool,
                sourcePoolProblem: try await problem(ofPool: current.sourcePool, account, on: connection),
                warnings: try await unprovenDomain(
                    of: current.fromDomain, account, recipients: Int(deliverable) - invalid, on: connection)
                    + CampaignReach.read(account, pool: current.sourcePool, on: connection).warnings(
                        recipients: Int(deliverable) - invalid, start: now.seconds, seconds: current.expirySeconds))
        }
    }

    /// The domain that a campaign's mail comes from, also after the purge; nil where there is no such campaign.
    package func senderDomain(of account: AccountID, _ campaign: CampaignID) async throws -> String? {
        try await records.query(
            """
            SELECT from_domain FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """
        ).first.map { try $0.decode(String.self) }
    }

    /// The proof of the purge; nil while the data lives.
    ///
    /// - Throws: ``CampaignError`` `.notFound`
    package func certificate(_ account: AccountID, _ campaign: CampaignID) async throws -> PurgeCertificate? {
        try await purger.certificate(account, campaign, through: records)
    }

    func status(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> CampaignStatus {
        CampaignStatus(
            campaign: try await Campaign.read(account, campaign, on: connection),
            credits: try await ledger.campaignCredits(account: account, campaign: campaign, on: connection),
            blocks: try await CampaignBlock.read(account, campaign, on: connection),
            reasons: try await CampaignReasons.read(account, campaign, on: connection),
            brake: try await CampaignBrake.read(account, campaign, on: connection))
    }

    /// Ends the transaction of a change: whoever follows the campaign is told, and the caller's own writing goes with it.
    func changed(
        _ account: AccountID, _ campaign: CampaignID, warnings: [ReachWarning]? = nil,
        _ onCommit: CommitHook<CampaignStatus>?, on connection: PostgresConnection
    ) async throws -> CampaignStatus {
        try await CampaignChannel.notifyProgress(account, campaign, on: connection)
        var status = try await status(account, campaign, on: connection)
        status.warnings = warnings
        try await onCommit?(connection, status)
        return status
    }

    /// Purges a campaign that a call has just ended. The call has been answered for; what fails here, the regular sweep
    /// for ``DeliveryStore/unfinishedCompletions()`` does again.
    func completeIfDone(_ account: AccountID, _ campaign: Campaign) async {
        guard campaign.isFinishing else { return }
        do {
            _ = try await purger.complete(account, campaign.id)
        } catch {
            logger.warning(
                "campaign not completed yet", metadata: ["campaign": "\(campaign.id)", "error": "\(error)"])
        }
    }
}
