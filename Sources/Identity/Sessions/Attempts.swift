import Crypto
import Postgres

/// Counts attempts over all nodes before they are judged: for a network, for an address from a network, and for an address.
struct Attempts: Sendable {
    /// What is attempted. Each is counted by itself.
    enum Kind: String {
        case signIn = "attempt"
        case passwordCode = "password code"
    }

    /// Who an attempt is counted for. An address as it was typed may be a password that went into the wrong field: only
    /// keyed hashes are stored.
    struct Subjects {
        let network: [UInt8]
        let pair: [UInt8]
        let address: [UInt8]
    }

    let key: SymmetricKey

    func subjects(_ kind: Kind, address: String, network: [UInt8]) -> Subjects {
        func subject(_ name: String, _ octets: [UInt8]) -> [UInt8] {
            Array(
                HMAC<SHA256>.authenticationCode(for: Array("\(kind.rawValue) \(name) ".utf8) + octets, using: key))
        }
        return Subjects(
            network: subject("network", network),
            // The first has one of three lengths, which its own length tells.
            pair: subject("pair", [UInt8(clamping: network.count)] + network + Array(address.utf8)),
            address: subject("address", Array(address.utf8)))
    }

    /// - Throws: ``SignInError/tooMany(seconds:)``, `PostgresError`
    func take(_ subjects: Subjects, on pool: PostgresPool) async throws {
        let seconds = try await pool.query(
            """
            SELECT take_sign_in(\(subjects.network), \(subjects.pair), \(subjects.address),
                \(PeopleLimits.attemptsOfNetwork), \(PeopleLimits.attemptsOfPair), \(PeopleLimits.attemptsOfAddress),
                \(PeopleLimits.attemptsOfPairUnderAttack))
            """
        ).only.decode(Int.self)
        guard seconds == 0 else { throw SignInError.tooMany(seconds: seconds) }
    }

    /// One row after the other, in the order in which `take_sign_in` locks them.
    static func giveBack(_ subjects: Subjects, on connection: PostgresConnection) async throws {
        try await connection.query(
            "UPDATE sign_in_attempts SET attempts = greatest(0, attempts - 1) WHERE subject = \(subjects.network)")
        try await connection.query("UPDATE sign_in_attempts SET attempts = 0 WHERE subject = \(subjects.pair)")
        try await connection.query(
            "UPDATE sign_in_attempts SET attempts = greatest(0, attempts - 1) WHERE subject = \(subjects.address)")
    }
}
