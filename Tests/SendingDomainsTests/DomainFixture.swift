import Campaigns
import DNSResolution
import MailMessage
import MailSigning
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Testing

/// Two accounts over fresh databases, whose domains the DNS has to prove.
struct DomainFixture: Sendable {
    let stores: Stores
    let account: AccountID
    let other: AccountID

    var domains: SendingDomains { stores.domains }
    var owner: PostgresPool { stores.records.owner }

    static func make() async throws -> DomainFixture {
        let stores = try await Stores.open(trustsDomains: false)
        return DomainFixture(
            stores: stores, account: try await stores.account("first", credits: 100),
            other: try await stores.account("second", credits: 100))
    }

    func add(_ name: String, of account: AccountID? = nil, selector: String? = nil) async throws -> SendingDomain {
        try await domains.add(
            account ?? self.account, DomainName(name), selector: selector, algorithms: [.ed25519SHA256])
    }

    func state(_ name: String, of account: AccountID? = nil) async throws -> DomainStanding.State {
        try await domains.get(account ?? self.account, DomainName(name)).standing.state
    }

    /// Lets the time pass for all domains.
    func pass(hours: Int32) async throws {
        try await owner.query(
            """
            UPDATE domains SET failing_since = failing_since - make_interval(hours => \(hours)),
                next_check_at = next_check_at - make_interval(hours => \(hours)),
                created_at = created_at - make_interval(hours => \(hours))
            """)
    }

    /// A verifier that asks this server alone.
    func verifier(_ server: DNSServer, timeout: Duration = .seconds(20)) throws -> DomainVerifier {
        var dns = ResolverConfiguration(forwarders: [server], timeout: timeout)
        dns.longestKept = 0
        return DomainVerifier(
            domains: domains, examiner: DomainExaminer(resolver: try Resolver(dns)), logger: .silent)
    }

    /// Runs `body` with a verifier that asks a name server with these records of `example.`; nil leaves it without an answer.
    func with(_ zone: String?, _ body: (DomainVerifier) async throws -> Void) async throws {
        guard let zone else {
            return try await body(try verifier(DNSServer("127.0.0.1:9")!, timeout: .milliseconds(200)))
        }
        guard let program = NameServer.program else { return print("skipped: nsd is not installed") }
        let server = try NameServer(program, zone: zone)
        defer { server.stop() }
        try await body(try verifier(server.server))
    }

    /// A campaign of two recipients, on its way.
    func send(from name: String, of account: AccountID? = nil) async throws -> CampaignID {
        let account = account ?? self.account
        let campaign = try await draft(from: name, of: account)
        _ = try await stores.campaigns.send(account, campaign.id)
        return campaign.id
    }

    func draft(from name: String, of account: AccountID? = nil) async throws -> Campaign {
        let account = account ?? self.account
        let content = MessageContent(
            from: try Mailbox(name: "Shop", address: EmailAddress("news@\(name)")), subject: "Hello", text: "Hello.")
        let campaign = try await stores.campaigns.create(account, CampaignRequest(content: content))
        let lines = AsyncStream { continuation in
            continuation.yield(Array("{\"email\": \"a@example.org\"}\n{\"email\": \"b@example.org\"}\n".utf8))
            continuation.finish()
        }
        _ = try await stores.campaigns.importRecipients(account, campaign.id, format: .ndjson, source: lines)
        return campaign
    }
}

extension SendingDomain {
    /// Its key and return path, in a zone file of `example.`
    var zone: String {
        records.filter { $0.purpose == .dkim || $0.purpose == .returnPath }.map(\.zoneFileLine).joined(separator: "\n")
            + "\n"
    }

    /// What proves it alone.
    var challengeZone: String { "\(challenge.name). 60 IN TXT \"\(challenge.value)\"\n" }

    func found(_ purpose: String) -> DomainFinding? { findings.first { $0.purpose == purpose } }
}

func code(_ body: () async throws -> some Any) async -> String? {
    do {
        _ = try await body()
        return nil
    } catch let error as SendingDomainError {
        return error.code.rawValue
    } catch let error as CampaignError {
        return error.code.name
    } catch {
        return "\(error)"
    }
}
