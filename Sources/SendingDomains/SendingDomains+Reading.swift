import Fleet
import MailSigning
import MailTypes
import Postgres

extension SendingDomains {
    func get(
        _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws -> SendingDomain {
        guard let found = try await read(account, domain, on: connection).first else {
            throw SendingDomainError.domainNotFound
        }
        return found
    }

    /// The account's domains by name, or one of them. A domain without keys is none.
    func read(
        _ account: AccountID, _ domain: DomainName? = nil, on connection: PostgresConnection
    ) async throws -> [SendingDomain] {
        let name = domain?.text
        let rows = try await connection.query(
            """
            SELECT domain, state, challenge, ARRAY[failing_since, verified_at, checked_at, created_at]
            FROM domains
            WHERE account_id = \(account.rawValue) AND (\(name as String?) IS NULL OR domain = \(name as String?))
            ORDER BY domain
            """)
        let keys = try await keys(account, name, on: connection)
        let findings = try await findings(account, name, on: connection)
        let sources = try await FleetStore.addresses(on: connection)
        let names = try rows.map { try DomainName($0.decode(column: 0, as: String.self)) }
        let permissions = try await permissions(account, names, locks: false, on: connection)
        return try zip(names, rows).compactMap { domain, row in
            let (text, state, challenge, times) = try row.decode(
                String.self, String.self, String.self, [PostgresTimestamp?].self)
            guard let state = DomainStanding.State(rawValue: state), times.count == 4, let createdAt = times[3] else {
                throw SendingDomainError.malformed
            }
            guard let keys = keys[text] else { return nil }
            let permission = permissions[domain] ?? Permission()
            return SendingDomain(
                account: account, domain: domain, standing: DomainStanding(state, failingSince: times[0]?.seconds),
                sends: permission.sends, coveredBy: permission.coveredBy, keys: keys,
                records: try advice(domain, keys, sources: sources),
                challenge: .init(name: "_sluice-challenge.\(domain)", value: challenge),
                findings: findings[text] ?? [], verifiedAt: times[1]?.seconds, checkedAt: times[2]?.seconds,
                createdAt: createdAt.seconds)
        }
    }

    private func keys(
        _ account: AccountID, _ domain: String?, on connection: PostgresConnection
    ) async throws -> [String: [SendingDomain.Key]] {
        try await connection.query(
            """
            SELECT domain, selector, algorithm, record, role, retired_at FROM domain_keys
            WHERE account_id = \(account.rawValue) AND (\(domain as String?) IS NULL OR domain = \(domain as String?))
            ORDER BY role = 'retired', position, role DESC, selector
            """
        ).reduce(into: [:]) { keys, row in
            let (domain, selector, algorithm, record, role, retiredAt) = try row.decode(
                String.self, String.self, String.self, String.self, String.self, PostgresTimestamp?.self)
            guard let algorithm = DKIMKey.Algorithm(rawValue: algorithm),
                let role = SendingDomain.Key.Role(rawValue: role)
            else { throw SendingDomainError.malformed }
            keys[domain, default: []].append(
                SendingDomain.Key(
                    selector: selector, algorithm: algorithm, record: record, role: role,
                    retiredAt: retiredAt?.seconds))
        }
    }

    private func findings(
        _ account: AccountID, _ domain: String?, on connection: PostgresConnection
    ) async throws -> [String: [DomainFinding]] {
        try await connection.query(
            """
            SELECT domain, purpose, name, state, seen, note FROM domain_findings
            WHERE account_id = \(account.rawValue) AND (\(domain as String?) IS NULL OR domain = \(domain as String?))
            ORDER BY domain, purpose, name
            """
        ).reduce(into: [:]) { findings, row in
            let (domain, purpose, name, state, seen, note) = try row.decode(
                String.self, String.self, String.self, String.self, String?.self, String?.self)
            guard let state = DomainFinding.State(rawValue: state) else { throw SendingDomainError.malformed }
            findings[domain, default: []].append(DomainFinding(purpose, name, state, seen: seen, note: note))
        }
    }

    /// Retired keys are published already; nobody is asked to.
    private func advice(
        _ domain: DomainName, _ keys: [SendingDomain.Key], sources: [IPAddress]
    ) throws -> [DNSRecordAdvice] {
        try SendingDomainRecords(
            domain: domain, keys: keys.filter { $0.role != .retired }.map { ($0.selector, $0.record) },
            mailHost: bounceHost ?? DomainName("mail." + domain.text), sourceAddresses: sources
        ).records
    }
}
