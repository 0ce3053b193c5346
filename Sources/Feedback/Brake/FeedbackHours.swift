package import MailTypes
package import Postgres
import Vault

/// Counts by hour of what became of mail, for each campaign and for each account: what ``ComplaintBrake`` decides on. Test
/// accounts have no part in them.
package enum FeedbackHours {
    /// Kept so long; a window is at most as long.
    package static let keptHours = 168

    /// Adds to the present hour, in the caller's transaction. Rows are changed in order of key; who comes here has
    /// nothing to lock after it.
    package static func add(
        _ counts: [(account: AccountID, campaign: CampaignID, counts: ComplaintBrake.Counts)],
        on connection: PostgresConnection
    ) async throws {
        var sums: [Key: ComplaintBrake.Counts] = [:]
        for (account, campaign, counts) in counts where counts != .init() && !account.isTest {
            for key in [Key(account.rawValue, campaign.rawValue), Key(account.rawValue, 0)] {
                sums[key, default: .init()].add(counts)
            }
        }
        guard !sums.isEmpty else { return }
        let rows = sums.sorted { $0.key < $1.key }
        try await connection.query(
            """
            INSERT INTO feedback_hours AS h (account_id, campaign_id, hour, delivered, hard_bounces, complaints)
            SELECT n.account_id, n.campaign_id, date_trunc('hour', now(), 'UTC'), n.delivered, n.hard_bounces, n.complaints
            FROM unnest(
                \(rows.map(\.key.account)), \(rows.map(\.key.campaign)), \(rows.map(\.value.delivered)),
                \(rows.map(\.value.hardBounces)), \(rows.map(\.value.complaints))
            ) AS n (account_id, campaign_id, delivered, hard_bounces, complaints)
            ORDER BY 1, 2
            ON CONFLICT (account_id, campaign_id, hour) DO UPDATE
            SET delivered = h.delivered + excluded.delivered, hard_bounces = h.hard_bounces + excluded.hard_bounces,
                complaints = h.complaints + excluded.complaints
            """)
    }

    /// Adds what is told of mails that were delivered before, in the caller's transaction: to the newest hour in which
    /// mail of the campaign was delivered, so that late complaints of a large campaign are not held against a small one
    /// of today. What belongs to no such hour brakes nothing: it is from before an upgrade, a restart or the longest
    /// window. Rows are changed in order of key; who comes here has nothing to lock after it.
    static func addReported(
        _ counts: [(account: AccountID, campaign: CampaignID, counts: ComplaintBrake.Counts)],
        on connection: PostgresConnection
    ) async throws {
        var sums: [Key: ComplaintBrake.Counts] = [:]
        for (account, campaign, counts) in counts where !account.isTest {
            sums[Key(account.rawValue, campaign.rawValue), default: .init()].add(counts)
        }
        guard !sums.isEmpty else { return }
        let rows = sums.sorted { $0.key < $1.key }
        try await connection.query(
            """
            INSERT INTO feedback_hours AS h (account_id, campaign_id, hour, hard_bounces, complaints)
            SELECT n.account_id, r.campaign_id, d.hour, sum(n.hard_bounces)::bigint, sum(n.complaints)::bigint
            FROM unnest(
                \(rows.map(\.key.account)), \(rows.map(\.key.campaign)), \(rows.map(\.value.hardBounces)),
                \(rows.map(\.value.complaints))
            ) AS n (account_id, campaign_id, hard_bounces, complaints)
            CROSS JOIN LATERAL (
                SELECT max(f.hour) AS hour FROM feedback_hours f
                WHERE f.account_id = n.account_id AND f.campaign_id = n.campaign_id AND f.delivered > 0
                    AND f.hour > now() - make_interval(hours => \(Int32(keptHours)))) d
            CROSS JOIN LATERAL (VALUES (0::bigint), (n.campaign_id)) r (campaign_id)
            WHERE EXISTS (
                SELECT FROM feedback_hours e
                WHERE e.account_id = n.account_id AND e.campaign_id = r.campaign_id AND e.hour = d.hour
                    AND e.delivered > 0)
            GROUP BY 1, 2, 3
            ORDER BY 1, 2, 3
            ON CONFLICT (account_id, campaign_id, hour) DO UPDATE
            SET hard_bounces = h.hard_bounces + excluded.hard_bounces, complaints = h.complaints + excluded.complaints
            """)
    }

    /// The accounts of which something was told in the last hours that may brake them, and all their counts.
    package static func accounts(
        hours: Int, on connection: PostgresConnection
    ) async throws -> [AccountID: ComplaintBrake.Counts] {
        let rows = try await connection.query(
            """
            SELECT account_id, sum(delivered)::bigint, sum(hard_bounces)::bigint, sum(complaints)::bigint
            FROM feedback_hours
            WHERE campaign_id = 0 AND hour > now() - make_interval(hours => \(Int32(hours)))
            GROUP BY account_id
            HAVING greatest(sum(hard_bounces), sum(complaints)) >= \(ComplaintBrake.leastEvents)
            """)
        var found: [AccountID: ComplaintBrake.Counts] = [:]
        for row in rows {
            let (account, delivered, bounces, complaints) = try row.decode(
                Int64.self, Int64.self, Int64.self, Int64.self)
            found[AccountID(rawValue: account)] = ComplaintBrake.Counts(
                delivered: delivered, hardBounces: bounces, complaints: complaints)
        }
        return found
    }

    /// Those of some campaigns of one account.
    package static func campaigns(
        _ campaigns: [CampaignID], of account: AccountID, hours: Int, on connection: PostgresConnection
    ) async throws -> [CampaignID: ComplaintBrake.Counts] {
        let rows = try await connection.query(
            """
            SELECT campaign_id, sum(delivered)::bigint, sum(hard_bounces)::bigint, sum(complaints)::bigint
            FROM feedback_hours
            WHERE account_id = \(account.rawValue) AND campaign_id = ANY (\(campaigns.map(\.rawValue)))
                AND hour > now() - make_interval(hours => \(Int32(hours)))
            GROUP BY campaign_id
            """)
        var found: [CampaignID: ComplaintBrake.Counts] = [:]
        for row in rows {
            let (campaign, delivered, bounces, complaints) = try row.decode(
                Int64.self, Int64.self, Int64.self, Int64.self)
            found[CampaignID(rawValue: campaign)] = ComplaintBrake.Counts(
                delivered: delivered, hardBounces: bounces, complaints: complaints)
        }
        return found
    }

    /// Begins to count anew: what has paused a campaign once does not pause it again when somebody resumes it. Rows are
    /// locked in order of key: reports change several hours at once.
    ///
    /// - Parameter campaign: nil for the counts of the account as a whole; of a campaign those by provider begin anew too
    package static func restart(
        _ account: AccountID, _ campaign: CampaignID?, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            DELETE FROM feedback_hours h
            USING (
                SELECT hour FROM feedback_hours
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign?.rawValue ?? 0)
                ORDER BY hour FOR UPDATE) o
            WHERE h.account_id = \(account.rawValue) AND h.campaign_id = \(campaign?.rawValue ?? 0) AND h.hour = o.hour
            """)
        if let campaign { try await ProviderHours.restart(account, campaign, on: connection) }
    }

    /// Does away with what is older than a window can be.
    ///
    /// - Returns: how many rows
    package static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.query(
            """
            DELETE FROM feedback_hours
            WHERE hour < now() - make_interval(hours => \(Int32(keptHours + 1)))
            """
        ).affected
    }

    private struct Key: Hashable, Comparable {
        let account: Int64
        let campaign: Int64

        init(_ account: Int64, _ campaign: Int64) {
            self.account = account
            self.campaign = campaign
        }

        static func < (one: Key, other: Key) -> Bool {
            (one.account, one.campaign) < (other.account, other.campaign)
        }
    }
}

extension ComplaintBrake.Counts {
    package mutating func add(_ others: ComplaintBrake.Counts) {
        delivered += others.delivered
        hardBounces += others.hardBounces
        complaints += others.complaints
    }
}

/// Counts complaints, and addresses that were found not to exist after their mail was taken, in the hour of that mail
/// (``FeedbackHours``, ``ProviderHours``).
///
/// To be the last of the followers: settlements lock the account's row before they count here.
package struct BrakeFollower: FeedbackFollower {
    package init() {}

    package func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
        try await FeedbackHours.addReported(
            new.compactMap { event in
                guard let counts = event.counts else { return nil }
                return (account: event.recipient.account, campaign: event.recipient.campaign, counts: counts)
            }, on: connection)
        try await ProviderHours.addReported(
            new.compactMap { event in
                guard let counts = event.counts, let provider = event.mailboxProvider else { return nil }
                return (
                    account: event.recipient.account, campaign: event.recipient.campaign, provider: provider,
                    counts: counts
                )
            }, on: connection)
    }
}

extension FeedbackEvent {
    /// A refusal during delivery is counted when its batch is settled.
    fileprivate var counts: ComplaintBrake.Counts? {
        switch fact {
        case .complaint: ComplaintBrake.Counts(complaints: 1)
        case .hardBounce where channel != .reply: ComplaintBrake.Counts(hardBounces: 1)
        case .hardBounce, .softBounce, .unsubscribe, .delay: nil
        }
    }
}
