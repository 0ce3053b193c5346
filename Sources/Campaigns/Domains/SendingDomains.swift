package import MailSigning
package import MailTypes
package import Postgres
package import Vault

/// The domains that accounts send from, with the keys that sign their mail. Private keys are sealed under a key of the
/// account.
package final class SendingDomains: Sendable {
    package static let defaultSelector = "s1"

    private let records: PostgresPool
    private let signing: PostgresPool
    private let vault: Vault
    private let bounceHost: DomainName?
    private let signers = SignerCache()

    /// - Parameters:
    ///   - signing: where the keys of mail under way are read; `records` if nil.
    ///   - bounceHost: the host that takes bounces, for the DNS records; nil where the service has no public name: then they
    ///     name `mail.` below the domain.
    package init(
        records: PostgresPool, signing: PostgresPool? = nil, vault: Vault, bounceHost: DomainName? = nil
    ) {
        self.records = records
        self.signing = signing ?? records
        self.vault = vault
        self.bounceHost = bounceHost
    }

    /// Registers a domain and makes its keys.
    ///
    /// - Parameters:
    ///   - selector: of the first key. A key of another algorithm gets the selector with `e` (Ed25519) behind it.
    ///   - algorithms: one signature each, in this order.
    ///   - onCommit: runs last in the transaction, with the domain that is returned; an error undoes the call.
    /// - Throws: ``CampaignError`` `.domainExists`, `.invalidSetting`, `.tooManyDomains`, `.notFound` for an unknown account; `DKIMError`
    @concurrent
    package func add(
        _ account: AccountID, _ domain: DomainName, selector: String? = nil,
        algorithms: [DKIMKey.Algorithm] = [.rsaSHA256], onCommit: CampaignService.CommitHook<SendingDomain>? = nil
    ) async throws -> SendingDomain {
        guard !algorithms.isEmpty, Set(algorithms).count == algorithms.count else {
            throw CampaignError(.invalidSetting, "a sending domain has one key of each chosen algorithm, at least one")
        }
        var keys: [(selector: String, key: DKIMKey)] = []
        for algorithm in algorithms {
            let base = selector ?? Self.defaultSelector
            let isSecond = !keys.isEmpty
            keys.append((isSecond ? base + Self.suffix(algorithm) : base, try DKIMKey.generate(algorithm)))
        }
        let signer: DKIMSigner
        do {
            signer = try DKIMSigner(domain: domain, keys: keys)
        } catch {
            guard error.code == .invalidSelector else { throw error }
            throw CampaignError(.invalidSetting, error.detail)
        }
        guard let sealing = try await vault.existingAccountKeys(account)?.sealing else {
            throw CampaignError(.notFound, "there is no such account")
        }
        let sealed = try keys.map { selector, key in
            try sealing.seal(key.privateKeyDER, as: Self.context(account, domain, selector))
        }
        let published = keys.map {
            SendingDomain.Key(selector: $0.selector, algorithm: $0.key.algorithm, record: $0.key.dnsRecord)
        }
        let added = try await insert(account, domain, published, sealed, onCommit)
        signers.insert(signer, account, domain)
        return added
    }

    /// The account's domains by name.
    package func list(_ account: AccountID) async throws -> [SendingDomain] {
        try await read(account, domain: nil)
    }

    /// - Throws: ``CampaignError`` `.domainNotFound`
    package func get(_ account: AccountID, _ domain: DomainName) async throws -> SendingDomain {
        guard let found = try await read(account, domain: domain).first else { throw Self.notFound }
        return found
    }

    /// Forgets the domain and its keys.
    ///
    /// - Throws: ``CampaignError`` `.domainNotFound`, `.domainInUse` while an unfinished campaign sends from it
    package func remove(_ account: AccountID, _ domain: DomainName) async throws {
        try await records.withTransaction { connection in
            // Creating a campaign locks the row for share: none can come in between.
            let found = try await connection.query(
                """
                SELECT FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text) FOR UPDATE
                """)
            guard !found.isEmpty else { throw Self.notFound }
            let using = try await connection.query(
                """
                SELECT FROM campaigns
                WHERE account_id = \(account.rawValue) AND from_domain = \(domain.text)
                    AND purged_at IS NULL AND results_until IS NULL
                LIMIT 1
                """)
            guard using.isEmpty else {
                throw CampaignError(.domainInUse, "a campaign that is not finished sends from \(domain)")
            }
            try await connection.query(
                "DELETE FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text)")
        }
        signers.remove(account, domain)
    }

    /// An account that sends from the domain, the oldest if there are several; nil if none does.
    package func owner(of domain: DomainName) async throws -> AccountID? {
        try await records.query(
            "SELECT account_id FROM domains WHERE domain = \(domain.text) ORDER BY account_id LIMIT 1"
        ).first.map { AccountID(rawValue: try $0.decode(Int64.self)) }
    }

    /// What signs mail from the domain. Keys are opened once and kept for some minutes.
    ///
    /// - Throws: ``CampaignError`` `.domainNotFound`
    @concurrent
    package func signer(_ account: AccountID, _ domain: DomainName) async throws -> DKIMSigner {
        if let signer = signers.signer(account, domain) { return signer }
        let rows = try await signing.query(
            """
            SELECT selector, sealed FROM domain_keys
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text) ORDER BY position
            """)
        guard !rows.isEmpty else { throw Self.notFound }
        let sealing = try await vault.accountKeys(account).sealing
        let keys = try rows.map { row in
            let (selector, sealed) = try row.decode(String.self, [UInt8].self)
            let der = try sealing.open(sealed, as: Self.context(account, domain, selector))
            return (selector: selector, key: try DKIMKey(privateKeyDER: der))
        }
        let signer = try DKIMSigner(domain: domain, keys: keys)
        signers.insert(signer, account, domain)
        return signer
    }

    /// Whether the account may send from the domain; the answer holds until the transaction ends.
    static func isRegistered(
        _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws -> Bool {
        try await !connection.query(
            """
            SELECT FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text) FOR KEY SHARE
            """
        ).isEmpty
    }

    private static let notFound = CampaignError(.domainNotFound, "there is no such sending domain")

    private static func context(_ account: AccountID, _ domain: DomainName, _ selector: String) -> SealContext {
        SealContext(account: account, purpose: .dkimKey, label: "\(selector)._domainkey.\(domain)")
    }

    private static func suffix(_ algorithm: DKIMKey.Algorithm) -> String {
        switch algorithm {
        case .rsaSHA256: "r"
        case .ed25519SHA256: "e"
        }
    }

    private static func requireRoom(_ account: AccountID, on connection: PostgresConnection) async throws {
        let domains = try await connection.query(
            "SELECT count(*) FROM domains WHERE account_id = \(account.rawValue)"
        ).only.decode(Int.self)
        guard domains < CampaignLimits.domains else {
            throw CampaignError(.tooManyDomains, "an account has at most \(CampaignLimits.domains) sending domains")
        }
    }

    private func insert(
        _ account: AccountID, _ domain: DomainName, _ keys: [SendingDomain.Key], _ sealed: [[UInt8]],
        _ onCommit: CampaignService.CommitHook<SendingDomain>?
    ) async throws -> SendingDomain {
        do {
            return try await records.withTransaction { connection in
                try await Self.requireRoom(account, on: connection)
                let createdAt = try await connection.query(
                    """
                    INSERT INTO domains (account_id, domain) VALUES (\(account.rawValue), \(domain.text))
                    RETURNING created_at
                    """
                ).only.decode(PostgresTimestamp.self)
                try await connection.query(
                    """
                    INSERT INTO domain_keys (account_id, domain, selector, algorithm, record, sealed, position)
                    SELECT \(account.rawValue), \(domain.text), k.selector, k.algorithm, k.record, k.sealed, k.position
                    FROM unnest(
                        \(keys.map(\.selector)), \(keys.map(\.algorithm.rawValue)), \(keys.map(\.record)),
                        \(sealed)) WITH ORDINALITY AS k (selector, algorithm, record, sealed, position)
                    """)
                let added = try sendingDomain(
                    account, domain, keys, sources: try await Self.sources(on: connection),
                    createdAt: createdAt.seconds)
                try await onCommit?(connection, added)
                return added
            }
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw CampaignError(.domainExists, "\(domain) is registered already")
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw CampaignError(.notFound, "there is no such account")
        }
    }

    private func read(_ account: AccountID, domain: DomainName?) async throws -> [SendingDomain] {
        let name = domain?.text
        let rows = try await records.query(
            """
            SELECT d.domain, d.created_at, array_agg(k.selector ORDER BY k.position),
                array_agg(k.algorithm ORDER BY k.position), array_agg(k.record ORDER BY k.position)
            FROM domains d JOIN domain_keys k USING (account_id, domain)
            WHERE account_id = \(account.rawValue) AND (\(name as String?) IS NULL OR domain = \(name as String?))
            GROUP BY d.account_id, d.domain, d.created_at ORDER BY d.domain
            """)
        let sources = try await records.withConnection { try await Self.sources(on: $0) }
        return try rows.map { row in
            let (text, createdAt, selectors, algorithms, values) = try row.decode(
                String.self, PostgresTimestamp.self, [String].self, [String].self, [String].self)
            let keys = try zip(zip(selectors, algorithms), values).map { pair, record in
                guard let algorithm = DKIMKey.Algorithm(rawValue: pair.1) else { throw OctetReader.malformed }
                return SendingDomain.Key(selector: pair.0, algorithm: algorithm, record: record)
            }
            return try sendingDomain(
                account, DomainName(text), keys, sources: sources, createdAt: createdAt.seconds)
        }
    }

    /// The addresses that mail leaves from: of all nodes that were there of late, IPv4 first. None where mail leaves by
    /// others' hosts, or where no node has started yet; then SPF names the bounce host.
    private static func sources(on connection: PostgresConnection) async throws -> [IPAddress] {
        try await connection.query(
            """
            SELECT s FROM (
                SELECT DISTINCT unnest(sources) AS s FROM nodes
                WHERE seen_at > clock_timestamp() - make_interval(days => \(nodeDays))) AS known
            ORDER BY family(s::inet), s::inet
            """
        ).compactMap { IPAddress(try $0.decode(String.self)) }
    }

    /// Days without a sign of a node after which its addresses are advised no more.
    private static let nodeDays: Int32 = 30

    private func sendingDomain(
        _ account: AccountID, _ domain: DomainName, _ keys: [SendingDomain.Key], sources: [IPAddress], createdAt: Int64
    ) throws -> SendingDomain {
        let advice = try SendingDomainRecords(
            domain: domain, keys: keys.map { ($0.selector, $0.record) },
            mailHost: bounceHost ?? DomainName("mail." + domain.text), sourceAddresses: sources)
        return SendingDomain(
            account: account, domain: domain, selector: keys.first?.selector ?? Self.defaultSelector, keys: keys,
            records: advice.records, createdAt: createdAt)
    }
}
