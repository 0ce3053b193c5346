package import Feedback
package import Logging
package import MailTypes
package import Postgres

/// Brakes campaigns whose mail is complained of, or goes to many addresses that do not exist: warns, then slows them, then
/// pauses them. Any number of nodes may look at the same time.
package struct BrakeKeeper: Sendable {
    private let records: PostgresPool
    private let brake: ComplaintBrake
    private let hours: Int
    private let slowRate: Int
    private let logger: Logger

    /// - Parameters:
    ///   - hours: of the window that counts; at most ``FeedbackHours/keptHours``.
    ///   - slowRate: mails an hour of a campaign that is slowed.
    package init(records: PostgresPool, brake: ComplaintBrake, hours: Int, slowRate: Int, logger: Logger) {
        self.records = records
        self.brake = brake
        self.hours = hours
        self.slowRate = slowRate
        self.logger = logger
    }

    /// What was done to a campaign.
    package struct Action: Sendable, Hashable {
        package let account: AccountID
        package let campaign: CampaignID
        package let level: ComplaintBrake.Level
    }

    /// Looks at all accounts of which something was told lately.
    ///
    /// - Returns: what has changed
    @discardableResult
    package func look() async throws -> [Action] {
        let (told, braked) = try await records.withConnection { connection in
            (
                try await FeedbackHours.accounts(hours: hours, on: connection),
                try await Self.braked(on: connection)
            )
        }
        var actions: [Action] = []
        for account in Set(told.keys).union(braked).sorted(by: { $0.rawValue < $1.rawValue }) {
            actions += try await look(at: account, told[account] ?? .init())
        }
        return actions
    }

    /// Accounts with campaigns that may be let go.
    private static func braked(on connection: PostgresConnection) async throws -> Set<AccountID> {
        let rows = try await connection.query(
            "SELECT DISTINCT account_id FROM campaign_brakes WHERE level IN (1, 2)")
        return Set(try rows.map { AccountID(rawValue: try $0.decode(Int64.self)) })
    }

    /// A campaign that is being sent, as the brake sees it.
    private struct Running {
        let campaign: CampaignID
        let level: ComplaintBrake.Level
    }

    private func look(at account: AccountID, _ whole: ComplaintBrake.Counts) async throws -> [Action] {
        let (running, counts, byProvider) = try await records.withConnection { connection in
            let running = try await Self.running(account, on: connection)
            let campaigns = running.map(\.campaign)
            return (
                running, try await FeedbackHours.campaigns(campaigns, of: account, hours: hours, on: connection),
                try await ProviderHours.campaigns(campaigns, of: account, hours: hours, on: connection)
            )
        }
        var actions: [Action] = []
        var (areAllPaused, hasEscaped) = (false, false)
        for campaign in running {
            // A pause is behind a campaign that runs: somebody has resumed it.
            let current = campaign.level == .pause ? .none : campaign.level
            let all = brake.verdict(on: whole, holding: current)
            let reached = reached(
                own: counts[campaign.campaign] ?? .init(), byProvider[campaign.campaign] ?? [:], whole: (whole, all),
                holding: current)
            let verdict = reached.verdict
            guard verdict.level != current else { continue }
            guard try await set(reached, on: campaign.campaign, of: account) else {
                hasEscaped = true
                continue
            }
            actions.append(Action(account: account, campaign: campaign.campaign, level: verdict.level))
            areAllPaused = areAllPaused || all.level == .pause
        }
        // Only once all its campaigns are paused: each is braked by the same counts.
        if areAllPaused, !hasEscaped {
            try await records.withConnection { try await FeedbackHours.restart(account, nil, on: $0) }
        }
        return actions
    }

    /// The worst of what the campaign has reached as a whole, at one mailbox provider, and by its account; the nearer cause
    /// where they are equally bad.
    private func reached(
        own: ComplaintBrake.Counts, _ byProvider: [String: ComplaintBrake.Counts],
        whole: (counts: ComplaintBrake.Counts, verdict: ComplaintBrake.Verdict), holding current: ComplaintBrake.Level
    ) -> Reached {
        var worst = Reached(verdict: brake.verdict(on: own, holding: current), counts: own)
        for (provider, counts) in byProvider.sorted(by: { $0.key < $1.key }) {
            let verdict = brake.verdict(on: counts, holding: current)
            guard verdict.level > worst.verdict.level else { continue }
            worst = Reached(verdict: verdict, provider: provider, counts: counts)
        }
        guard whole.verdict.level > worst.verdict.level else { return worst }
        return Reached(verdict: whole.verdict, isOfAccount: true, counts: whole.counts)
    }

    private static func running(_ account: AccountID, on connection: PostgresConnection) async throws -> [Running] {
        try await connection.query(
            """
            SELECT c.campaign_id, coalesce(b.level, 0::smallint)
            FROM campaigns c LEFT JOIN campaign_brakes b USING (account_id, campaign_id)
            WHERE c.account_id = \(account.rawValue) AND c.state IN ('queued', 'sending') AND c.purged_at IS NULL
                AND c.results_until IS NULL
            ORDER BY c.campaign_id
            """
        ).map { row in
            let (campaign, number) = try row.decode(Int64.self, Int16.self)
            guard let level = ComplaintBrake.Level(rawValue: number) else { throw OctetReader.malformed }
            return Running(campaign: CampaignID(rawValue: campaign), level: level)
        }
    }

    private struct Reached {
        let verdict: ComplaintBrake.Verdict
        var isOfAccount = false
        /// Whose users alone were counted.
        var provider: String?
        let counts: ComplaintBrake.Counts
    }

    // MARK: Doing

    /// - Returns: false where the campaign is over, or somebody has it locked: the next look comes soon.
    private func set(_ reached: Reached, on campaign: CampaignID, of account: AccountID) async throws -> Bool {
        let level = reached.verdict.level
        do {
            try await records.withTransaction { connection in
                try await connection.query("SET LOCAL lock_timeout = '100ms'")
                let current = try await Campaign.lock(account, campaign, on: connection)
                try await note(reached, on: campaign, of: account, connection)
                var isFreed = false
                if level == .slow {
                    try await slow(current, on: connection)
                } else {
                    isFreed = try await letGo(current, on: connection)
                }
                if level == .pause {
                    try await Campaign.pause(account, campaign, reason: reason(reached), on: connection)
                } else {
                    try await CampaignChannel.notifyProgress(account, campaign, on: connection)
                }
                if isFreed { try await forgetPace(of: campaign, of: account, on: connection) }
                if level == .pause, !reached.isOfAccount {
                    try await FeedbackHours.restart(account, campaign, on: connection)
                }
            }
        } catch let error as CampaignError where error.code == .notFound || error.code == .illegalTransition {
            return false
        } catch let error where DeliveryStore.isLockedOut(error) {
            return false
        }
        logger.log(
            level: level == .none ? .notice : .warning, "campaign braked",
            metadata: [
                "account": "\(account)", "campaign": "\(campaign)", "level": "\(level.name)",
                "reason": "\(level == .none ? "let go" : reason(reached))",
            ])
        return true
    }

    /// For the customer and the operator; names no recipient.
    private func reason(_ reached: Reached) -> String {
        let counts = reached.counts
        let whose = reached.isOfAccount ? "the account's" : "its"
        let place = reached.provider.map { " at \($0)" } ?? ""
        switch reached.verdict.cause {
        case .hardBounces:
            return
                "\(counts.hardBounces) of \(whose) \(counts.delivered + counts.hardBounces) messages\(place) in \(hours) "
                + "hours went to addresses that do not exist: remove them, then resume"
        case .complaints, nil:
            return
                "\(counts.complaints) of \(whose) \(counts.delivered) delivered messages\(place) in \(hours) hours were "
                + "called spam: find out why, then resume"
        }
    }

    private func note(
        _ reached: Reached, on campaign: CampaignID, of account: AccountID, _ connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO campaign_brakes AS b (
                account_id, campaign_id, level, cause, is_of_account, provider, delivered, hard_bounces, complaints)
            VALUES (
                \(account.rawValue), \(campaign.rawValue), \(reached.verdict.level.rawValue),
                \((reached.verdict.cause ?? .complaints).rawValue), \(reached.isOfAccount),
                \(reached.provider as String?), \(reached.counts.delivered), \(reached.counts.hardBounces),
                \(reached.counts.complaints))
            ON CONFLICT (account_id, campaign_id) DO UPDATE
            SET level = excluded.level, cause = excluded.cause, is_of_account = excluded.is_of_account,
                provider = excluded.provider, delivered = excluded.delivered, hard_bounces = excluded.hard_bounces, complaints = excluded.complaints,
                set_at = clock_timestamp()
            """)
    }

    private func slow(_ campaign: Campaign, on connection: PostgresConnection) async throws {
        let (account, id) = (campaign.account.rawValue, campaign.id.rawValue)
        try await connection.query(
            """
            UPDATE campaign_brakes SET is_slowed = true, rate_before = \(campaign.ratePerHour.map { Int32($0) } as Int32?)
            WHERE account_id = \(account) AND campaign_id = \(id) AND NOT is_slowed
            """)
        try await connection.query(
            """
            UPDATE campaigns SET rate_per_hour = least(rate_per_hour, \(Int32(slowRate)))
            WHERE account_id = \(account) AND campaign_id = \(id)
            """)
    }

    /// Gives the campaign its own rate back, also where it is paused: who resumes it resumes what it was.
    ///
    /// - Returns: whether it was slowed
    private func letGo(_ campaign: Campaign, on connection: PostgresConnection) async throws -> Bool {
        let (account, id) = (campaign.account.rawValue, campaign.id.rawValue)
        let rows = try await connection.query(
            """
            WITH slowed AS (
                SELECT rate_before FROM campaign_brakes
                WHERE account_id = \(account) AND campaign_id = \(id) AND is_slowed),
            freed AS (
                UPDATE campaign_brakes SET is_slowed = false, rate_before = NULL
                WHERE account_id = \(account) AND campaign_id = \(id) AND is_slowed)
            UPDATE campaigns c SET rate_per_hour = slowed.rate_before FROM slowed
            WHERE c.account_id = \(account) AND c.campaign_id = \(id)
            """)
        return rows.affected > 0
    }

    /// The next batch of a campaign that was slowed may be an hour away: now it is claimed at once. In the order of
    /// locks this comes after its batches, and the account's place in the queue before the pace, as claims have it.
    private func forgetPace(
        of campaign: CampaignID, of account: AccountID, on connection: PostgresConnection
    ) async throws {
        try await connection.query("SELECT enqueue_account(\(account.rawValue), clock_timestamp())")
        try await connection.query(
            """
            DELETE FROM campaign_paces
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        try await CampaignChannel.notifyWork(on: connection)
    }
}

extension DeliveryStore {
    /// What became of mail of all accounts at each mailbox provider in the last hours.
    package func mailboxProviders(
        hours: Int
    ) async throws -> [(provider: String, counts: ComplaintBrake.Counts)] {
        try await housekeeping.withConnection { try await ProviderHours.sums(of: nil, hours: hours, on: $0) }
    }

    /// Campaigns that complaints and bounces brake at this moment, by level.
    package func brakes() async throws -> [ComplaintBrake.Level: Int] {
        let rows = try await housekeeping.query(
            """
            SELECT b.level, count(*) FROM campaign_brakes b JOIN campaigns c USING (account_id, campaign_id)
            WHERE b.level > 0 AND c.purged_at IS NULL AND c.results_until IS NULL
                AND (c.state = 'paused') = (b.level = 3) AND c.state IN ('queued', 'sending', 'paused')
            GROUP BY b.level
            """)
        var found: [ComplaintBrake.Level: Int] = [:]
        for row in rows {
            let (number, count) = try row.decode(Int16.self, Int64.self)
            if let level = ComplaintBrake.Level(rawValue: number) { found[level] = Int(count) }
        }
        return found
    }
}
