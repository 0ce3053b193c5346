import Feedback
package import MailTypes
import Postgres

/// How many of a campaign's recipients bounced or expired for which reason. Counted as batches are settled, so that they
/// follow the counters by seconds; kept for good.
///
/// Nodes of a release before do not count: then the reasons sum to less than the counters.
package struct CampaignReasons: Sendable, Hashable {
    /// By outcome and ``FeedbackReason``; only what was counted.
    package private(set) var counts: [Outcome: [String: Int64]] = [:]

    package init() {}

    package init(counts: [Outcome: [String: Int64]]) {
        self.counts = counts.filter { !$0.value.isEmpty }
    }

    package var isEmpty: Bool { counts.isEmpty }

    init(_ results: some Sequence<RecipientResult>) {
        for result in results {
            guard let outcome = result.outcome, let reason = result.reply.reason(of: outcome) else { continue }
            counts[outcome, default: [:]][reason.rawValue, default: 0] += 1
        }
    }

    mutating func add(_ others: CampaignReasons) {
        for (outcome, reasons) in others.counts { counts[outcome, default: [:]].merge(reasons, uniquingKeysWith: +) }
    }

    mutating func add(_ count: Int64, bouncedFor reason: FeedbackReason) {
        guard count > 0 else { return }
        counts[.bounced, default: [:]][reason.rawValue, default: 0] += count
    }

    /// In the caller's transaction, which has the campaign locked. One statement.
    func add(to campaign: CampaignID, of account: AccountID, on connection: PostgresConnection) async throws {
        let rows = counts.flatMap { outcome, reasons in reasons.map { (outcome.rawValue, $0.key, $0.value) } }
        guard !rows.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO campaign_reasons AS r (account_id, campaign_id, outcome, reason, count)
            SELECT \(account.rawValue), \(campaign.rawValue), n.outcome, n.reason, n.count
            FROM unnest(\(rows.map(\.0)), \(rows.map(\.1)), \(rows.map(\.2))) AS n (outcome, reason, count)
            ORDER BY 3, 4
            ON CONFLICT (account_id, campaign_id, outcome, reason) DO UPDATE SET count = r.count + excluded.count
            """)
    }

    static func read(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> CampaignReasons {
        let rows = try await connection.query(
            """
            SELECT outcome, reason, count FROM campaign_reasons
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        var found = CampaignReasons()
        for row in rows {
            let (number, reason, count) = try row.decode(Int16.self, String.self, Int64.self)
            guard let outcome = Outcome(rawValue: number) else { throw OctetReader.malformed }
            found.counts[outcome, default: [:]][reason] = count
        }
        return found
    }
}

extension DeliveryStore {
    /// Counts why recipients were not reached, and what may brake the campaign, in the transaction that settles them.
    func count(
        _ results: [RecipientResult], settlement: BatchSettlement, of batch: BatchID,
        on connection: PostgresConnection
    ) async throws {
        try await CampaignReasons(results).add(to: batch.campaign, of: batch.account, on: connection)
        var all = ComplaintBrake.Counts()
        var byProvider: [String: ComplaintBrake.Counts] = [:]
        for result in results {
            guard let counts = result.braking else { continue }
            all.add(counts)
            if let provider = settlement.providers[result.index] { byProvider[provider, default: .init()].add(counts) }
        }
        try await FeedbackHours.add(
            [(account: batch.account, campaign: batch.campaign, counts: all)], on: connection)
        try await ProviderHours.add(byProvider, of: batch.account, batch.campaign, on: connection)
    }
}

extension RecipientResult {
    /// What it counts for where complaints and bounces brake; nil for nothing.
    fileprivate var braking: ComplaintBrake.Counts? {
        if outcome == .delivered { return .init(delivered: 1) }
        return outcome == .bounced && reply.isHard ? .init(hardBounces: 1) : nil
    }
}
