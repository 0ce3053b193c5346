import Crypto
import Postgres

/// Counts attempts over all nodes before they are judged: for a network, for an address from a network, and for an address
/// (decision 0115).
struct SignInAttempts: Sendable {
    /// What is attempted. Each is counted by itself.
    enum Kind: String {
        case signIn = "attempt"
        case passwordCode = "password code"
    }

    /// Who an attempt is counted for. An address as it was typed may be a password that went into the wrong field: only
    /// keyed hashes are stored.
    struct Subjects: Sendable {
        fileprivate let network: [UInt8]
        fileprivate let pair: [UInt8]
        fileprivate let address: [UInt8]
        /// Of the network or of the address, whichever has more, before this attempt; 0 where none was counted.
        fileprivate(set) var earlier = 0
    }

    private let kind: Kind
    private let pool: PostgresPool
    private let key: SymmetricKey

    init(_ kind: Kind, pool: PostgresPool, key: SymmetricKey) {
        self.kind = kind
        self.pool = pool
        self.key = key
    }

    func subjects(address: String, network: [UInt8]) -> Subjects {
        Subjects(
            network: subject("network", network),
            // The first has one of three lengths, which its own length tells.
            pair: subject("pair", [UInt8(clamping: network.count)] + network + Array(address.utf8)),
            address: subject("address", Array(address.utf8)))
    }

    /// Counts an attempt.
    ///
    /// - Throws: ``SignInError/tooMany(seconds:)``, `PostgresError`
    func take(address: String, network: [UInt8]) async throws -> Subjects {
        var subjects = subjects(address: address, network: network)
        // The statement sees the rows as they were before the function changes them.
        let (seconds, earlier) = try await pool.query(
            """
            SELECT take_sign_in(\(subjects.network), \(subjects.pair), \(subjects.address),
                \(PeopleLimits.attemptsOfNetwork), \(PeopleLimits.attemptsOfPair), \(PeopleLimits.attemptsOfAddress),
                \(PeopleLimits.attemptsOfPairUnderAttack)),
                (SELECT max(attempts) FROM sign_in_attempts
                WHERE subject IN (\(subjects.network), \(subjects.address))
                    AND started_at > now() - interval '15 minutes')
            """
        ).only.decode(Int.self, Int?.self)
        subjects.earlier = earlier ?? 0
        guard seconds == 0 else { throw SignInError.tooMany(seconds: seconds) }
        return subjects
    }

    private func subject(_ name: String, _ octets: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("\(kind.rawValue) \(name) ".utf8) + octets, using: key))
    }

    /// An attempt was none that failed. One row after the other, in the order in which `take_sign_in` locks them.
    ///
    /// - Parameter isWhole: whether somebody has signed in. Then earlier failures of the network at this address were
    ///   theirs. Whoever knows the password alone may not have theirs forgotten.
    func giveBack(_ subjects: Subjects, isWhole: Bool, on connection: PostgresConnection) async throws {
        for (subject, isForgotten) in [
            (subjects.network, false), (subjects.pair, isWhole), (subjects.address, false),
        ] {
            try await connection.query(
                """
                UPDATE sign_in_attempts SET attempts = CASE WHEN \(isForgotten) THEN 0 ELSE greatest(0, attempts - 1) END
                WHERE subject = \(subject)
                """)
        }
    }

    /// Forgets attempts whose window is over.
    ///
    /// - Returns: how many
    static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM sign_in_attempts WHERE subject IN (
                SELECT subject FROM sign_in_attempts WHERE started_at < now() - interval '15 minutes'
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
    }
}
