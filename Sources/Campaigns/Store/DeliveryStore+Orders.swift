package import MailTypes
import Postgres

/// What an operator wants of some mail. It lies in the database: all nodes follow within seconds, also after a restart.
package struct OperatorOrder: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
        /// The lanes that go by this name; see `Lane.matches` of the engine.
        case lanes(String)
        case account(AccountID)
        case campaign(AccountID, CampaignID)
    }

    package enum Action: String, Sendable, Hashable {
        /// No more mail starts. It waits, and expires as usual.
        case suspend
        /// What nodes have at hand is sent; nothing more is taken.
        case drain
        /// Lanes only: mail that comes to them ends as bounced. Accounts and campaigns are failed once, see
        /// ``CampaignService/fail(_:_:)``.
        case fail
        /// Lanes only: ends what lanes have brought on themselves. Stands for seconds, so that every node hears of it.
        case resume
    }

    package let target: Target
    package let action: Action
    package let reason: String
    /// Microseconds since 1970: tells an order from an earlier one of the same wording.
    package let givenAt: Int64
    /// Nil where it stands until it is lifted.
    package let secondsLeft: Double?

    package init(target: Target, action: Action, reason: String, givenAt: Int64 = 0, secondsLeft: Double? = nil) {
        self.target = target
        self.action = action
        self.reason = reason
        self.givenAt = givenAt
        self.secondsLeft = secondsLeft
    }
}

extension OperatorOrder.Target {
    fileprivate var key: (account: Int64, campaign: Int64, lane: String) {
        switch self {
        case .lanes(let name): (0, 0, name)
        case .account(let account): (account.rawValue, 0, "")
        case .campaign(let account, let campaign): (account.rawValue, campaign.rawValue, "")
        }
    }

    fileprivate init(_ account: Int64, _ campaign: Int64, _ lane: String) {
        self =
            switch (account, campaign) {
            case (0, _): .lanes(lane)
            case (_, 0): .account(AccountID(rawValue: account))
            default: .campaign(AccountID(rawValue: account), CampaignID(rawValue: campaign))
            }
    }
}

extension DeliveryStore {
    /// Gives an order in the place of an earlier one for the same mail.
    ///
    /// - Parameter seconds: after which it ends by itself.
    /// - Returns: false if there is no such account, or no campaign that still has mail.
    package func give(
        _ action: OperatorOrder.Action, to target: OperatorOrder.Target, seconds: Double? = nil,
        reason: String = "by the operator"
    ) async throws -> Bool {
        let (account, campaign, lane) = target.key
        return try await housekeeping.withTransaction { connection in
            let exists: Bool
            switch target {
            case .lanes: exists = true
            case .account(let account): exists = try await self.exists(account, on: connection)
            case .campaign:
                exists = try await !connection.query(
                    """
                    SELECT FROM campaigns
                    WHERE account_id = \(account) AND campaign_id = \(campaign)
                        AND state IN ('draft', 'scheduled', 'queued', 'sending', 'paused')
                    """
                ).isEmpty
            }
            guard exists else { return false }
            try await connection.query("DELETE FROM operator_orders WHERE ends_at <= clock_timestamp()")
            try await connection.query(
                """
                INSERT INTO operator_orders (account_id, campaign_id, lane, action, reason, ends_at)
                VALUES (
                    \(account), \(campaign), \(lane), \(action.rawValue), \(reason),
                    clock_timestamp() + make_interval(secs => \(seconds as Double?)))
                ON CONFLICT (account_id, campaign_id, lane) DO UPDATE
                SET action = excluded.action, reason = excluded.reason, given_at = excluded.given_at,
                    ends_at = excluded.ends_at
                """)
            return true
        }
    }

    /// Ends orders; the mail of accounts and campaigns is claimed again at once.
    ///
    /// - Returns: false where there was none.
    @discardableResult
    package func lift(_ target: OperatorOrder.Target) async throws -> Bool {
        let (account, campaign, lane) = target.key
        return try await housekeeping.withTransaction { connection in
            let rows = try await connection.query(
                """
                DELETE FROM operator_orders
                WHERE account_id = \(account) AND campaign_id = \(campaign) AND lane = \(lane)
                RETURNING coalesce(ends_at > clock_timestamp(), true)
                """)
            guard let row = rows.first else { return false }
            if account != 0 {
                try await connection.query("SELECT enqueue_account(\(account), clock_timestamp())")
                try await CampaignChannel.notifyWork(on: connection)
            }
            return try row.decode(Bool.self)
        }
    }

    package func exists(_ account: AccountID) async throws -> Bool {
        try await housekeeping.withConnection { try await exists(account, on: $0) }
    }

    private func exists(_ account: AccountID, on connection: PostgresConnection) async throws -> Bool {
        try await !connection.query("SELECT FROM accounts WHERE account_id = \(account.rawValue)").isEmpty
    }

    /// All that stand now.
    package func orders() async throws -> [OperatorOrder] {
        try await records.query(
            """
            SELECT account_id, campaign_id, lane, action, reason,
                (extract(epoch FROM given_at) * 1000000)::bigint,
                extract(epoch FROM ends_at - clock_timestamp())::double precision
            FROM operator_orders WHERE ends_at IS NULL OR ends_at > clock_timestamp()
            ORDER BY account_id, campaign_id, lane
            """
        ).map { row in
            let (account, campaign, lane, actionText, reason, givenAt, secondsLeft) = try row.decode(
                Int64.self, Int64.self, String.self, String.self, String.self, Int64.self, Double?.self)
            guard let action = OperatorOrder.Action(rawValue: actionText) else { throw OctetReader.malformed }
            return OperatorOrder(
                target: .init(account, campaign, lane), action: action, reason: reason, givenAt: givenAt,
                secondsLeft: secondsLeft)
        }
    }

    /// Has mail claimed at once that was given back because its lane was stopped. Where the lane still is, the mail goes
    /// back again.
    package func recall() async throws {
        try await records.withTransaction { connection in
            try await connection.query("SELECT recall_awaiting()")
            try await CampaignChannel.notifyWork(on: connection)
        }
    }

    /// The account a campaign belongs to; for operators, who name only the campaign.
    package func accounts(of campaign: CampaignID) async throws -> [AccountID] {
        try await housekeeping.query("SELECT account_id FROM campaigns WHERE campaign_id = \(campaign.rawValue)")
            .map { AccountID(rawValue: try $0.decode(Int64.self)) }
    }
}
