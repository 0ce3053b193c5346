import MailTypes
package import Postgres
import Vault

/// Does what follows from facts that are new, in the transaction that notes them.
package protocol FeedbackFollower: Sendable {
    /// - Parameter new: each fact of each recipient once in the life of its campaign, in order of account, campaign,
    ///   fingerprint and fact
    func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws
}

/// Takes in what is said of mails that were sent, and sees to it that each fact has its effects once: the same bounce may
/// come as a reply, as a mail and by a provider's webhook, several times each, in any order and at the same moment.
package struct FeedbackIntake: Sendable {
    private static let factsPerStatement = 2_000

    let records: PostgresPool
    private let followers: [any FeedbackFollower]

    /// - Parameter followers: asked in this order.
    package init(records: PostgresPool, followers: [any FeedbackFollower]) {
        self.records = records
        self.followers = followers
    }

    /// Notes the events and does what follows, in one transaction of its own. Once this returns, they are committed.
    ///
    /// - Returns: how many were new
    @discardableResult
    package func take(_ events: [FeedbackEvent]) async throws -> Int {
        guard !events.isEmpty else { return 0 }
        return try await records.withTransaction { try await self.take(events, on: $0) }
    }

    /// In the caller's transaction. The followers are asked once, with all that is new: what they lock, they lock in
    /// one order.
    @discardableResult
    package func take(_ events: [FeedbackEvent], on connection: PostgresConnection) async throws -> Int {
        let new = try await note(events, on: connection)
        guard !new.isEmpty else { return 0 }
        for follower in followers { try await follower.follow(new, on: connection) }
        return new.count
    }

    /// Rows are written in order of key, so that two transactions with the same facts cannot deadlock: the second waits,
    /// and finds them noted.
    private func note(_ events: [FeedbackEvent], on connection: PostgresConnection) async throws -> [FeedbackEvent] {
        let byKey = Dictionary(events.map { (FactKey($0), $0) }, uniquingKeysWith: { first, _ in first })
        let keys = byKey.keys.sorted()
        var new: [FeedbackEvent] = []
        for start in stride(from: 0, to: keys.count, by: Self.factsPerStatement) {
            let portion = keys[start..<min(start + Self.factsPerStatement, keys.count)]
            new += try await note(portion, of: byKey, on: connection)
        }
        return new
    }

    private func note(
        _ keys: ArraySlice<FactKey>, of byKey: [FactKey: FeedbackEvent], on connection: PostgresConnection
    ) async throws -> [FeedbackEvent] {
        let rows = try await connection.query(
            """
            INSERT INTO feedback_facts (account_id, campaign_id, fingerprint, fact, channel, reason, occurred_at)
            SELECT * FROM unnest(
                \(keys.map(\.account))::bigint[], \(keys.map(\.campaign))::bigint[],
                \(keys.map(\.fingerprint.bytes))::bytea[], \(keys.map(\.fact.rawValue))::smallint[],
                \(keys.map { byKey[$0]?.channel.name ?? "" })::text[], \(keys.map { byKey[$0]?.reason ?? "" })::text[],
                \(keys.map { byKey[$0]?.occurredAt })::timestamptz[])
            ON CONFLICT DO NOTHING
            RETURNING account_id, campaign_id, fingerprint, fact
            """)
        return try rows.compactMap { row in try byKey[FactKey(row)] }
    }
}

/// What makes a fact one.
private struct FactKey: Hashable, Comparable {
    let account: Int64
    let campaign: Int64
    let fingerprint: Fingerprint
    let fact: FeedbackFact

    init(_ event: FeedbackEvent) {
        account = event.recipient.account.rawValue
        campaign = event.recipient.campaign.rawValue
        fingerprint = event.recipient.fingerprint
        fact = event.fact
    }

    init(_ row: PostgresRow) throws {
        let (account, campaign, bytes, number) = try row.decode(Int64.self, Int64.self, [UInt8].self, Int16.self)
        // The table checks both.
        guard let fingerprint = Fingerprint(bytes: bytes), let fact = FeedbackFact(rawValue: number) else {
            preconditionFailure("a fact that its table cannot hold")
        }
        self.account = account
        self.campaign = campaign
        self.fingerprint = fingerprint
        self.fact = fact
    }

    static func < (one: FactKey, other: FactKey) -> Bool {
        (one.account, one.campaign, one.fingerprint.high, one.fingerprint.low, one.fact.rawValue)
            < (other.account, other.campaign, other.fingerprint.high, other.fingerprint.low, other.fact.rawValue)
    }
}
