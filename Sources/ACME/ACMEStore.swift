import Crypto
package import MailTypes
package import Postgres
package import Vault

/// Accounts, certificates and challenges in the records, shared by all nodes. Private keys are sealed under the master key,
/// each for its row.
package struct ACMEStore: Sendable {
    /// A certificate's row, as operators see it.
    package struct Status: Sendable, Hashable {
        package let directory: String
        package let names: String
        /// Seconds since 1970; nil until there is a certificate.
        package let notBefore, notAfter: Int64?
        /// Of the next order.
        package let dueAt: Int64
        /// Orders that have failed since the last certificate.
        package let failures: Int
        package let problem: String?
        /// Whether a node has had these names among its settings in the last two days.
        package let isWanted: Bool
    }

    /// What a node needs to know every few seconds.
    struct Glance: Sendable, Hashable {
        let version: Int64
        let isDue: Bool
        let problem: String?
    }

    /// An order that this node alone may make.
    struct Claim: Sendable, Hashable {
        let attempt: Int64
        /// Before it.
        let failures: Int
    }

    struct Challenge: Sendable, Hashable {
        let token: String
        let name: String
        let keyAuthorization: String
    }

    private let pool: PostgresPool
    private let seal: SealingKey

    /// - Parameter pool: with ``ACMESchema/migrations`` applied
    package init(pool: PostgresPool, vault: Vault) {
        self.pool = pool
        seal = vault.certificateKey
    }

    // MARK: Accounts

    /// The key of the account, made where there is none, and where the authority keeps the account.
    func account(_ directory: String) async throws -> (key: AccountKey, url: String?) {
        let context = Self.context(.acmeAccount, directory)
        try await pool.query(
            """
            INSERT INTO acme_accounts (directory, sealed_key)
            VALUES (\(directory), \(try seal.seal(AccountKey().bytes, as: context))) ON CONFLICT DO NOTHING
            """)
        let (sealed, url) = try await pool.query(
            "SELECT sealed_key, url FROM acme_accounts WHERE directory = \(directory)"
        ).only.decode([UInt8].self, String?.self)
        return (try AccountKey(bytes: seal.open(sealed, as: context)), url)
    }

    func setAccount(_ directory: String, url: String?) async throws {
        try await pool.query("UPDATE acme_accounts SET url = \(url as String?) WHERE directory = \(directory)")
    }

    // MARK: Certificates

    /// Notes that the names are wanted, and looks at their certificate.
    func glance(_ directory: String, _ names: CertificateNames) async throws -> Glance {
        let names = names.description
        let rows = try await pool.query(
            """
            SELECT version, due_at <= now() AND (leased_until IS NULL OR leased_until <= now()), problem,
                wanted_at < now() - interval '1 hour'
            FROM acme_certificates WHERE directory = \(directory) AND names = \(names)
            """)
        guard let row = rows.first else {
            try await pool.query(
                """
                INSERT INTO acme_certificates (directory, names) VALUES (\(directory), \(names)) ON CONFLICT DO NOTHING
                """)
            return Glance(version: 0, isDue: true, problem: nil)
        }
        let (version, isDue, problem, isOld) = try row.decode(Int64.self, Bool.self, String?.self, Bool.self)
        if isOld {
            try await pool.query(
                """
                UPDATE acme_certificates SET wanted_at = now() WHERE directory = \(directory) AND names = \(names)
                """)
        }
        return Glance(version: version, isDue: isDue, problem: problem)
    }

    /// - Returns: nil until there is a certificate
    func certificate(
        _ directory: String, _ names: CertificateNames
    ) async throws -> (version: Int64, chain: String, key: String)? {
        let rows = try await pool.query(
            """
            SELECT version, chain, sealed_key FROM acme_certificates
            WHERE directory = \(directory) AND names = \(names.description) AND version > 0
            """)
        guard let (version, chain, sealed) = try rows.first?.decode(Int64.self, String.self, [UInt8].self) else {
            return nil
        }
        let key = try seal.open(sealed, as: Self.context(.certificateKey, "\(directory) \(names)"))
        return (version, chain, String(decoding: key, as: UTF8.self))
    }

    /// Takes the order for this node, where it is due and no other node has it.
    func claim(_ directory: String, _ names: CertificateNames) async throws -> Claim? {
        let rows = try await pool.query(
            """
            UPDATE acme_certificates
            SET attempt = attempt + 1, leased_until = now() + \(Int64(ACMELimits.leaseSeconds)) * interval '1 second'
            WHERE directory = \(directory) AND names = \(names.description) AND due_at <= now()
                AND (leased_until IS NULL OR leased_until <= now())
            RETURNING attempt, failures
            """)
        guard let (attempt, failures) = try rows.first?.decode(Int64.self, Int.self) else { return nil }
        return Claim(attempt: attempt, failures: failures)
    }

    /// Keeps what an order has brought.
    ///
    /// - Parameter due: of the next order, in seconds since 1970
    /// - Returns: false where another node has had the order since
    func finish(
        _ claim: Claim, _ directory: String, _ names: CertificateNames, _ issued: IssuedCertificate, due: Int64
    ) async throws -> Bool {
        let context = Self.context(.certificateKey, "\(directory) \(names)")
        let sealed = try seal.seal(Array(issued.key.pemRepresentation.utf8), as: context)
        return try await pool.query(
            """
            UPDATE acme_certificates
            SET version = version + 1, chain = \(try issued.chainPEM()), sealed_key = \(sealed),
                not_before = \(PostgresTimestamp(seconds: issued.notBefore)),
                not_after = \(PostgresTimestamp(seconds: issued.notAfter)),
                due_at = \(PostgresTimestamp(seconds: due)), leased_until = NULL, failures = 0, problem = NULL
            WHERE directory = \(directory) AND names = \(names.description) AND attempt = \(claim.attempt)
            """
        ).affected == 1
    }

    /// - Parameter seconds: until the next try
    func fail(
        _ claim: Claim, _ directory: String, _ names: CertificateNames, problem: String, seconds: Double
    ) async throws {
        try await pool.query(
            """
            UPDATE acme_certificates
            SET due_at = now() + \(Int64(seconds * 1_000)) * interval '1 millisecond', leased_until = NULL,
                failures = failures + 1, problem = \(String(problem.prefix(500)))
            WHERE directory = \(directory) AND names = \(names.description) AND attempt = \(claim.attempt)
            """)
    }

    // MARK: Challenges

    func publish(_ challenge: Challenge) async throws {
        try await pool.query("DELETE FROM acme_challenges WHERE expires_at < now()")
        try await pool.query(
            """
            INSERT INTO acme_challenges (token, name, key_authorization, expires_at)
            VALUES (\(challenge.token), \(challenge.name), \(challenge.keyAuthorization),
                now() + \(Int64(ACMELimits.leaseSeconds)) * interval '1 second')
            ON CONFLICT (token) DO NOTHING
            """)
    }

    func withdraw(_ tokens: [String]) async throws {
        try await pool.query("DELETE FROM acme_challenges WHERE token = ANY(\(tokens))")
    }

    func challenges() async throws -> [Challenge] {
        try await pool.query(
            """
            SELECT token, name, key_authorization FROM acme_challenges WHERE expires_at > now()
            ORDER BY expires_at DESC LIMIT \(Int64(10 * ACMELimits.names))
            """
        ).map { row in
            let (token, name, authorization) = try row.decode(String.self, String.self, String.self)
            return Challenge(token: token, name: name, keyAuthorization: authorization)
        }
    }

    // MARK: Operators

    /// Those that are wanted first.
    package func list() async throws -> [Status] {
        try await pool.query(
            """
            SELECT directory, names, not_before, not_after, due_at, failures, problem,
                wanted_at > now() - interval '2 days'
            FROM acme_certificates ORDER BY wanted_at > now() - interval '2 days' DESC, names, directory LIMIT 1000
            """
        ).map { row in
            let (directory, names, begin, end, due, failures, problem, isWanted) = try row.decode(
                String.self, String.self, PostgresTimestamp?.self, PostgresTimestamp?.self, PostgresTimestamp.self,
                Int.self, String?.self, Bool.self)
            return Status(
                directory: directory, names: names, notBefore: begin?.seconds, notAfter: end?.seconds,
                dueAt: due.seconds, failures: failures, problem: problem, isWanted: isWanted)
        }
    }

    /// Has the certificates with a name ordered anew as soon as a node looks. An order that is under way counts no more.
    ///
    /// - Returns: how many there are
    package func renew(_ name: DomainName) async throws -> Int {
        try await pool.query(
            """
            UPDATE acme_certificates SET due_at = now(), leased_until = NULL, attempt = attempt + 1
            WHERE \(name.text) = ANY(string_to_array(names, ','))
            """
        ).affected
    }

    /// Of the installation, so that no account's key fits.
    private static func context(_ purpose: SealContext.Purpose, _ label: String) -> SealContext {
        SealContext(account: AccountID(rawValue: 0), purpose: purpose, label: label)
    }
}
