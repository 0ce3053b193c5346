import CreditLedger
package import MailMessage
package import MailTypes
import Postgres
import Webhooks

extension CampaignService {
    /// Reserves the credits, one hold a batch, and queues the campaign, now or for a later time. A campaign whose
    /// recipients are all suppressed is complete at once.
    ///
    /// - Parameters:
    ///   - scheduledAt: seconds since 1970; a time that has passed counts as now
    ///   - missingVariables: what becomes of recipients who lack a variable; nil as the campaign's content says
    /// - Throws: ``CampaignError`` `.notFound`, `.illegalTransition` unless it is a draft, `.noRecipients`,
    ///   `.domainNotProven`, `.tooManyCampaigns`, `.missingVariables`, `.sourcePoolUnknown`, `.insufficientCredits`,
    ///   `.invalidSetting` for a time too far ahead;
    ///   `MessageError` for content that an earlier version took and this one does not
    @concurrent
    package func send(
        _ account: AccountID, _ campaign: CampaignID, scheduledAt: Int64? = nil,
        missingVariables: MissingVariablePolicy? = nil, onCommit: CommitHook<CampaignStatus>? = nil
    ) async throws -> CampaignStatus {
        let status = try await records.withTransaction { connection in
            let current = try await Campaign.lock(account, campaign, ledger: ledger, on: connection)
            let now = try await connection.query("SELECT clock_timestamp()").only.decode(PostgresTimestamp.self)
            let scheduled = scheduledAt.flatMap { $0 > now.seconds ? PostgresTimestamp(seconds: $0) : nil }
            guard (scheduled?.seconds ?? 0) <= now.seconds + CampaignLimits.scheduleAheadSeconds else {
                throw CampaignError(.invalidSetting, "a campaign can be scheduled for at most a year ahead")
            }
            let event: CampaignEvent = scheduled == nil ? .send : .schedule
            guard let next = current.state.applying(event) else {
                throw CampaignError.illegal(event, in: current.state)
            }
            guard current.counters.recipients > 0 else {
                throw CampaignError(.noRecipients, "the campaign has no recipients")
            }
            try await requireProof(of: current.fromDomain, account, on: connection)
            try await requireRoom(account, on: connection)
            try await requirePool(current.sourcePool, account, on: connection)
            try await settleVariables(account, campaign, policy: missingVariables, on: connection)
            let holds = try await reserve(account, campaign, on: connection)
            try await open(
                account, campaign, state: next, holds: holds, recipients: current.counters.recipients,
                scheduled: scheduled, now: now, on: connection)
            try await tell(campaign, of: account, recipients: current.counters.recipients, holds: holds, on: connection)
            let reach = try await CampaignReach.read(account, pool: current.sourcePool, on: connection)
            return try await changed(
                account, campaign,
                warnings: reach.warnings(
                    recipients: Int(holds.reduce(0) { $0 + $1.amount }), start: (scheduled ?? now).seconds,
                    seconds: current.expirySeconds),
                onCommit, on: connection)
        }
        await completeIfDone(account, status.campaign)
        return status
    }

    /// Says that the campaign is queued, and that credits are low where what is left would not pay for another like it.
    private func tell(
        _ campaign: CampaignID, of account: AccountID, recipients: Int, holds: [(batch: Int32, amount: Int64)],
        on connection: PostgresConnection
    ) async throws {
        try await WebhookOutbox.append(
            [.campaign(.campaignQueued, campaign, counts: [("recipients", Int64(recipients))])], account: account,
            campaign: campaign, on: connection)
        guard !account.isTest else { return }
        let reserved = holds.reduce(0) { $0 + $1.amount }
        let available = try await ledger.balance(account, on: connection).available
        guard available < reserved else { return }
        try await WebhookOutbox.append(
            [.creditsLow(available: available, threshold: reserved)], account: account, on: connection)
    }

    /// Each claim of the account looks at all of its campaigns that can have something to claim. The account is locked.
    private func requireRoom(_ account: AccountID, on connection: PostgresConnection) async throws {
        let most = mostUnfinished(of: account)
        guard try await Self.hasFewer(than: most, account, on: connection) else {
            throw CampaignError(
                .tooManyCampaigns,
                "the account has at most \(most) campaigns that were sent and have not ended")
        }
    }

    /// Whether at most half of the campaigns that the account may have unfinished are there.
    package func hasHalfItsRoom(_ account: AccountID) async throws -> Bool {
        let half = mostUnfinished(of: account) / 2
        return try await records.withConnection { try await Self.hasFewer(than: half + 1, account, on: $0) }
    }

    private func mostUnfinished(of account: AccountID) -> Int {
        limits[.campaigns, account] ?? (account.isTest ? CampaignLimits.unfinishedTests : CampaignLimits.unfinished)
    }

    /// Whether fewer campaigns than that were sent and have not ended. Counts no further.
    private static func hasFewer(
        than most: Int, _ account: AccountID, on connection: PostgresConnection
    ) async throws -> Bool {
        let unfinished = try await connection.query(
            """
            SELECT count(*) FROM (
                SELECT FROM campaigns
                WHERE account_id = \(account.rawValue) AND purged_at IS NULL AND results_until IS NULL
                    AND state <> 'draft'
                LIMIT \(Int64(most))) c
            """
        ).only.decode(Int64.self)
        return unfinished < Int64(most)
    }

    /// One hold for each batch that has somebody to deliver to.
    private func reserve(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> [(batch: Int32, amount: Int64)] {
        let holds = try await connection.query(
            """
            SELECT batch_no, recipients FROM batches
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND recipients > 0
            ORDER BY batch_no
            """
        ).map { row in
            let (number, recipients) = try row.decode(Int32.self, Int32.self)
            return (batch: number, amount: Int64(recipients))
        }
        guard !holds.isEmpty else { return [] }
        do {
            try await ledger.reserve(holds, account: account, campaign: campaign, on: connection)
        } catch LedgerError.insufficientCredits(let missing, let available) {
            throw CampaignError(
                .insufficientCredits(missing: missing, available: available),
                "\(missing) more credits are needed; \(available) are available")
        }
        return holds
    }

    private func open(
        _ account: AccountID, _ campaign: CampaignID, state: CampaignState,
        holds: [(batch: Int32, amount: Int64)], recipients: Int, scheduled: PostgresTimestamp?,
        now: PostgresTimestamp, on connection: PostgresConnection
    ) async throws {
        let due = scheduled ?? now
        let suppressed = Int32(recipients) - Int32(holds.reduce(0) { $0 + $1.amount })
        try await connection.query(
            """
            UPDATE campaigns
            SET state = \(state.rawValue), queued_at = \(now), scheduled_at = \(scheduled as PostgresTimestamp?),
                expires_at = \(due) + make_interval(secs => expiry_seconds), open_batches = \(Int32(holds.count)),
                suppressed = \(suppressed),
                refund_seconds = coalesce(
                    (SELECT r.refund_seconds FROM account_refunds r WHERE r.account_id = campaigns.account_id),
                    \(Int32(clamping: refundSeconds)))
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        try await connection.query(
            """
            UPDATE batches SET state = CASE WHEN recipients > 0 THEN 1 ELSE 3 END, due_at = \(due)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        guard !holds.isEmpty else { return }
        try await connection.query("SELECT enqueue_account(\(account.rawValue), \(due))")
        try await CampaignChannel.notifyWork(on: connection)
    }
}
