package import MailTypes
package import Postgres

/// Counts by hour of what became of a campaign's mail at each mailbox provider: ``ComplaintBrake`` decides on them as on
/// ``FeedbackHours``, for a provider judges a sender by its own users alone.
///
/// Providers are named as in the rules of lanes. Mail of which nobody knows where it went is not in here: that of a
/// smarthost, and that of which only a node's journal knew.
package enum ProviderHours {
    /// Adds to the present hour, in the caller's transaction, behind ``FeedbackHours``. Rows are changed in order of key;
    /// who comes here has nothing to lock after it.
    package static func add(
        _ counts: [String: ComplaintBrake.Counts], of account: AccountID, _ campaign: CampaignID,
        on connection: PostgresConnection
    ) async throws {
        let rows = counts.filter { $0.value != .init() }.sorted { $0.key < $1.key }
        guard !rows.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO feedback_by_provider AS h (account_id, campaign_id, provider, hour, delivered, hard_bounces)
            SELECT \(account.rawValue), \(campaign.rawValue), n.provider, date_trunc('hour', now(), 'UTC'), n.delivered,
                n.hard_bounces
            FROM unnest(
                \(rows.map(\.key)), \(rows.map(\.value.delivered)), \(rows.map(\.value.hardBounces))
            ) AS n (provider, delivered, hard_bounces)
            ORDER BY n.provider
            ON CONFLICT (account_id, campaign_id, provider, hour) DO UPDATE
            SET delivered = h.delivered + excluded.delivered, hard_bounces = h.hard_bounces + excluded.hard_bounces
            """)
    }

    /// Adds what is told of mails that were delivered before to the newest hour in which the provider took mail of the
    /// campaign, in the caller's transaction. What belongs to no such hour is of a provider that the campaign was not
    /// delivered to: somebody's word, which counts nothing here.
    static func addReported(
        _ reports: [(account: AccountID, campaign: CampaignID, provider: String, counts: ComplaintBrake.Counts)],
        on connection: PostgresConnection
    ) async throws {
        guard !reports.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO feedback_by_provider AS h (account_id, campaign_id, provider, hour, hard_bounces, complaints)
            SELECT n.account_id, n.campaign_id, n.provider, d.hour, n.hard_bounces, n.complaints
            FROM (
                SELECT account_id, campaign_id, provider, sum(hard_bounces)::bigint AS hard_bounces,
                    sum(complaints)::bigint AS complaints
                FROM unnest(
                    \(reports.map(\.account.rawValue)), \(reports.map(\.campaign.rawValue)), \(reports.map(\.provider)),
                    \(reports.map(\.counts.hardBounces)), \(reports.map(\.counts.complaints))
                ) AS r (account_id, campaign_id, provider, hard_bounces, complaints)
                GROUP BY account_id, campaign_id, provider) n
            CROSS JOIN LATERAL (
                SELECT max(f.hour) AS hour FROM feedback_by_provider f
                WHERE f.account_id = n.account_id AND f.campaign_id = n.campaign_id AND f.provider = n.provider
                    AND f.delivered > 0
                    AND f.hour > now() - make_interval(hours => \(Int32(FeedbackHours.keptHours)))) d
            WHERE d.hour IS NOT NULL
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (account_id, campaign_id, provider, hour) DO UPDATE
            SET hard_bounces = h.hard_bounces + excluded.hard_bounces, complaints = h.complaints + excluded.complaints
            """)
    }

    /// Those of some campaigns of one account.
    package static func campaigns(
        _ campaigns: [CampaignID], of account: AccountID, hours: Int, on connection: PostgresConnection
    ) async throws -> [CampaignID: [String: ComplaintBrake.Counts]] {
        let rows = try await connection.query(
            """
            SELECT campaign_id, provider, sum(delivered)::bigint, sum(hard_bounces)::bigint, sum(complaints)::bigint
            FROM feedback_by_provider
            WHERE account_id = \(account.rawValue) AND campaign_id = ANY (\(campaigns.map(\.rawValue)))
                AND hour > now() - make_interval(hours => \(Int32(hours)))
            GROUP BY campaign_id, provider
            """)
        var found: [CampaignID: [String: ComplaintBrake.Counts]] = [:]
        for row in rows {
            let (campaign, provider, delivered, bounces, complaints) = try row.decode(
                Int64.self, String.self, Int64.self, Int64.self, Int64.self)
            found[CampaignID(rawValue: campaign), default: [:]][provider] = ComplaintBrake.Counts(
                delivered: delivered, hardBounces: bounces, complaints: complaints)
        }
        return found
    }

    /// Those of all campaigns together, with the provider that took most mail first.
    ///
    /// - Parameter account: nil for all accounts.
    package static func sums(
        of account: AccountID?, hours: Int, on connection: PostgresConnection
    ) async throws -> [(provider: String, counts: ComplaintBrake.Counts)] {
        try await connection.query(
            """
            SELECT provider, sum(delivered)::bigint, sum(hard_bounces)::bigint, sum(complaints)::bigint
            FROM feedback_by_provider
            WHERE account_id = coalesce(\(account?.rawValue as Int64?), account_id)
                AND hour > now() - make_interval(hours => \(Int32(hours)))
            GROUP BY provider ORDER BY 2 DESC, 1
            """
        ).map { row in
            let (provider, delivered, bounces, complaints) = try row.decode(
                String.self, Int64.self, Int64.self, Int64.self)
            return (provider, .init(delivered: delivered, hardBounces: bounces, complaints: complaints))
        }
    }

    /// Begins to count a campaign anew. Rows are locked in order of key: reports change several at once.
    static func restart(_ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            DELETE FROM feedback_by_provider h
            USING (
                SELECT provider, hour FROM feedback_by_provider
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                ORDER BY provider, hour FOR UPDATE) o
            WHERE h.account_id = \(account.rawValue) AND h.campaign_id = \(campaign.rawValue)
                AND h.provider = o.provider AND h.hour = o.hour
            """)
    }

    /// Does away with what is older than a window can be.
    ///
    /// - Returns: how many rows
    package static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.query(
            """
            DELETE FROM feedback_by_provider
            WHERE hour < now() - make_interval(hours => \(Int32(FeedbackHours.keptHours + 1)))
            """
        ).affected
    }
}
