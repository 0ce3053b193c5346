package import CreditLedger
package import Feedback
package import Logging
import MailTypes
package import Postgres
import Vault
import Webhooks

/// Gives back the credits of mails that a server took and that came back later: a hard bounce told by a mail to the return
/// path or by a provider.
///
/// Such a report may come before its batch is charged. So it is only noted as due, and given once the campaign has ended,
/// when no charge is to come: by the report's own transaction where it comes later and is of nothing but campaigns that
/// have ended, else by ``sweep()``. Whoever was tried and not charged gets nothing (``UnchargedMails``), nobody gets it
/// twice, and all together no more than they cost (``CreditLedger/CreditLedger/refund(_:account:campaign:on:)``).
package struct Refunds: Sendable {
    private let records: PostgresPool
    private let ledger: CreditLedger
    private let logger: Logger

    /// Refunds that one transaction gives.
    static let atOnce: Int32 = 500

    /// - Parameter records: for ``sweep()``, which nobody waits for.
    package init(records: PostgresPool, ledger: CreditLedger, logger: Logger) {
        self.records = records
        self.ledger = ledger
        self.logger = logger
    }

    /// Notes that mails have bounced, where that is in time, and gives what can be given now: nothing where the same
    /// transaction reports of a campaign that goes on as well. Its facts are locked, and to wait for an account then
    /// could close a circle: a settlement holds the account and waits for the campaign, the journal holds the campaign
    /// and waits for a fact. Then ``sweep()`` gives.
    ///
    /// - Parameters:
    ///   - bounced: each once in the life of its campaign.
    ///   - reported: all of whom the transaction has noted something.
    func bounced(
        _ bounced: [RecipientToken], among reported: [RecipientToken], on connection: PostgresConnection
    ) async throws {
        guard !bounced.isEmpty else { return }
        let ended = try await note(bounced, among: Set(reported.map(Key.init)).sorted(), on: connection)
        // In the order of locks.
        for (key, fingerprints) in ended.sorted(by: { $0.key < $1.key }) {
            for start in stride(from: 0, to: fingerprints.count, by: Int(Self.atOnce)) {
                let part = fingerprints[start..<min(start + Int(Self.atOnce), fingerprints.count)]
                try await give(key, of: Array(part), on: connection)
            }
        }
    }

    /// - Returns: the fingerprints of those that can be given now: none unless all of the named campaigns have ended.
    private func note(
        _ bounced: [RecipientToken], among named: [Key], on connection: PostgresConnection
    ) async throws -> [Key: [[UInt8]]] {
        let rows = try await connection.query(
            """
            WITH noted AS (
                INSERT INTO refunds_due (account_id, campaign_id, fingerprint)
                SELECT account_id, campaign_id, b.fingerprint
                FROM unnest(
                    \(bounced.map(\.account.rawValue))::bigint[], \(bounced.map(\.campaign.rawValue))::bigint[],
                    \(bounced.map(\.fingerprint.bytes))::bytea[]) AS b (account_id, campaign_id, fingerprint)
                JOIN campaigns c USING (account_id, campaign_id)
                WHERE c.queued_at IS NOT NULL AND c.refund_seconds > 0
                    AND (c.completed_at IS NULL
                        OR clock_timestamp() <= c.completed_at + make_interval(secs => c.refund_seconds))
                ORDER BY account_id, campaign_id, b.fingerprint
                ON CONFLICT DO NOTHING
                RETURNING account_id, campaign_id, fingerprint)
            SELECT account_id, campaign_id, n.fingerprint
            FROM noted n
            WHERE NOT EXISTS (
                SELECT FROM unnest(\(named.map(\.account))::bigint[], \(named.map(\.campaign))::bigint[])
                    AS r (account_id, campaign_id)
                JOIN campaigns c USING (account_id, campaign_id)
                WHERE c.purged_at IS NULL AND c.results_until IS NULL)
            """)
        var ended: [Key: [[UInt8]]] = [:]
        for row in rows {
            let (account, campaign, fingerprint) = try row.decode(Int64.self, Int64.self, [UInt8].self)
            ended[Key(account: account, campaign: campaign), default: []].append(fingerprint)
        }
        return ended
    }

    private struct Key: Hashable, Comparable {
        let account: Int64
        let campaign: Int64

        init(account: Int64, campaign: Int64) {
            self.account = account
            self.campaign = campaign
        }

        init(_ recipient: RecipientToken) {
            self.init(account: recipient.account.rawValue, campaign: recipient.campaign.rawValue)
        }

        static func < (one: Key, other: Key) -> Bool {
            (one.account, one.campaign) < (other.account, other.campaign)
        }
    }

    /// Gives what is due of campaigns that have ended. Several nodes may sweep at once; an account that somebody has locked
    /// is left to the next sweep.
    ///
    /// - Returns: how many credits
    package func sweep() async throws -> Int {
        let ended = try await records.query(
            """
            WITH RECURSIVE \(unescaped: Self.campaigns(of: "refunds_due"))
            SELECT account_id, campaign_id FROM found JOIN campaigns c USING (account_id, campaign_id)
            WHERE c.purged_at IS NOT NULL OR c.results_until IS NOT NULL
            ORDER BY account_id, campaign_id LIMIT 1000
            """
        ).map { row in
            let (account, campaign) = try row.decode(Int64.self, Int64.self)
            return Key(account: account, campaign: campaign)
        }
        var given = 0
        var held: Set<Int64> = []
        for key in ended where !held.contains(key.account) {
            do {
                given += try await giveAll(key)
            } catch let error as PostgresError where error.isTimeout {
                held.insert(key.account)
            } catch let error as LedgerError {
                // Its own trouble: those behind it get theirs all the same.
                logger.error(
                    "refunds not given",
                    metadata: [
                        "account": "\(key.account)", "campaign": "\(CampaignID(rawValue: key.campaign))",
                        "error": "\(error.code)",
                    ])
            }
        }
        return given
    }

    /// The campaigns that a table has rows of, for `WITH RECURSIVE`: a step along its key for each, however many rows they have.
    static func campaigns(of table: String) -> String {
        """
        found (account_id, campaign_id) AS (
            (SELECT account_id, campaign_id FROM \(table) ORDER BY account_id, campaign_id LIMIT 1)
            UNION ALL
            SELECT n.account_id, n.campaign_id FROM found f CROSS JOIN LATERAL (
                SELECT t.account_id, t.campaign_id FROM \(table) t
                WHERE (t.account_id, t.campaign_id) > (f.account_id, f.campaign_id)
                ORDER BY t.account_id, t.campaign_id LIMIT 1) n)
        """
    }

    private func giveAll(_ key: Key) async throws -> Int {
        var given = 0
        while true {
            let (handled, credits) = try await records.withTransaction { connection in
                try await connection.query("SET LOCAL lock_timeout = '500ms'")
                return try await give(key, on: connection)
            }
            given += credits
            if handled == 0 { return given }
        }
    }

    /// Of a campaign that has ended.
    ///
    /// - Parameter fingerprints: of them only.
    /// - Returns: how many were due, and how many of them got their credit back
    @discardableResult
    private func give(
        _ key: Key, of fingerprints: [[UInt8]]? = nil, on connection: PostgresConnection
    ) async throws -> (handled: Int, credits: Int) {
        let (account, campaign) = (AccountID(rawValue: key.account), CampaignID(rawValue: key.campaign))
        // First, as everywhere. Whoever else gives of this account has ended then.
        try await ledger.lock(account, on: connection)
        let due = try await connection.query(
            """
            DELETE FROM refunds_due r
            USING (
                SELECT fingerprint FROM refunds_due
                WHERE account_id = \(key.account) AND campaign_id = \(key.campaign)
                    AND fingerprint = ANY (coalesce(\(fingerprints as [[UInt8]]?), ARRAY[fingerprint]))
                ORDER BY fingerprint LIMIT \(Self.atOnce) FOR UPDATE SKIP LOCKED) d
            WHERE r.account_id = \(key.account) AND r.campaign_id = \(key.campaign) AND r.fingerprint = d.fingerprint
            RETURNING r.fingerprint, EXISTS (
                SELECT FROM uncharged_mails u
                WHERE u.account_id = r.account_id AND u.campaign_id = r.campaign_id
                    AND u.fingerprint IN (r.fingerprint, ''))
            """
        ).map { try $0.decode([UInt8].self, Bool.self) }
        let charged = due.filter { !$0.1 }.map(\.0).sorted { $0.lexicographicallyPrecedes($1) }
        let entries = try await ledger.refund(charged, account: account, campaign: campaign, on: connection)
        if !entries.isEmpty {
            try await WebhookOutbox.append(
                [.creditsRefunded(Int64(entries.count), campaign: campaign, reason: "hard_bounce")], account: account,
                on: connection)
        }
        return (due.count, entries.count)
    }

    /// Forgets who was not charged, of campaigns whose mail is no longer refunded.
    ///
    /// - Returns: how many
    package func sweepUncharged() async throws -> Int {
        try await records.withConnection { try await UnchargedMails.sweep(on: $0) }
    }
}

/// Sees to it that a mail which came back is paid for once less: of each hard bounce that was not told by the reply to the
/// mail itself. Put it before followers that write rows which transactions of settlements wait for.
package struct RefundFollower: FeedbackFollower {
    private let refunds: Refunds

    package init(_ refunds: Refunds) { self.refunds = refunds }

    package func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
        try await refunds.bounced(
            new.filter { $0.fact == .hardBounce && $0.channel != .reply }.map(\.recipient),
            among: new.map(\.recipient), on: connection)
    }
}
