package import MailTypes
package import Postgres
package import Vault

/// Writes events beside what they tell of, in the caller's transaction: both are committed, or neither.
///
///     try await WebhookOutbox.append([.campaign(.campaignPaused, campaign)], account: account, on: connection)
///
/// One statement, which keeps nothing where no endpoint of the account wants one of the types.
package enum WebhookOutbox {
    /// Events of one account, and of one campaign where their private part is sealed under the campaign's key.
    package struct Group: Sendable {
        let account: AccountID
        let campaign: CampaignID?
        fileprivate(set) var events: [WebhookEvent]
        /// Seals addresses and replies; without one nobody is named.
        let key: SealingKey?

        /// - Parameters:
        ///   - campaign: events of a campaign come to an endpoint in the order in which they were written.
        ///   - key: the campaign's; the account's where there is no campaign.
        package init(
            _ events: [WebhookEvent], account: AccountID, campaign: CampaignID? = nil, key: SealingKey? = nil
        ) {
            self.events = events
            self.account = account
            self.campaign = campaign
            self.key = key
        }
    }

    /// - Parameter key: the account's, for events that name an address; without one nobody is named.
    package static func append(
        _ events: [WebhookEvent], account: AccountID, campaign: CampaignID? = nil, key: SealingKey? = nil,
        on connection: PostgresConnection
    ) async throws {
        try await append([Group(events, account: account, campaign: campaign, key: key)], on: connection)
    }

    /// Events of many accounts and campaigns in one statement.
    package static func append(_ groups: [Group], on connection: PostgresConnection) async throws {
        let rows = try Rows(groups)
        guard !rows.accounts.isEmpty else { return }
        try await connection.query(
            """
            SELECT append_webhook_events(
                \(rows.accounts), \(rows.campaigns), \(rows.types), \(rows.counts), \(rows.facts), \(rows.privates))
            """)
    }

    static func sealing(of account: AccountID, _ campaign: CampaignID?) -> SealContext {
        SealContext(account: account, campaign: campaign, purpose: .webhookEvents)
    }
}

extension WebhookOutbox {
    /// What `append_webhook_events` takes: the columns of packs as parallel arrays.
    package struct Rows: Sendable {
        package private(set) var accounts: [Int64] = []
        package private(set) var campaigns: [Int64] = []
        package private(set) var types: [Int64] = []
        package private(set) var counts: [Int16] = []
        package private(set) var facts: [[UInt8]] = []
        package private(set) var privates: [[UInt8]?] = []

        /// Events of now.
        package init(_ groups: [Group]) throws(VaultError) { try self.init(groups, time: SystemTime.microseconds()) }

        /// - Parameter time: microseconds since 1970.
        init(_ groups: [Group], time: Int64) throws(VaultError) {
            for group in groups.joined {
                for pack in WebhookPack.packs(group.events, time: time) {
                    accounts.append(group.account.rawValue)
                    campaigns.append(group.campaign?.rawValue ?? 0)
                    types.append(pack.types.rawValue)
                    counts.append(Int16(pack.events.count))
                    facts.append(pack.facts)
                    let names = pack.namesSomebody ? group.key : nil
                    privates.append(
                        try names?.seal(
                            pack.privateOctets, as: WebhookOutbox.sealing(of: group.account, group.campaign)))
                }
            }
        }
    }
}

/// Whose events can be in one pack.
private struct OutboxStream: Hashable {
    let account: AccountID
    let campaign: CampaignID?
    let isSealed: Bool
}

extension [WebhookOutbox.Group] {
    /// Groups of one campaign as one, since what a pack costs hardly depends on how many events it has. A commit of the
    /// journal brings some of each batch at work.
    fileprivate var joined: [WebhookOutbox.Group] {
        var places: [OutboxStream: Int] = [:]
        var joined: [WebhookOutbox.Group] = []
        for group in self {
            let stream = OutboxStream(account: group.account, campaign: group.campaign, isSealed: group.key != nil)
            if let place = places[stream] {
                joined[place].events += group.events
            } else {
                places[stream] = joined.count
                joined.append(group)
            }
        }
        return joined
    }
}
