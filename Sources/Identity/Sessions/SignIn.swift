import Crypto
import MailTypes
package import Passwords
package import Postgres
package import Vault

/// Why nobody was signed in.
package enum SignInError: Error, Sendable, Hashable {
    /// No such user, or another password. Which of the two is not told.
    case refused
    /// Too many attempts without success. After so many seconds there is another.
    case tooMany(seconds: Int)
    /// As many passwords are being checked as may.
    case busy
}

/// Signs people in by address and password.
///
/// Attempts are counted before they are judged, over all nodes, so that many at once do not pass together; one that succeeds is
/// given back. No number of failures from elsewhere locks a user out: see ``PeopleLimits``. An address that nobody has takes as
/// long as one that somebody has.
package struct SignIn: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher
    private let subjectKey: SymmetricKey

    package init(pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher, vault: Vault) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
        subjectKey = SymmetricKey(data: vault.peopleKey)
    }

    /// - Parameter network: of the client, in octets; those of one network count together
    /// - Throws: ``SignInError``, `PostgresError`
    package func begin(
        address: String, password: String, network: [UInt8]
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        do {
            return try await hasher.withPlace { place in
                try await signIn(try? Users.address(address), typed: address, password, network, place)
            }
        } catch PasswordError.busy {
            throw SignInError.busy
        }
    }

    /// - Parameter address: nil where what was typed is none.
    private func signIn(
        _ address: EmailAddress?, typed: String, _ password: String, _ network: [UInt8],
        _ place: PasswordHasher.Place
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        let subjects = Subjects(address: address?.text ?? typed, network: network, key: subjectKey)
        let seconds = try await take(subjects)
        guard seconds == 0 else { throw SignInError.tooMany(seconds: seconds) }
        let (user, hash) = try await find(address)
        guard await place.matches(PasswordRules.normalised(password), hash), let user, let hash else {
            throw SignInError.refused
        }
        let begun = try await pool.withTransaction { connection in
            let begun = try await sessions.begin(user, passwordHash: hash.text, on: connection)
            if begun != nil { try await Self.giveBack(subjects, on: connection) }
            return begun
        }
        guard let begun else { throw SignInError.refused }
        return (begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh))
    }

    /// Nobody has what is no address, and the database, which takes no text with a NUL, is not asked for it.
    private func find(_ address: EmailAddress?) async throws -> (user: User?, hash: PasswordHash?) {
        guard let address else { return (nil, nil) }
        let rows = try await pool.query(
            """
            SELECT u.account_id, u.user_id, u.role, u.address, u.created_at, u.last_sign_in_at, u.password_hash
            FROM user_addresses a JOIN users u USING (account_id, user_id) WHERE a.address = \(address.text)
            """)
        guard let row = rows.first else { return (nil, nil) }
        return (try User(row: row), try row.decode(column: 6, as: String?.self).flatMap { PasswordHash($0) })
    }

    // MARK: Attempts

    /// Who an attempt is counted for. An address as it was typed may be a password that went into the wrong field: only
    /// keyed hashes are stored.
    private struct Subjects {
        let network: [UInt8]
        let pair: [UInt8]
        let address: [UInt8]

        init(address: String, network: [UInt8], key: SymmetricKey) {
            func subject(_ kind: String, _ octets: [UInt8]) -> [UInt8] {
                Array(HMAC<SHA256>.authenticationCode(for: Array("attempt \(kind) ".utf8) + octets, using: key))
            }
            self.network = subject("network", network)
            self.address = subject("address", Array(address.utf8))
            // The first has one of three lengths, which its own length tells.
            pair = subject("pair", [UInt8(clamping: network.count)] + network + Array(address.utf8))
        }
    }

    private func take(_ subjects: Subjects) async throws -> Int {
        try await pool.query(
            """
            SELECT take_sign_in(\(subjects.network), \(subjects.pair), \(subjects.address),
                \(PeopleLimits.attemptsOfNetwork), \(PeopleLimits.attemptsOfPair), \(PeopleLimits.attemptsOfAddress),
                \(PeopleLimits.attemptsOfPairUnderAttack))
            """
        ).only.decode(Int.self)
    }

    /// One row after the other, in the order in which `take_sign_in` locks them.
    private static func giveBack(_ subjects: Subjects, on connection: PostgresConnection) async throws {
        try await connection.query(
            "UPDATE sign_in_attempts SET attempts = greatest(0, attempts - 1) WHERE subject = \(subjects.network)")
        try await connection.query("UPDATE sign_in_attempts SET attempts = 0 WHERE subject = \(subjects.pair)")
        try await connection.query(
            "UPDATE sign_in_attempts SET attempts = greatest(0, attempts - 1) WHERE subject = \(subjects.address)")
    }

    /// Forgets attempts whose window is over.
    ///
    /// - Returns: how many
    package func sweep(on pool: PostgresPool) async throws -> Int {
        var count = 0
        while true {
            let gone = try await pool.query(
                """
                DELETE FROM sign_in_attempts WHERE subject IN (
                    SELECT subject FROM sign_in_attempts WHERE started_at < now() - interval '15 minutes'
                    LIMIT \(PeopleLimits.sweepRows) FOR UPDATE SKIP LOCKED)
                """
            ).affected
            count += gone
            if gone < PeopleLimits.sweepRows { return count }
        }
    }
}
