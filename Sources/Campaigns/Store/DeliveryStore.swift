package import CreditLedger
package import Feedback
package import Logging
package import MailTypes
package import Postgres
package import Vault
package import Webhooks

/// The delivery engine's side of campaigns: claims, the journal, settlements, completion.
///
/// Every write of a worker names its node and the epoch of its claim, and changes nothing once another has claimed the
/// batch (P4). Mail begins only while the lease lasts; what is known of earlier mail is taken later as well. All times are
/// those of the database.
package struct DeliveryStore: Sendable {
    /// For work on single batches and campaigns.
    let records: PostgresPool
    /// For what all accounts' mail waits for.
    let journal: PostgresPool
    /// For what nobody waits for.
    let housekeeping: PostgresPool
    let vault: Vault
    let ledger: CreditLedger
    let suppressions: SuppressionList
    let purger: CampaignPurger
    let feedback: FeedbackIntake
    let refunds: Refunds
    /// Who is told of what becomes of recipients; nil: nobody.
    let webhooks: WebhookInterest?
    let stopped = StoppedAccounts()
    let unreadable = Tally()
    let unopened = Tally()
    let unsendable = Tally()
    let logger: Logger

    /// - Parameters:
    ///   - records: for work on single batches and campaigns.
    ///   - journal: for journal, claims, leases and suppressions, which all accounts' mail waits for; `records` if nil.
    ///   - housekeeping: for sweeps, purges and operators; `records` if nil.
    ///   - feedback: takes in what replies tell of recipients; if nil, one that suppresses.
    ///   - webhooks: which accounts are told what becomes of recipients; nil: none.
    package init(
        records: PostgresPool, journal: PostgresPool? = nil, housekeeping: PostgresPool? = nil, vault: Vault,
        ledger: CreditLedger, suppressions: SuppressionList, feedback: FeedbackIntake? = nil,
        webhooks: WebhookInterest? = nil, logger: Logger
    ) {
        self.records = records
        self.journal = journal ?? records
        self.housekeeping = housekeeping ?? records
        self.vault = vault
        self.ledger = ledger
        self.suppressions = suppressions
        self.feedback =
            feedback
            ?? FeedbackIntake(records: records, followers: [SuppressionFollower(suppressions: suppressions)])
        refunds = Refunds(records: housekeeping ?? records, ledger: ledger, logger: logger)
        self.webhooks = webhooks
        self.logger = logger
        purger = CampaignPurger(records: housekeeping ?? records, vault: vault, ledger: ledger, logger: logger)
    }

    /// What a worker needs besides batches.
    ///
    /// - Throws: ``CampaignError`` `.notFound`, `.purged`; ``UnreadableContent``
    package func sendable(_ account: AccountID, _ campaign: CampaignID) async throws -> SendableCampaign {
        let rows = try await records.query(
            """
            SELECT c.from_domain, c.in_doubt_policy, c.expiry_seconds, c.requires_tls, c.source_pool,
                t.sealed, c.purged_at IS NOT NULL OR c.results_until IS NOT NULL
            FROM campaigns c LEFT JOIN campaign_content t USING (account_id, campaign_id)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        guard let row = rows.first else { throw CampaignError.notFound }
        let (domain, policy, expiry, requiresTLS, pool, sealed, hasEnded) = try row.decode(
            String.self, String.self, Int32.self, Bool.self, String?.self, [UInt8]?.self, Bool.self)
        guard !hasEnded else { throw CampaignError.purged }
        guard let sealed, !sealed.isEmpty else { throw UnreadableContent(campaign: campaign) }
        guard let inDoubt = InDoubtPolicy(rawValue: policy) else { throw OctetReader.malformed }
        return SendableCampaign(
            account: account, campaign: campaign,
            content: try await openContent(sealed, account, campaign, vault: vault),
            fromDomain: try DomainName(domain), inDoubt: inDoubt, expirySeconds: Int(expiry),
            requiresTLS: requiresTLS, sourcePool: pool)
    }

    /// Ends a campaign whose recipients all have their outcome, and destroys its data when it is time; see
    /// ``CampaignPurger/complete(_:_:)``.
    @discardableResult
    package func complete(_ account: AccountID, _ campaign: CampaignID) async throws -> PurgeCertificate? {
        try await purger.complete(account, campaign)
    }

    /// Campaigns that are done and whose end or purge is due, say because the node that settled the last batch died.
    package func unfinishedCompletions() async throws -> [(account: AccountID, campaign: CampaignID)] {
        try await purger.unfinished()
    }

    /// Whether the campaign can be completed without waiting for somebody who has it, or its account, locked.
    package func canComplete(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        try await purger.isFree(account, campaign)
    }

    /// Gives back credits of mails that came back, where their campaign has ended; see ``Refunds``.
    ///
    /// - Returns: how many
    package func giveRefunds() async throws -> Int { try await refunds.sweep() }

    /// Yields when there may be batches to claim. Also look from time to time: what is due later gives no signal.
    package func workSignals() -> AsyncStream<Void> {
        let notifications = records.listen(CampaignChannel.work)
        return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task {
                for await _ in notifications { continuation.yield() }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
