import MailTypes
import Postgres
import Synchronization
import Vault

/// What providers have sent, sealed until it is worked off, and the receipts by which a repetition is known.
struct PayloadStore: Sendable {
    private let records: PostgresPool
    private let key: SealingKey
    private let room = Room()

    init(records: PostgresPool, vault: Vault) {
        self.records = records
        key = vault.providerKey
    }

    /// How much waits, as it was some moments ago.
    private final class Room: Sendable {
        struct State {
            var hasRoom = true
            var askedAt: ContinuousClock.Instant?
        }
        let state = Mutex(State())
    }

    /// Whether more may wait. Asked of the database once a second.
    func hasRoom() async throws -> Bool {
        let known = room.state.withLock { state -> Bool? in
            if let askedAt = state.askedAt, .now - askedAt < .seconds(1) { return state.hasRoom }
            state.askedAt = .now
            return nil
        }
        if let known { return known }
        let (count, octets) = try await records.query(
            "SELECT count(*), coalesce(sum(octets), 0) FROM provider_payloads WHERE sealed IS NOT NULL"
        ).only.decode(Int64.self, Int64.self)
        let hasRoom = count < ProviderLimits.waiting && octets < ProviderLimits.waitingBytes
        room.state.withLock { $0.hasRoom = hasRoom }
        return hasRoom
    }

    /// Once this returns true, it is committed, now or by an earlier delivery.
    ///
    /// - Returns: false where the receipt is another body's
    func keep(_ delivery: ProviderDelivery, receipt: [UInt8], of source: Int64) async throws -> Bool {
        let sealed = try key.seal(delivery.body, as: Self.context(source, receipt))
        // Providers have a share of their own: what waits for them must not keep accounts waiting.
        return try await ConnectionOwner.$current.withValue(ConnectionOwner("providers")) {
            let isNew =
                try await records.query(
                    """
                    INSERT INTO provider_payloads (source_id, receipt, digest, octets, sealed)
                    VALUES (\(source), \(receipt), \(delivery.digest), \(Int32(delivery.body.count)), \(sealed))
                    ON CONFLICT DO NOTHING
                    """
                ).affected == 1
            if isNew { return true }
            let known = try await records.query(
                "SELECT digest FROM provider_payloads WHERE source_id = \(source) AND receipt = \(receipt)"
            ).first?.decode([UInt8].self)
            // Where it is gone in between, the provider comes again.
            return known == delivery.digest
        }
    }

    /// Whether no other node is at work, which then holds until the end of the caller's transaction. Two that note the same
    /// facts in another order would wait for each other.
    func isAlone(on connection: PostgresConnection) async throws -> Bool {
        try await connection.query(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('sluice provider payloads', 0))"
        ).only.decode(Bool.self)
    }

    /// What has waited longest, locked for the caller's transaction; others pass it.
    ///
    /// - Parameter key: of the only body that is meant, if it still waits.
    func next(_ key: StoredPayload.Key?, on connection: PostgresConnection) async throws -> StoredPayload? {
        try await connection.query(
            """
            SELECT p.source_id, p.receipt, p.sealed, s.provider, s.test_until IS NOT NULL,
                p.received_at < now() - make_interval(hours => \(Int32(ProviderLimits.receiptHours)))
            FROM provider_payloads p JOIN provider_sources s USING (source_id)
            WHERE p.sealed IS NOT NULL AND p.due_at <= now()
                AND p.source_id = coalesce(\(key?.source as Int64?), p.source_id)
                AND p.receipt = coalesce(\(key?.receipt as [UInt8]?), p.receipt)
            ORDER BY p.due_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
            """
        ).first.map { row in
            let (source, receipt, sealed, provider, isTest, isOld) = try row.decode(
                Int64.self, [UInt8].self, [UInt8].self, String.self, Bool.self, Bool.self)
            return StoredPayload(
                key: .init(source: source, receipt: receipt), kind: ProviderKind(rawValue: provider),
                body: try? self.key.open(sealed, as: Self.context(source, receipt)), isTest: isTest,
                isOld: isOld)
        }
    }

    /// What was sent goes; its receipt stays.
    func finish(_ payloads: [(StoredPayload, PayloadCount)], on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            UPDATE provider_payloads p
            SET sealed = NULL, events = d.events, recognised = d.recognised, noted = d.noted, problem = d.problem
            FROM unnest(\(payloads.map(\.0.source))::bigint[], \(payloads.map(\.0.receipt))::bytea[],
                \(payloads.map(\.1.events))::int[], \(payloads.map(\.1.recognised))::int[],
                \(payloads.map(\.1.noted))::int[], \(payloads.map(\.1.problem))::text[])
                AS d (source_id, receipt, events, recognised, noted, problem)
            WHERE p.source_id = d.source_id AND p.receipt = d.receipt
            """)
        try await connection.query(
            """
            UPDATE provider_sources s
            SET payloads = s.payloads + d.payloads, events = s.events + d.events,
                recognised = s.recognised + d.recognised, noted = s.noted + d.noted, last_at = now()
            FROM (
                SELECT source_id, count(*) AS payloads, sum(events)::bigint AS events,
                    sum(recognised)::bigint AS recognised, sum(noted)::bigint AS noted
                FROM unnest(\(payloads.map(\.0.source))::bigint[], \(payloads.map(\.1.events))::bigint[],
                    \(payloads.map(\.1.recognised))::bigint[], \(payloads.map(\.1.noted))::bigint[])
                    AS u (source_id, events, recognised, noted)
                GROUP BY source_id
            ) d WHERE s.source_id = d.source_id
            """)
    }

    /// Comes again later.
    func putOff(_ payloads: [StoredPayload], on connection: PostgresConnection) async throws {
        guard !payloads.isEmpty else { return }
        try await connection.query(
            """
            UPDATE provider_payloads p SET due_at = now() + make_interval(mins => \(Int32(ProviderLimits.putOffMinutes)))
            FROM unnest(\(payloads.map(\.source))::bigint[], \(payloads.map(\.receipt))::bytea[]) AS d (source_id, receipt)
            WHERE p.source_id = d.source_id AND p.receipt = d.receipt
            """)
    }

    /// Receipts whose time is over, and sources of tests.
    ///
    /// - Returns: how many receipts
    func sweep() async throws -> Int {
        try await records.query("DELETE FROM provider_sources WHERE test_until < now()")
        return try await records.query(
            """
            DELETE FROM provider_payloads WHERE (source_id, receipt) IN (
                SELECT source_id, receipt FROM provider_payloads
                WHERE sealed IS NULL
                    AND received_at < now() - make_interval(hours => \(Int32(ProviderLimits.receiptHours)))
                LIMIT 50000)
            """
        ).affected
    }

    /// A body opens only in its row.
    private static func context(_ source: Int64, _ receipt: [UInt8]) -> SealContext {
        SealContext(
            account: AccountID(rawValue: 0), purpose: .providerPayload, label: "\(source) \(receipt.hexadecimal)")
    }
}

/// What waits to be worked off.
struct StoredPayload: Sendable {
    /// Which body it is.
    struct Key: Sendable, Hashable {
        let source: Int64
        let receipt: [UInt8]
    }

    let key: Key
    /// Nil for a provider that only a newer version knows.
    let kind: ProviderKind?
    /// Nil where it does not open.
    let body: [UInt8]?
    let isTest: Bool
    /// Its receipt is kept no longer.
    let isOld: Bool

    var source: Int64 { key.source }
    var receipt: [UInt8] { key.receipt }
}

/// What was in one body.
struct PayloadCount: Sendable, Hashable {
    var events = 0
    /// Events with one of our tokens.
    var recognised = 0
    /// Facts that were new.
    var noted = 0
    /// Why nothing, or not all, could be made of it.
    var problem: String?
}
