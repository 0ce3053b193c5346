import CreditLedger
import Logging
import MailTypes
import Postgres
import Vault
import Webhooks

/// Ends campaigns whose recipients all have their outcome, and purges them: destroys the key, then the rows, and certifies
/// both.
///
/// Where outcomes are kept for a while the end comes first: the content and all of the recipients but their addresses are
/// wiped, and the purge is due later (``ResultKeeper``). Otherwise end and purge are one.
///
/// The key lives in another database than the rows. It goes first and for good; a crash right after it leaves a
/// campaign that nobody can read and whose completion ``unfinished()`` finds, to be run again.
struct CampaignPurger: Sendable {
    let records: PostgresPool
    let vault: Vault
    let ledger: CreditLedger
    let logger: Logger

    /// Does what is due: ends the campaign, purges it. Repeated calls return the same certificate.
    ///
    /// - Returns: nil where the campaign is not done, or its purge not due.
    /// - Throws: ``CampaignError`` `.notFound`
    func complete(_ account: AccountID, _ campaign: CampaignID) async throws -> PurgeCertificate? {
        let current = try await records.withConnection { connection in
            try await Campaign.read(account, campaign, on: connection)
        }
        if current.purgedAt != nil { return try await certificate(account, campaign) }
        // Nothing leads out of these states but the end and the purge, so they still hold when the row is locked below.
        guard current.isFinishing || current.resultsUntil != nil else { return nil }
        guard current.counters.finished == current.counters.recipients else {
            throw CampaignError(.settlementMismatch, "the campaign's counters do not add up; nothing was destroyed")
        }
        if current.isFinishing, current.refundSeconds > 0 { try await noteUncharged(account, campaign) }
        if current.isFinishing, current.resultsSeconds > 0, current.queuedAt != nil {
            do {
                try await ResultKeeper(records: records, vault: vault, ledger: ledger, logger: logger)
                    .keep(account, campaign, seconds: current.resultsSeconds)
                return nil
            } catch let error where error is VaultError || error as? CampaignError == .purged {
                // Nobody can read the outcomes: there is nothing to keep.
                logger.error(
                    "outcomes cannot be read, campaign purged at once",
                    metadata: ["account": "\(account)", "campaign": "\(campaign)", "error": "\(error)"])
            }
        }
        guard try await isDue(account, campaign) else { return nil }
        return try await purge(account, campaign)
    }

    /// Of batches that a cancellation closed unopened. Before the end, so that whoever sees it sees them.
    private func noteUncharged(_ account: AccountID, _ campaign: CampaignID) async throws {
        let batches = try await records.query(
            """
            SELECT batch_no, attempt FROM batches
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND state = \(BatchState.cancelled.rawValue) AND (epoch > 0 OR attempt > 0) AND recipients > 0
            ORDER BY batch_no
            """
        ).map { try $0.decode(Int32.self, Int32.self) }
        for (number, attempt) in batches {
            try await records.withConnection { connection in
                try await noteUncharged(
                    BatchID(account: account, campaign: campaign, number: number), attempt: attempt, on: connection)
            }
        }
    }

    private func noteUncharged(
        _ batch: BatchID, attempt: Int32, on connection: PostgresConnection
    ) async throws {
        do {
            let key = try await vault.campaignKey(batch.account, batch.campaign)
            let sealed = try await connection.query(
                """
                SELECT sealed FROM batch_recipients
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number)
                """
            ).only.decode([UInt8].self)
            let tried = try key.openRecipients(sealed, of: batch).filter { !$0.isSuppressed }
            let progress = try await JournalReplay(vault: vault).progress(of: [batch], on: connection)[batch] ?? [:]
            let results = tried.map { progress[$0.index].result(of: $0.index) }
            try await UnchargedMails.note(tried, results, attempt: attempt, batch, vault: vault, on: connection)
        } catch let error as VaultError where error.code == .destroyed {
            // By an earlier try, which has noted them. A key that is missing tells of no such try.
        } catch let error where error is VaultError || error is CampaignError {
            logger.error(
                "a cancelled batch cannot be read: no bounce of its campaign is refunded",
                metadata: ["batch": "\(batch)", "error": "\(error)"])
            try await UnchargedMails.noteUnknown(batch.account, batch.campaign, on: connection)
        }
    }

    /// By the database's clock.
    private func isDue(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        try await records.query(
            """
            SELECT coalesce(results_until <= clock_timestamp(), true) FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """
        ).only.decode(column: 0, as: Bool.self)
    }

    private func purge(_ account: AccountID, _ campaign: CampaignID) async throws -> PurgeCertificate? {
        _ = try await vault.destroyCampaignKey(account, campaign)
        let keyDestroyedAt = try await records.query("SELECT clock_timestamp()").only.decode(
            column: 0, as: PostgresTimestamp.self)
        let certificate = try await records.withTransaction { connection in
            try await destroyRows(account, campaign, keyDestroyedAt: keyDestroyedAt.seconds, on: connection)
        }
        if let certificate { return certificate }
        return try await self.certificate(account, campaign)
    }

    /// Campaigns that are done, and whose end or purge is due.
    func unfinished() async throws -> [(account: AccountID, campaign: CampaignID)] {
        try await records.query(
            """
            (SELECT account_id, campaign_id FROM campaigns
            WHERE purged_at IS NULL AND results_until IS NULL AND state <> 'draft' AND open_batches = 0
                AND state IN ('queued', 'scheduled', 'sending', 'cancelled')
            ORDER BY account_id, campaign_id LIMIT \(Self.mostAtOnce))
            UNION ALL
            (SELECT account_id, campaign_id FROM campaigns
            WHERE purged_at IS NULL AND results_until <= (SELECT clock_timestamp())
            ORDER BY results_until LIMIT \(Self.mostAtOnce))
            """
        ).map { row in
            let (account, campaign) = try row.decode(Int64.self, Int64.self)
            return (AccountID(rawValue: account), CampaignID(rawValue: campaign))
        }
    }

    /// So many that those which cannot be finished now do not hide the others.
    private static let mostAtOnce: Int32 = 100_000

    /// Whether nobody keeps the account or the campaign locked for longer than a moment.
    func isFree(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        do {
            try await records.withTransaction { connection in
                try await connection.query("SET LOCAL lock_timeout = '100ms'")
                _ = try await Campaign.lock(account, campaign, ledger: ledger, on: connection)
            }
            return true
        } catch let error where DeliveryStore.isLockedOut(error) {
            return false
        }
    }

    /// The stored certificate, nil before the purge.
    ///
    /// - Parameter pool: that of whoever asks; ``records`` if nil.
    /// - Throws: ``CampaignError`` `.notFound`; `.malformedRecord` where it is not the one that the books noted
    func certificate(
        _ account: AccountID, _ campaign: CampaignID, through pool: PostgresPool? = nil
    ) async throws -> PurgeCertificate? {
        try await (pool ?? records).withConnection { connection in
            let rows = try await connection.query(
                """
                SELECT certificate FROM campaigns
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
            guard let row = rows.first else { throw CampaignError.notFound }
            guard let text = try row.decode(column: 0, as: String?.self) else { return nil }
            let certificate = try PurgeCertificate(json: text)
            // Of test campaigns the books note nothing.
            guard !account.isTest else { return certificate }
            let noted = try await ledger.purgeDigests(account, [campaign], on: connection)[campaign]
            guard certificate.digest == noted else {
                throw CampaignError(.malformedRecord, "the stored certificate is not the one that the books noted")
            }
            return certificate
        }
    }

    /// Nil where another call was faster.
    private func destroyRows(
        _ account: AccountID, _ campaign: CampaignID, keyDestroyedAt: Int64, on connection: PostgresConnection
    ) async throws -> PurgeCertificate? {
        // These take long for a large campaign, and nobody else waits for them: before the account is locked.
        var rows: [String: Int64] = [:]
        var bytes: Int64 = 0
        for table in ["batch_recipients", "batch_results", "campaign_content", "journal"] {
            let (count, octets) = try await connection.query(
                """
                WITH deleted AS (
                    DELETE FROM \(identifier: table)
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                    RETURNING octet_length(sealed) AS octets)
                SELECT count(*), coalesce(sum(octets), 0)::bigint FROM deleted
                """
            ).only.decode(Int64.self, Int64.self)
            rows[table] = count
            bytes += octets
        }
        let locked = try await Campaign.lock(account, campaign, ledger: ledger, on: connection)
        if locked.purgedAt != nil { return nil }
        guard let state = locked.state.isFinal ? locked.state : locked.state.applying(.complete)
        else { throw CampaignError.illegal(.complete, in: locked.state) }
        for table in ["campaign_paces", "operator_orders", "campaign_answers", "uploads"] {
            try await connection.query(
                """
                DELETE FROM \(identifier: table)
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """)
        }
        // Codes and counts stay, for whoever asks why so few were reached.
        try await connection.query(
            """
            UPDATE campaign_blocks SET text = ''
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        rows["batches"] = Int64(
            try await connection.query(
                """
                DELETE FROM batches WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                """
            ).affected)
        let now = try await connection.query("SELECT clock_timestamp()").only.decode(
            column: 0, as: PostgresTimestamp.self)
        let endedAt =
            locked.resultsUntil == nil ? now : locked.completedAt.map { PostgresTimestamp(seconds: $0) } ?? now
        let certificate = PurgeCertificate(
            account: account, campaign: campaign, state: state, counters: locked.counters,
            reasons: try await CampaignReasons.read(account, campaign, on: connection), rows: rows, bytes: bytes,
            keyDestroyedAt: keyDestroyedAt, completedAt: endedAt.seconds)
        try await ledger.recordPurge(
            account: account, campaign: campaign, digest: certificate.digest, on: connection)
        try await connection.query(
            """
            UPDATE campaigns
            SET state = \(state.rawValue), completed_at = \(endedAt), purged_at = \(now), certificate = \(certificate.json),
                pause_reason = NULL
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        if locked.queuedAt != nil {
            let ended = WebhookEvent.campaign(.campaignCompleted, campaign, counts: locked.counters.told)
            try await WebhookOutbox.append(
                (locked.state.isFinal ? [] : [ended]) + [.campaign(.campaignPurged, campaign)], account: account,
                campaign: campaign, on: connection)
        }
        try await CampaignChannel.notifyProgress(account, campaign, on: connection)
        logger.info(
            "campaign purged",
            metadata: ["account": "\(account)", "campaign": "\(campaign)", "state": "\(state.rawValue)"])
        return certificate
    }
}

extension RecipientProgress? {
    /// Of a recipient of a cancelled batch.
    fileprivate func result(of index: Int32) -> RecipientResult {
        switch self {
        case .finished(let result): result
        case .deferred(let result): RecipientResult(index: index, outcome: .cancelled, reply: result.reply)
        case .intended: RecipientResult(index: index, outcome: .inDoubt)
        case nil: RecipientResult(index: index, outcome: .cancelled)
        }
    }
}

extension CampaignCounters {
    /// As webhooks tell them.
    var told: [(name: String, count: Int64)] {
        [("recipients", Int64(recipients))] + Outcome.allCases.map { ($0.name, Int64(self[$0])) }
    }
}
