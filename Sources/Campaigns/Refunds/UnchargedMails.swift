import MailTypes
import Postgres
import Vault

/// Recipients whose mail was tried, and who were not charged: refused at once, given up, in doubt, cancelled half-way. A
/// report of a bounce that comes later must give nothing back for them (P2).
///
/// Kept as fingerprints, so that they outlive the purge. Noted in the transaction that settles their batch, so whoever sees
/// that a campaign has ended sees all of them.
enum UnchargedMails {
    /// - Parameter attempt: of their batch.
    static func note(
        _ records: [RecipientRecord], _ results: [RecipientResult], attempt: Int32, _ batch: BatchID, vault: Vault,
        on connection: PostgresConnection
    ) async throws {
        let tried = Set(results.lazy.filter { wasTriedInVain($0, attempt: attempt) }.map(\.index))
        guard !tried.isEmpty else { return }
        let fingerprinter = try await vault.accountKeys(batch.account, on: connection).fingerprinter
        try await insert(
            records.filter { tried.contains($0.index) }.map { fingerprinter.fingerprint($0.address).bytes },
            batch.account, batch.campaign, on: connection)
    }

    /// Nobody knows which recipients of a campaign were not charged: nobody is refunded.
    static func noteUnknown(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await insert([[]], account, campaign, on: connection)
    }

    /// Where no server has answered and nothing was lost on the way, no mail can come back.
    private static func wasTriedInVain(_ result: RecipientResult, attempt: Int32) -> Bool {
        result.outcome != .delivered
            && (attempt > 0 || result.reply.code != 0 || result.outcome == .inDoubt || result.wasInDoubt)
    }

    private static func insert(
        _ fingerprints: [[UInt8]], _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO uncharged_mails (account_id, campaign_id, fingerprint)
            SELECT \(account.rawValue), \(campaign.rawValue), f FROM unnest(\(fingerprints)) AS f ORDER BY f
            ON CONFLICT DO NOTHING
            """)
    }

    /// Forgets those of campaigns whose mail is no longer refunded, up to 100,000 at a time.
    ///
    /// - Returns: how many
    static func sweep(on connection: PostgresConnection) async throws -> Int {
        try await connection.query(
            """
            WITH RECURSIVE \(unescaped: Refunds.campaigns(of: "uncharged_mails")),
            over AS MATERIALIZED (
                SELECT account_id, campaign_id FROM found JOIN campaigns c USING (account_id, campaign_id)
                WHERE (c.purged_at IS NOT NULL OR c.results_until IS NOT NULL)
                    AND c.completed_at + make_interval(secs => c.refund_seconds) + interval '1 day' < now()
                    AND NOT EXISTS (
                        SELECT FROM refunds_due r
                        WHERE r.account_id = c.account_id AND r.campaign_id = c.campaign_id))
            DELETE FROM uncharged_mails WHERE ctid = ANY (ARRAY(
                SELECT u.ctid FROM over CROSS JOIN LATERAL (
                    SELECT u.ctid FROM uncharged_mails u
                    WHERE u.account_id = over.account_id AND u.campaign_id = over.campaign_id) u
                LIMIT 100000))
            """
        ).affected
    }
}
