import Crypto
import FoundationEssentials
import JWTKit
import Postgres
import Synchronization
import Vault

/// Keys that sign session tokens: Ed25519, in the database, sealed. All nodes share them; each signs for
/// ``PeopleLimits/keySeconds`` and is kept as long as tokens may name it.
final class SessionKeys: Sendable {
    struct Key: Sendable {
        /// `kid` of the token.
        let id: String
        /// Holds this key and no other, so that nothing in a token chooses among keys.
        let collection: JWTKeyCollection
        /// When it was made, by this node's clock that never goes back.
        let madeAt: Int64
    }

    private struct State {
        /// Newest first.
        var keys: [Key] = []
        /// Nil before the first time.
        var readAt: Int64?
        /// Whoever misses a key meanwhile waits for it too.
        var reading: Task<Void, any Error>?
    }

    private let pool: PostgresPool
    private let sealingKey: SealingKey
    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameter clock: seconds of a clock that never goes back
    init(pool: PostgresPool, sealingKey: SealingKey, clock: @escaping @Sendable () -> Int64) {
        self.pool = pool
        self.sealingKey = sealingKey
        self.clock = clock
    }

    /// The key that signs now; a new one where the last has had its time.
    ///
    /// - Throws: `PostgresError`, `VaultError` where a stored key was altered
    func signing() async throws -> Key {
        if let key = newest() { return key }
        try await read()
        if let key = newest() { return key }
        try await make()
        try await read()
        guard let key = newest() else { throw PostgresError(.decoding, "a session key was made and is not there") }
        return key
    }

    /// The key that a token names; nil where there is none.
    func find(_ id: String) async throws -> Key? {
        if let key = known(id) { return key }
        guard let reading = readAgain() else { return nil }
        try await reading.value
        return known(id)
    }

    /// Another node may have made a key since; but anybody can name one that is not.
    private func readAgain() -> Task<Void, any Error>? {
        let now = clock()
        return state.withLock { state in
            if let reading = state.reading { return reading }
            if let readAt = state.readAt, now - readAt < PeopleLimits.unknownKeySeconds { return nil }
            let reading = Task {
                defer { self.state.withLock { $0.reading = nil } }
                try await self.read()
            }
            state.reading = reading
            return reading
        }
    }

    private func newest() -> Key? {
        let now = clock()
        return state.withLock { $0.keys.first }.flatMap { now - $0.madeAt < PeopleLimits.keySeconds ? $0 : nil }
    }

    private func known(_ id: String) -> Key? {
        let now = clock()
        return state.withLock { $0.keys.first { $0.id == id && now - $0.madeAt < PeopleLimits.keptKeySeconds } }
    }

    private func read() async throws {
        let now = clock()
        let rows = try await pool.query(
            """
            SELECT key_id, sealed, extract(epoch FROM now() - created_at)::bigint FROM session_keys
            WHERE created_at > now() - \(PeopleLimits.keptKeySeconds) * interval '1 second'
            ORDER BY created_at DESC, key_id
            """)
        var keys: [Key] = []
        for row in rows {
            let (id, sealed, age) = try row.decode(String.self, [UInt8].self, Int64.self)
            let octets = try sealingKey.open(sealed, as: Self.context(id))
            let key = try Curve25519.Signing.PrivateKey(rawRepresentation: octets)
            let collection = await JWTKeyCollection().add(
                eddsa: EdDSA.PrivateKey(backing: key), kid: JWKIdentifier(string: id))
            keys.append(Key(id: id, collection: collection, madeAt: now - age))
        }
        state.withLock { state in
            state.keys = keys
            state.readAt = now
        }
    }

    /// Nodes that come to it at the same time make one together.
    private func make() async throws {
        let key = Curve25519.Signing.PrivateKey()
        var generator = SystemRandomNumberGenerator()
        let id = Base62.text(UInt64.random(in: 0 ... .max, using: &generator), digits: 11)
        let sealed = try sealingKey.seal(Array(key.rawRepresentation), as: Self.context(id))
        try await pool.withTransaction { connection in
            try await connection.query("SELECT pg_advisory_xact_lock(\(Self.lock))")
            try await connection.query(
                """
                INSERT INTO session_keys (key_id, sealed) SELECT \(id), \(sealed) WHERE NOT EXISTS (
                    SELECT FROM session_keys WHERE created_at > now() - \(PeopleLimits.keySeconds) * interval '1 second')
                """)
            try await connection.query(
                """
                DELETE FROM session_keys
                WHERE created_at <= now() - \(PeopleLimits.keptKeySeconds) * interval '1 second'
                """)
        }
    }

    /// "ses" and the number of the migration.
    private static let lock: Int64 = 0x73_65_73_02_D1

    private static func context(_ id: String) -> SealContext {
        SealContext(account: Vault.installation, purpose: .sessionKey, label: id)
    }
}
