package import MailTypes
import Postgres
import Webhooks

extension SendingDomains {
    /// What a look into the DNS has changed.
    enum Change: Sendable, Hashable {
        case none
        case state(from: DomainStanding.State, to: DomainStanding.State)
        /// Proven, but another account's.
        case taken
    }

    /// Stores what was found and what it means. Of two accounts that prove a domain the first to come here has it.
    ///
    /// - Throws: ``SendingDomainError`` `.domainNotFound`
    func record(
        _ examined: DomainExaminer.Result, _ account: AccountID, _ domain: DomainName
    ) async throws -> Change {
        try await records.withTransaction { connection in
            let row = try await connection.query(
                """
                SELECT state, failing_since, clock_timestamp(), created_at FROM domains
                WHERE account_id = \(account.rawValue) AND domain = \(domain.text) FOR NO KEY UPDATE
                """
            ).first
            guard let row else { throw SendingDomainError.domainNotFound }
            let (state, since, now, createdAt) = try row.decode(
                String.self, PostgresTimestamp?.self, PostgresTimestamp.self, PostgresTimestamp.self)
            guard let state = DomainStanding.State(rawValue: state) else { throw SendingDomainError.malformed }
            let old = DomainStanding(state, failingSince: since?.seconds)
            var new = old.after(examined.proof, at: now.seconds)
            var isTaken = false
            if new.sends, !old.sends, try await !own(domain, account, on: connection) {
                (new, isTaken) = (old, true)
            }
            if old.sends, !new.sends { try await disown(domain, account, on: connection) }
            let wait = Self.seconds(until: new, examined.proof, age: now.seconds - createdAt.seconds)
            try await write(new, old, wait: wait, account, domain, on: connection)
            try await write(examined.findings, account, domain, on: connection)
            try await rotate(account, domain, published: examined.published, on: connection)
            if isTaken { return .taken }
            if old.state != new.state, let type = new.state.event {
                try await WebhookOutbox.append(
                    [.domain(type, domain, state: new.state.rawValue)], account: account, on: connection)
            }
            return old.state == new.state ? .none : .state(from: old.state, to: new.state)
        }
    }

    /// Takes domains whose time has come, and puts them off, so that no other node has them meanwhile.
    func claimDue(_ limit: Int) async throws -> [(account: AccountID, domain: DomainName)] {
        try await records.query(
            """
            UPDATE domains d SET next_check_at = clock_timestamp() + make_interval(secs => \(Self.claimSeconds))
            FROM (
                SELECT account_id, domain FROM domains WHERE next_check_at <= (SELECT clock_timestamp())
                ORDER BY next_check_at LIMIT \(Int32(limit)) FOR NO KEY UPDATE SKIP LOCKED) due
            WHERE d.account_id = due.account_id AND d.domain = due.domain
            RETURNING d.account_id, d.domain
            """
        ).map { row in
            let (account, domain) = try row.decode(Int64.self, String.self)
            return (AccountID(rawValue: account), try DomainName(domain))
        }
    }

    /// Domains that have stopped while campaigns were under way.
    package func pausing() async throws -> [(account: AccountID, domain: DomainName)] {
        try await records.query(
            "SELECT account_id, domain FROM domains WHERE pausing ORDER BY account_id, domain LIMIT 100"
        ).map { row in
            let (account, domain) = try row.decode(Int64.self, String.self)
            return (AccountID(rawValue: account), try DomainName(domain))
        }
    }

    /// Its campaigns are paused.
    package func paused(_ account: AccountID, _ domain: DomainName) async throws {
        try await records.query(
            """
            UPDATE domains SET pausing = false
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text) AND pausing
            """)
    }

    /// Longer than the longest look into the DNS. After that another node has the domain, if this one died.
    private static let claimSeconds = 300.0

    /// A domain that waits for its proof is asked for again once its waiting has doubled, so that who has just registered
    /// waits a minute.
    private static func seconds(until standing: DomainStanding, _ proof: DomainStanding.Proof, age: Int64) -> Double {
        let wait: Int64 =
            switch (standing.state, proof) {
            case (_, .unknown): 900
            case (.verified, _): 6 * 3_600
            case (.failing, _): 3_600
            case (.pending, _), (.stopped, _): min(max(age, 60), 86_400)
            }
        return Double(wait) * .random(in: 0.75...1.25)
    }

    private func own(
        _ domain: DomainName, _ account: AccountID, on connection: PostgresConnection
    ) async throws -> Bool {
        // Waits for another account's transaction that does the same.
        let owned = try await connection.query(
            """
            INSERT INTO domain_owners (domain, account_id) VALUES (\(domain.text), \(account.rawValue))
            ON CONFLICT (domain) DO NOTHING RETURNING domain
            """)
        if !owned.isEmpty { return true }
        return try await !connection.query(
            "SELECT FROM domain_owners WHERE domain = \(domain.text) AND account_id = \(account.rawValue)"
        ).isEmpty
    }

    private func disown(
        _ domain: DomainName, _ account: AccountID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            "DELETE FROM domain_owners WHERE domain = \(domain.text) AND account_id = \(account.rawValue)")
    }

    private func write(
        _ new: DomainStanding, _ old: DomainStanding, wait: Double, _ account: AccountID, _ domain: DomainName,
        on connection: PostgresConnection
    ) async throws {
        let since = new.failingSince.map { PostgresTimestamp(seconds: $0) }
        try await connection.query(
            """
            UPDATE domains SET state = \(new.state.rawValue), failing_since = \(since as PostgresTimestamp?),
                verified_at = CASE WHEN \(new.sends && !old.sends) THEN clock_timestamp() ELSE verified_at END,
                checked_at = clock_timestamp(), pausing = pausing OR \(old.sends && !new.sends),
                next_check_at = clock_timestamp() + make_interval(secs => \(wait))
            WHERE account_id = \(account.rawValue) AND domain = \(domain.text)
            """)
    }

    private func write(
        _ findings: [DomainFinding], _ account: AccountID, _ domain: DomainName, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            "DELETE FROM domain_findings WHERE account_id = \(account.rawValue) AND domain = \(domain.text)")
        try await connection.query(
            """
            INSERT INTO domain_findings (account_id, domain, purpose, name, state, seen, note)
            SELECT \(account.rawValue), \(domain.text), f.purpose, f.name, f.state, nullif(f.seen, ''), nullif(f.note, '')
            FROM unnest(
                \(findings.map(\.purpose)), \(findings.map(\.name)), \(findings.map(\.state.rawValue)),
                \(findings.map { $0.seen ?? "" }), \(findings.map { $0.note ?? "" })
            ) AS f (purpose, name, state, seen, note)
            """)
    }
}

extension DomainStanding.State {
    /// What is told of a domain that comes to it.
    fileprivate var event: WebhookEventType? {
        switch self {
        case .verified: .domainVerified
        case .failing, .stopped: .domainFailing
        case .pending: nil
        }
    }
}
