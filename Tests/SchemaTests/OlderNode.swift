import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Vault

@testable import Campaigns

/// A node of the version whose schema ended with 430, as far as the database can tell: the same statements with the
/// same parameters, prepared once in one session that lives as long as the node.
///
/// A node goes on while another brings the database to a newer schema under it. Its statements stay here until no
/// version is supported any more that sends them.
struct OlderNode: Sendable {
    struct Claim: Sendable {
        let id: BatchID
        let epoch: Int64
        let state: Int16
        let records: [RecipientRecord]
    }

    let name: String
    let stores: OlderStores
    let connection: PostgresConnection

    static func start(_ name: String, _ stores: OlderStores) async throws -> OlderNode {
        var configuration = stores.records.configuration()
        configuration.applicationName = "older node"
        let connection = try await PostgresConnection.connect(configuration)
        let node = OlderNode(name: name, stores: stores, connection: connection)
        try await node.register()
        return node
    }

    func register() async throws {
        try await connection.withTransaction { connection in
            try await connection.query(
                """
                INSERT INTO nodes (node, started_at, seen_at, life)
                VALUES (\(name), clock_timestamp(), clock_timestamp(), \("life"))
                ON CONFLICT (node) DO UPDATE
                SET started_at = excluded.started_at, seen_at = excluded.seen_at, life = excluded.life
                """)
            try await connection.query("SELECT free_leases(\(name))")
            try await connection.query("SELECT pg_notify(\("sluice_work"), '')")
        }
    }

    /// What an earlier life of the node had.
    func adopt() async throws -> [(batch: BatchID, epoch: Int64)] {
        try await connection.query(
            "SELECT account_id, campaign_id, batch_no, epoch FROM adopt_leases(\(name), \(60.0))"
        ).map { row in
            let (account, campaign, number, epoch) = try row.decode(Int64.self, Int64.self, Int32.self, Int64.self)
            return (BatchID(account, campaign, number), epoch)
        }
    }

    func heartbeat() async throws -> Int32 {
        try await connection.query("SELECT heartbeat(\(name), \(60.0))").only.decode(Int32.self)
    }

    func leaseSiteTokens(_ site: String, rate: Double, wanted: Int32) async throws -> Int32 {
        try await connection.query("SELECT lease_site_tokens(\(site), \(rate), \(max(1, rate)), \(wanted))").only
            .decode(Int32.self)
    }

    func recall() async throws {
        try await connection.query("SELECT recall_awaiting()")
    }

    // MARK: Batches

    func claim(limit: Int32) async throws -> [Claim] {
        let rows = try await connection.query(
            """
            SELECT account_id, campaign_id, batch_no, epoch, state, attempt
            FROM claim_batches(\(name), \(60.0), \(limit), \([Int64]()))
            """)
        let leases = try rows.map { row in
            let (account, campaign, number, epoch, state, _) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int64.self, Int16.self, Int32.self)
            return (batch: BatchID(account, campaign, number), epoch: epoch, state: state)
        }
        let keys = BatchKeys(leases.map(\.batch))
        try await connection.query("SELECT start_campaigns(\(keys.accounts), \(keys.campaigns))")
        let sealed = try await connection.query(
            """
            SELECT k.place::integer, r.sealed, c.expires_at
            FROM unnest(\(keys.accounts), \(keys.campaigns), \(keys.numbers)) WITH ORDINALITY
                AS k (account_id, campaign_id, batch_no, place)
            JOIN campaigns c USING (account_id, campaign_id)
            JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            ORDER BY k.place
            """
        ).map { try $0.decode(Int32.self, [UInt8].self, PostgresTimestamp?.self).1 }
        var claims: [Claim] = []
        for (lease, sealed) in zip(leases, sealed) {
            let key = try await stores.vault.campaignKey(lease.batch.account, lease.batch.campaign)
            claims.append(
                Claim(
                    id: lease.batch, epoch: lease.epoch, state: lease.state,
                    records: try key.openRecipients(sealed, of: lease.batch)))
        }
        return claims.sorted { $0.id < $1.id }
    }

    /// - Returns: the places of the leases that still hold, from 1.
    func renew(_ claims: [Claim]) async throws -> Set<Int32> {
        let keys = BatchKeys(claims.map(\.id))
        let rows = try await connection.query(
            """
            SELECT place FROM renew_leases(
                \(name), \(60.0), \(keys.accounts), \(keys.campaigns), \(keys.numbers),
                \(claims.map(\.epoch)))
            """)
        return Set(try rows.map { try $0.decode(Int32.self) })
    }

    /// - Returns: the state of each batch that is still held, by its number.
    func append(_ groups: [JournalGroup]) async throws -> [Int32: Int16] {
        let keys = BatchKeys(groups.map(\.batch))
        let changes = groups.map { CounterChange($0.entries) }
        var sealed: [[UInt8]] = []
        for group in groups {
            let key = try await stores.vault.campaignKey(group.batch.account, group.batch.campaign)
            sealed.append(group.entries.isEmpty ? [] : try key.sealJournal(group))
        }
        let rows = try await connection.query(
            """
            SELECT place, standing FROM append_journal(
                \(name), \(keys.accounts), \(keys.campaigns), \(keys.numbers), \(groups.map(\.epoch)),
                \(groups.map(\.number)), \(sealed), \(changes.map { $0[.delivered] }), \(changes.map { $0[.bounced] }),
                \(changes.map { $0[.expired] }), \(changes.map { $0[.suppressed] }), \(changes.map { $0[.invalid] }),
                \(changes.map { $0[.cancelled] }), \(changes.map { $0[.inDoubt] }), \(changes.map(\.deferred)),
                \(changes.map(\.inDoubtResent)))
            """)
        let standings = try rows.map { row in
            let (place, state) = try row.decode(Int32.self, Int16.self)
            return (groups[Int(place) - 1].batch.number, state)
        }
        return Dictionary(uniqueKeysWithValues: standings)
    }

    func park(_ claim: Claim) async throws {
        try await connection.query(
            """
            WITH parked AS (
                UPDATE batches
                SET lease_node = NULL, lease_until = NULL,
                    due_at = clock_timestamp() + make_interval(secs => \(0.0))
                WHERE account_id = \(claim.id.account.rawValue) AND campaign_id = \(claim.id.campaign.rawValue)
                    AND batch_no = \(claim.id.number) AND epoch = \(claim.epoch) AND lease_node = \(name)
                    AND lease_until > clock_timestamp() AND state IN (1, 2, 4)
                RETURNING state, due_at)
            SELECT enqueue_account(\(claim.id.account.rawValue), due_at) FROM parked WHERE state IN (1, 4)
            """)
    }
}

extension OlderNode.Claim {
    /// An intent and an outcome for each of the records with these indices; nil: refused for now.
    func group(_ outcomes: [Int32: Outcome?]) -> JournalGroup {
        JournalGroup(
            batch: id, epoch: epoch,
            entries: outcomes.sorted { $0.key < $1.key }.flatMap { index, outcome in
                let kind = outcome.map { JournalEntry.Kind.outcome($0) } ?? .deferred
                return [JournalEntry(index: index, kind: .intent), JournalEntry(index: index, kind: kind)]
            })
    }

    func intents(_ indices: [Int32]) -> JournalGroup {
        JournalGroup(batch: id, epoch: epoch, entries: indices.map { JournalEntry(index: $0, kind: .intent) })
    }

    /// Asks for the standing only.
    var question: JournalGroup { JournalGroup(batch: id, epoch: epoch, entries: []) }
}
