package import MailSigning
package import MailTypes
package import Postgres
package import Vault

/// The domains that accounts send from, what proves that they are theirs, and the keys that sign their mail. Private keys
/// are sealed under a key of the account.
package final class SendingDomains: Sendable {
    package static let defaultSelector = "s1"

    /// Runs in the transaction of a call with the domain that the call returns.
    package typealias CommitHook = @Sendable (PostgresConnection, SendingDomain) async throws -> Void

    /// Sending domains of an account.
    package static let mostDomains = 1_000

    let records: PostgresPool
    let signing: PostgresPool
    let vault: Vault
    let bounceHost: DomainName?
    let trusts: Bool
    let suffixes: PublicSuffixes?
    let limits: AccountLimits
    let signers: SignerCache

    /// - Parameters:
    ///   - signing: where the keys of mail under way are read; `records` if nil.
    ///   - bounceHost: the host that takes bounces, for the DNS records; nil where the service has no public name: then
    ///     they name `mail.` below the domain.
    ///   - trusts: every registered domain counts as proven. For sinks, demos and tests only: anybody could send as
    ///     anybody.
    ///   - limits: what was set for accounts.
    package init(
        records: PostgresPool, signing: PostgresPool? = nil, vault: Vault, bounceHost: DomainName? = nil,
        trusts: Bool = false, suffixes: PublicSuffixes? = .system, limits: AccountLimits = AccountLimits()
    ) {
        self.records = records
        self.signing = signing ?? records
        self.vault = vault
        self.bounceHost = bounceHost
        self.trusts = trusts
        self.suffixes = suffixes
        self.limits = limits
        signers = SignerCache()
    }

    private init(_ original: SendingDomains, over records: PostgresPool) {
        self.records = records
        signing = original.signing
        vault = original.vault
        bounceHost = original.bounceHost
        trusts = original.trusts
        suffixes = original.suffixes
        limits = original.limits
        signers = original.signers
    }

    /// The same domains over other connections: what is changed here changes the signers of both.
    package func over(_ records: PostgresPool) -> SendingDomains { SendingDomains(self, over: records) }

    /// Registers a domain with its keys. It sends once the DNS proves it.
    ///
    /// - Parameters:
    ///   - selector: of the first key. A key of another algorithm gets the selector with `e` (Ed25519) behind it.
    ///   - algorithms: one new key each, in this order.
    ///   - imported: a key of one's own in place of the new one of its algorithm.
    ///   - onCommit: runs last in the transaction; an error undoes the call.
    /// - Throws: ``SendingDomainError`` `.domainExists`, `.tooManyDomains`, `.publicSuffix`, `.suffixesUnknown`,
    ///   `.invalidSetting`, `.invalidKey`, `.notFound` for an unknown account; `DKIMError`
    @concurrent
    package func add(
        _ account: AccountID, _ domain: DomainName, selector: String? = nil,
        algorithms: [DKIMKey.Algorithm] = [.rsaSHA256], imported: DKIMKey? = nil, onCommit: CommitHook? = nil
    ) async throws -> SendingDomain {
        try requireRegistrable(domain)
        let keys = try Self.keys(selector ?? Self.defaultSelector, algorithms, imported)
        let signer = try Self.signer(domain, keys)
        let sealed = try await seal(keys, account, domain)
        let added = try await insert(account, domain, keys, sealed, onCommit)
        signers.insert(signer, account, domain)
        return added
    }

    /// The account's domains by name.
    package func list(_ account: AccountID) async throws -> [SendingDomain] {
        try await records.withConnection { try await read(account, on: $0) }
    }

    /// - Throws: ``SendingDomainError`` `.domainNotFound`
    package func get(_ account: AccountID, _ domain: DomainName) async throws -> SendingDomain {
        try await records.withConnection { try await get(account, domain, on: $0) }
    }

    /// Forgets the domain, its keys and its proof.
    ///
    /// - Parameter isInUse: asked in the transaction, which holds the domain's row.
    /// - Throws: ``SendingDomainError`` `.domainNotFound`, `.domainInUse`
    package func remove(
        _ account: AccountID, _ domain: DomainName,
        unless isInUse: @Sendable (PostgresConnection) async throws -> Bool = { _ in false }
    ) async throws {
        try await records.withTransaction { connection in
            // Creating a campaign locks the row for share: none can come in between.
            let found = try await connection.query(
                """
                SELECT FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text) FOR UPDATE
                """)
            guard !found.isEmpty else { throw SendingDomainError.domainNotFound }
            guard try await !isInUse(connection) else {
                throw SendingDomainError(.domainInUse, "a campaign that is not finished sends from \(domain)")
            }
            try await connection.query(
                "DELETE FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text)")
        }
        signers.remove(account, domain)
    }

    private func requireRegistrable(_ domain: DomainName) throws(SendingDomainError) {
        guard let suffixes else {
            throw SendingDomainError(
                .suffixesUnknown,
                "domains cannot be added: the server's list of public suffixes is missing (Debian's package publicsuffix)"
            )
        }
        guard !suffixes.contains(domain) else {
            throw SendingDomainError(
                .publicSuffix, "\(domain) is a public suffix, below which anybody can register domains")
        }
    }

    /// How many the account has.
    package func count(of account: AccountID) async throws -> Int {
        try await records.query(Self.count(of: account)).only.decode(Int.self)
    }

    private static func count(of account: AccountID) -> SQL {
        "SELECT count(*) FROM domains WHERE account_id = \(account.rawValue)"
    }

    private func requireRoom(_ account: AccountID, on connection: PostgresConnection) async throws {
        let count = try await connection.query(Self.count(of: account)).only.decode(Int.self)
        let most = limits[.domains, account] ?? Self.mostDomains
        guard count < most else {
            throw SendingDomainError(.tooManyDomains, "the account has at most \(most) sending domains")
        }
    }

    private func insert(
        _ account: AccountID, _ domain: DomainName, _ keys: [(selector: String, key: DKIMKey)], _ sealed: [[UInt8]],
        _ onCommit: CommitHook?
    ) async throws -> SendingDomain {
        do {
            return try await records.withTransaction { connection in
                try await requireRoom(account, on: connection)
                // The DNS is never asked for one of a test account: its proof would take the domain from its owner.
                try await connection.query(
                    """
                    INSERT INTO domains (account_id, domain, next_check_at)
                    VALUES (\(account.rawValue), \(domain.text), CASE WHEN \(account.isTest) THEN 'infinity' ELSE now() END)
                    """)
                try await store(keys, sealed, as: .signing, at: 0, account, domain, on: connection)
                let added = try await get(account, domain, on: connection)
                try await onCommit?(connection, added)
                return added
            }
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw SendingDomainError(.domainExists, "\(domain) is registered already")
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw SendingDomainError(.notFound, "there is no such account")
        }
    }
}
