package import MailSigning
package import MailTypes
import Postgres
import Vault

extension SendingDomains {
    /// What signs mail from the domain. Keys are opened once and kept for some minutes.
    ///
    /// - Throws: ``SendingDomainError`` `.domainNotFound`
    @concurrent
    package func signer(_ account: AccountID, _ domain: DomainName) async throws -> DKIMSigner {
        if let signer = signers.signer(account, domain) { return signer }
        let rows = try await signing.query(
            """
            SELECT selector, sealed FROM domain_keys
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text) AND role = 'signing' ORDER BY position
            """)
        guard !rows.isEmpty else { throw SendingDomainError.domainNotFound }
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

    /// Adds a key that takes the place of the domain's signing key of its algorithm once the DNS has its record.
    ///
    /// - Parameters:
    ///   - selector: nil for the first free one of `s1`, `s2` and so on.
    ///   - imported: nil makes a new key.
    ///   - onCommit: runs last in the transaction; an error undoes the call.
    /// - Throws: ``SendingDomainError`` `.domainNotFound`, `.invalidSetting` for a selector that is taken or while a key
    ///   of the algorithm waits already, `.invalidKey`
    @concurrent
    package func addKey(
        _ account: AccountID, _ domain: DomainName, selector: String? = nil,
        algorithm: DKIMKey.Algorithm = .rsaSHA256, imported: DKIMKey? = nil, onCommit: CommitHook? = nil
    ) async throws -> SendingDomain {
        let known = try await get(account, domain).keys
        let selector = (selector ?? Self.freeSelector(known)).lowercased()
        let keys = try Self.keys(selector, [imported?.algorithm ?? algorithm], imported)
        _ = try Self.signer(domain, keys)
        let sealed = try await seal(keys, account, domain)
        do {
            return try await records.withTransaction { connection in
                try await lockKeys(account, domain, on: connection)
                let present = try await get(account, domain, on: connection).keys
                guard !present.contains(where: { $0.role == .next && $0.algorithm == keys[0].key.algorithm }) else {
                    throw SendingDomainError(
                        .invalidSetting, "a key of this kind waits for its DNS record already; remove it first")
                }
                let replaced = present.firstIndex { $0.role == .signing && $0.algorithm == keys[0].key.algorithm }
                try await store(
                    keys, sealed, as: .next, at: replaced ?? present.count, account, domain, on: connection)
                let changed = try await get(account, domain, on: connection)
                try await onCommit?(connection, changed)
                return changed
            }
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw SendingDomainError(.invalidSetting, "the domain has a key under the selector \(selector) already")
        }
    }

    /// Forgets a key that does not sign.
    ///
    /// - Throws: ``SendingDomainError`` `.domainNotFound`, `.keyNotFound`, `.invalidSetting` for a key that signs
    package func removeKey(_ account: AccountID, _ domain: DomainName, selector: String) async throws {
        try await records.withTransaction { connection in
            try await lockKeys(account, domain, on: connection)
            let keys = try await get(account, domain, on: connection).keys
            guard let key = keys.first(where: { $0.selector == selector.lowercased() }) else {
                throw SendingDomainError(.keyNotFound, "the domain has no key under this selector")
            }
            guard key.role != .signing else {
                throw SendingDomainError(.invalidSetting, "the key signs; add another in its place")
            }
            try await connection.query(
                """
                DELETE FROM domain_keys WHERE account_id = \(account.rawValue) AND domain = \(domain.text)
                    AND selector = \(key.selector) AND role <> 'signing'
                """)
        }
    }

    /// Lets keys sign whose records the DNS has, in place of those that did, and forgets those whose time is over.
    func rotate(
        _ account: AccountID, _ domain: DomainName, published: [String], on connection: PostgresConnection
    ) async throws {
        let promoted = try await connection.query(
            """
            WITH promoted AS (
                UPDATE domain_keys SET role = 'signing'
                WHERE account_id = \(account.rawValue) AND domain = \(domain.text) AND role = 'next'
                    AND selector = ANY(\(published))
                RETURNING algorithm, selector
            ), retired AS (
                UPDATE domain_keys k SET role = 'retired', retired_at = clock_timestamp() FROM promoted p
                WHERE k.account_id = \(account.rawValue) AND k.domain = \(domain.text) AND k.role = 'signing'
                    AND k.algorithm = p.algorithm
            )
            SELECT selector FROM promoted
            """)
        try await connection.query(
            """
            DELETE FROM domain_keys
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text) AND role = 'retired'
                AND retired_at < clock_timestamp() - make_interval(secs => \(Double(SendingDomain.Key.retiredSeconds)))
            """)
        if !promoted.isEmpty { signers.remove(account, domain) }
    }

    func store(
        _ keys: [(selector: String, key: DKIMKey)], _ sealed: [[UInt8]], as role: SendingDomain.Key.Role,
        at position: Int, _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            INSERT INTO domain_keys (account_id, domain, selector, algorithm, record, sealed, position, role)
            SELECT \(account.rawValue), \(domain.text), k.selector, k.algorithm, k.record, k.sealed,
                k.position + \(Int32(position)), \(role.rawValue)
            FROM unnest(
                \(keys.map(\.selector)), \(keys.map(\.key.algorithm.rawValue)), \(keys.map(\.key.dnsRecord)),
                \(sealed)) WITH ORDINALITY AS k (selector, algorithm, record, sealed, position)
            """)
    }

    func seal(
        _ keys: [(selector: String, key: DKIMKey)], _ account: AccountID, _ domain: DomainName
    ) async throws -> [[UInt8]] {
        guard let sealing = try await vault.existingAccountKeys(account)?.sealing else {
            throw SendingDomainError(.notFound, "there is no such account")
        }
        return try keys.map { selector, key in
            try sealing.seal(key.privateKeyDER, as: Self.context(account, domain, selector))
        }
    }

    static func keys(
        _ selector: String, _ algorithms: [DKIMKey.Algorithm], _ imported: DKIMKey?
    ) throws -> [(selector: String, key: DKIMKey)] {
        guard !algorithms.isEmpty, Set(algorithms).count == algorithms.count else {
            throw SendingDomainError(
                .invalidSetting, "a sending domain has one key of each chosen algorithm, at least one")
        }
        if let bits = imported?.rsaBits, bits < Self.leastRSABits {
            throw SendingDomainError(
                .invalidKey, "an RSA key needs \(Self.leastRSABits) bits or more; this has \(bits)")
        }
        return try algorithms.enumerated().map { index, algorithm in
            let key = try imported.flatMap { $0.algorithm == algorithm ? $0 : nil } ?? DKIMKey.generate(algorithm)
            return (index == 0 ? selector : selector + suffix(algorithm), key)
        }
    }

    static func signer(_ domain: DomainName, _ keys: [(selector: String, key: DKIMKey)]) throws -> DKIMSigner {
        do {
            return try DKIMSigner(domain: domain, keys: keys)
        } catch {
            guard error.code == .invalidSelector else { throw error }
            throw SendingDomainError(.invalidSetting, error.detail)
        }
    }

    /// RFC 8301 §3.2 asks signers for as much.
    private static let leastRSABits = 2_048

    private static func freeSelector(_ keys: [SendingDomain.Key]) -> String {
        let taken = Set(keys.map(\.selector))
        return (1...keys.count + 1).lazy.map { "s\($0)" }.first { !taken.contains($0) } ?? defaultSelector
    }

    private static func context(_ account: AccountID, _ domain: DomainName, _ selector: String) -> SealContext {
        SealContext(account: account, purpose: .dkimKey, label: "\(selector)._domainkey.\(domain)")
    }

    private static func suffix(_ algorithm: DKIMKey.Algorithm) -> String {
        switch algorithm {
        case .rsaSHA256: "r"
        case .ed25519SHA256: "e"
        }
    }

    /// Two calls at once would both find the place free.
    private func lockKeys(
        _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            SELECT FROM domains WHERE account_id = \(account.rawValue) AND domain = \(domain.text) FOR NO KEY UPDATE
            """)
    }
}
