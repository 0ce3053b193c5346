import Crypto
import MailTypes
import Postgres

/// Counts strangers' requests over all nodes before anything is done for them: from a network, with an address, and all together,
/// each within a day that begins with its first. None is given back: each is a mail to somebody who may not have asked.
///
/// What costs a stranger nothing to vary counts together: whatever stands behind a `+`, which many receivers leave out, and the
/// networks of an IPv6 /48, which a customer of a provider may have whole.
struct SignUpAttempts: Sendable {
    private let perDay: Int
    private let pool: PostgresPool
    private let key: SymmetricKey

    /// - Parameter perDay: of all together
    init(perDay: Int, pool: PostgresPool, key: SymmetricKey) {
        self.perDay = perDay
        self.pool = pool
        self.key = key
    }

    /// - Throws: ``SignUpError/tooMany(seconds:)``, `PostgresError`
    func take(address: EmailAddress, network: [UInt8]) async throws {
        let network = subject("network", Array(network.prefix(Self.networkOctets)))
        let mailbox = subject("address", Self.mailbox(address))
        let seconds = try await pool.query(
            """
            SELECT take_sign_up(\(network), \(mailbox), \(subject("all", [])), \(PeopleLimits.signUpsOfNetwork),
                \(PeopleLimits.signUpsOfAddress), \(Int32(clamping: perDay)))
            """
        ).only.decode(Int.self)
        guard seconds == 0 else { throw SignUpError.tooMany(seconds: seconds) }
    }

    /// All of an IPv4 address, and 48 bits of IPv6.
    private static let networkOctets = 6

    /// The address without what stands behind the first `+` of its local part, unless nothing is left then. It gets its mail at the
    /// whole address.
    private static func mailbox(_ address: EmailAddress) -> [UInt8] {
        let bare = address.localPart.prefix { $0 != "+" }
        return Array("\(bare.isEmpty ? address.localPart[...] : bare)@\(address.domain.text)".utf8)
    }

    private func subject(_ name: String, _ octets: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("sign-up \(name) ".utf8) + octets, using: key))
    }

    /// Forgets days that are over.
    ///
    /// - Returns: how many
    static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM sign_up_attempts WHERE subject IN (
                SELECT subject FROM sign_up_attempts WHERE started_at < now() - interval '1 day'
                LIMIT \(IdentityLimits.sweepRows) FOR UPDATE SKIP LOCKED)
            """)
    }
}
