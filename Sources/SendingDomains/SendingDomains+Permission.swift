package import MailTypes
package import Postgres

extension SendingDomains {
    /// Whether an account may send as a domain.
    package struct Permission: Sendable, Hashable {
        package var isRegistered = false
        package var sends = false
        /// The proven domain above it by which it sends.
        package var coveredBy: DomainName?
    }

    /// A domain sends by its own proof. Without one it sends by that of a domain above it which is the same account's, as
    /// long as no other account has proven the domain itself. Test mail needs no proof, since it reaches nobody.
    ///
    /// The rows are locked for share: the answer holds until the transaction ends.
    package func permission(
        _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws -> Permission {
        try await permissions(account, [domain], locks: true, on: connection)[domain] ?? Permission()
    }

    /// Whether the account may send as the domain now.
    package func permission(_ account: AccountID, _ domain: DomainName) async throws -> Permission {
        try await records.withConnection {
            try await permissions(account, [domain], locks: false, on: $0)[domain] ?? Permission()
        }
    }

    func permissions(
        _ account: AccountID, _ domains: [DomainName], locks: Bool, on connection: PostgresConnection
    ) async throws -> [DomainName: Permission] {
        let names = Set(domains.flatMap(SendingDomain.withAncestors)).sorted()
        let states = try await connection.query(
            """
            SELECT domain, state FROM domains
            WHERE account_id = \(account.rawValue) AND domain = ANY(\(names)) ORDER BY domain
            \(unescaped: locks ? "FOR SHARE" : "")
            """
        ).reduce(into: [String: DomainStanding]()) { states, row in
            let (name, state) = try row.decode(String.self, String.self)
            states[name] = DomainStanding.State(rawValue: state).map { DomainStanding($0) }
        }
        let taken = try await connection.query(
            "SELECT domain FROM proven_by_others(\(account.rawValue), \(names)) AS taken (domain)"
        ).reduce(into: Set<String>()) { $0.insert(try $1.decode(String.self)) }
        return try domains.reduce(into: [:]) { $0[$1] = try permission($1, account, states, taken) }
    }

    private func permission(
        _ domain: DomainName, _ account: AccountID, _ states: [String: DomainStanding], _ taken: Set<String>
    ) throws -> Permission {
        guard let own = states[domain.text] else { return Permission() }
        if trusts || own.sends || account.isTest { return Permission(isRegistered: true, sends: true) }
        let above = SendingDomain.withAncestors(domain).dropFirst().first { states[$0]?.sends ?? false }
        guard let above, !taken.contains(domain.text) else { return Permission(isRegistered: true) }
        return Permission(isRegistered: true, sends: true, coveredBy: try DomainName(above))
    }

    /// The account that sends as the domain; nil if none does.
    package func owner(of domain: DomainName) async throws -> AccountID? {
        let owner = try await records.query("SELECT account_id FROM domain_owners WHERE domain = \(domain.text)").first
        if let owner { return AccountID(rawValue: try owner.decode(Int64.self)) }
        guard trusts else { return nil }
        return try await records.query(
            """
            SELECT account_id FROM domains WHERE domain = \(domain.text) AND account_id <= \(AccountID.mostLive)
            ORDER BY account_id LIMIT 1
            """
        ).first.map { AccountID(rawValue: try $0.decode(Int64.self)) }
    }
}
