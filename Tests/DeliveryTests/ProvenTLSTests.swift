import Campaigns
import DNSResolution
import Foundation
import MailTypes
import NIOPosix
import Postgres
import SMTPTransport
import TLSPolicies
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// DANE and MTA-STS from end to end: a signed zone on a real name server, a resolver that validates, mail hosts that speak
/// TLS over sockets, and the whole engine in between. Each case is a domain `d.NAME.ZONE` with hosts of its own, all of
/// which are mailed in one campaign.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ProvenTLSTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    // MARK: Cases

    /// A host and what it is like.
    private enum Host {
        case tls(TestAuthority.Identity)
        case noTLS
        /// Offers STARTTLS and breaks off in the handshake; takes mail in plaintext.
        case broken
    }

    private enum End: String {
        case encrypted, plaintext
        /// No host has seen the mail.
        case waits
    }

    private struct Case {
        let name: String
        let zone: String
        /// By preference.
        let hosts: [Host]
        /// TLSA data for each host.
        var records: [String] = []
        /// Of the domain, with `HOST` for its mail host.
        var policy: String?
        /// Where its policy is looked for; nothing listens at others than 1.
        var policyHost = 1
        /// Texts of the signed zone that are changed after it was signed.
        var spoils: [(find: String, replace: String)] = []
        let end: End
        /// What reports will say went wrong.
        var failures: Set<TLSResultType> = []
        /// The host that has the mail.
        var winner = 0

        var domain: String { "d.\(name).\(zone)" }
        func host(_ index: Int) -> String { "mx\(index).\(name).\(zone)" }
    }

    private static let signed = "example"
    private static let plain = "plain"

    /// Of a certificate that no authority vouches for, as most servers under DANE have.
    private static func own() throws -> TestAuthority.Identity { try TestAuthority.selfSigned(["nobody.invalid"]) }

    private static func endEntity(_ identity: TestAuthority.Identity) -> String {
        identity.record(.endEntity, .publicKey, .sha256, at: 0).description
    }

    /// - Parameter level: of the certificate in the chain.
    private static func anchor(_ identity: TestAuthority.Identity, _ level: Int) -> String {
        identity.record(.trustAnchor, .certificate, .sha256, at: level).description
    }

    private static func spoil(_ record: String, _ old: String, _ new: String) -> (find: String, replace: String) {
        (record + old, record + new)
    }

    private func daneCases() throws -> [Case] {
        let (right, other) = (try Self.own(), try Self.own())
        let record = Self.endEntity(right)
        let wrong = Self.endEntity(other)
        func named(_ name: String) throws -> TestAuthority.Identity {
            try authority.identity([name], levels: 1, showsRoot: true)
        }
        let anchored = try named("mx0.ta-right.example")
        let elsewhere = try TestAuthority("Other").identity(showsRoot: true)
        let misnamed = try named("mx.elsewhere.invalid")
        // Usage 1 asks for an authority that a mail client shares with the server.
        let unusable = "1" + record.dropFirst()
        return [
            Case(name: "ee-right", zone: Self.signed, hosts: [.tls(right)], records: [record], end: .encrypted),
            Case(
                name: "ee-wrong", zone: Self.signed, hosts: [.tls(right)], records: [wrong], end: .waits,
                failures: [.validationFailure]),
            Case(
                name: "ee-next", zone: Self.signed, hosts: [.tls(other), .tls(right)], records: [record, record],
                end: .encrypted, failures: [.validationFailure], winner: 1),
            Case(
                name: "ta-right", zone: Self.signed, hosts: [.tls(anchored)], records: [Self.anchor(anchored, 1)],
                end: .encrypted),
            Case(
                name: "ta-wrong", zone: Self.signed, hosts: [.tls(try named("mx0.ta-wrong.example"))],
                records: [Self.anchor(elsewhere, 1)], end: .waits, failures: [.validationFailure]),
            Case(
                name: "ta-name", zone: Self.signed, hosts: [.tls(misnamed)], records: [Self.anchor(misnamed, 1)],
                end: .waits,
                failures: [.certificateHostMismatch]),
            Case(
                name: "unusable", zone: Self.signed, hosts: [.tls(other)], records: [unusable], end: .encrypted,
                failures: [.tlsaInvalid]),
            Case(
                name: "unusable-bare", zone: Self.signed, hosts: [.noTLS], records: [unusable], end: .waits,
                failures: [.startTLSNotSupported]),
            Case(
                name: "ee-bare", zone: Self.signed, hosts: [.noTLS], records: [record], end: .waits,
                failures: [.startTLSNotSupported]),
            Case(
                name: "ee-broken", zone: Self.signed, hosts: [.broken], records: [record], end: .waits,
                failures: [.validationFailure]),
            Case(
                name: "bogus-tlsa", zone: Self.signed, hosts: [.tls(right)], records: [record],
                spoils: [Self.spoil("_tcp.mx0.bogus-tlsa.example.\t60\tIN\tTLSA\t3 1 ", "1 ", "0 ")], end: .waits,
                failures: [.dnssecInvalid]),
            // Nobody knows whether these are the domain's hosts.
            Case(
                name: "bogus-mx", zone: Self.signed, hosts: [.tls(right)], records: [record],
                spoils: [Self.spoil("d.bogus-mx.example.\t60\tIN\tMX\t", "10 ", "11 ")], end: .waits),
            Case(name: "no-tlsa", zone: Self.signed, hosts: [.tls(right)], end: .encrypted),
            Case(
                name: "no-tlsa-bare", zone: Self.signed, hosts: [.noTLS], end: .plaintext,
                failures: [.startTLSNotSupported]),
            // Of an insecure zone the records prove nothing, be they right or wrong.
            Case(name: "insecure", zone: Self.plain, hosts: [.tls(right)], records: [wrong], end: .encrypted),
            Case(
                name: "insecure-bare", zone: Self.plain, hosts: [.noTLS], records: [wrong], end: .plaintext,
                failures: [.startTLSNotSupported]),
            Case(
                name: "insecure-broken", zone: Self.plain, hosts: [.broken], end: .plaintext,
                failures: [.validationFailure]),
        ]
    }

    private func policyCases() throws -> [Case] {
        func trusted(_ name: String) throws -> Host { .tls(try authority.identity(["mx0.\(name).plain"])) }
        func policy(_ mode: String, _ hosts: String = "HOST") -> String {
            "version: STSv1\nmode: \(mode)\nmx: \(hosts)\nmax_age: 86400\n"
        }
        let own = Host.tls(try Self.own())
        return [
            Case(
                name: "sts-right", zone: Self.plain, hosts: [try trusted("sts-right")], policy: policy("enforce"),
                end: .encrypted),
            Case(
                name: "sts-wrong", zone: Self.plain, hosts: [own], policy: policy("enforce"), end: .waits,
                failures: [.certificateNotTrusted]),
            Case(
                name: "sts-name", zone: Self.plain, hosts: [try trusted("sts-other")], policy: policy("enforce"),
                end: .waits, failures: [.certificateHostMismatch]),
            Case(
                name: "sts-mx", zone: Self.plain, hosts: [try trusted("sts-mx")],
                policy: policy("enforce", "mx.elsewhere.plain"), end: .waits, failures: [.validationFailure]),
            Case(
                name: "sts-bare", zone: Self.plain, hosts: [.noTLS], policy: policy("enforce"), end: .waits,
                failures: [.startTLSNotSupported]),
            Case(
                name: "sts-broken", zone: Self.plain, hosts: [.broken], policy: policy("enforce"), end: .waits,
                failures: [.validationFailure]),
            Case(
                name: "test-wrong", zone: Self.plain, hosts: [own], policy: policy("testing"), end: .encrypted,
                failures: [.certificateNotTrusted]),
            Case(
                name: "test-bare", zone: Self.plain, hosts: [.noTLS], policy: policy("testing"), end: .plaintext,
                failures: [.startTLSNotSupported]),
            Case(
                name: "test-mx", zone: Self.plain, hosts: [try trusted("test-mx")],
                policy: policy("testing", "mx.elsewhere.plain"), end: .encrypted, failures: [.validationFailure]),
            Case(
                name: "dead", zone: Self.plain, hosts: [own], policy: policy("enforce"), policyHost: 250,
                end: .encrypted, failures: [.stsPolicyFetchError]),
            // DANE wins, also where the policy would be content.
            Case(
                name: "both", zone: Self.signed, hosts: [.tls(try authority.identity(["mx0.both.example"]))],
                records: [Self.endEntity(try Self.own())], policy: policy("enforce"), end: .waits,
                failures: [.validationFailure]),
        ]
    }

    // MARK: The test

    @Test func `mail goes where what receivers publish is proven, and nowhere else`() async throws {
        guard let program = NameServer.program else { return print("skipped: nsd is not installed") }
        guard ZoneSigner.programs != nil else { return print("skipped: ldnsutils is not installed") }
        let cases = try daneCases() + policyCases()
        let world = try World(cases.flatMap(\.hosts))
        try await world.run { port in
            let server = try NameServer(
                program, zone: records(cases, Self.signed, port),
                signer: ZoneSigner(spoils: cases.flatMap(\.spoils)),
                others: [Self.plain: records(cases, Self.plain, port)])
            defer { server.stop() }
            try await check(cases, world, try await counts(of: cases, server, port))
        }
    }

    /// Mails all of them.
    ///
    /// - Returns: what reports will say.
    private func counts(
        of cases: [Case], _ server: NameServer, _ port: Int
    ) async throws -> [String: [TLSResults.Counts]] {
        var answer = PolicyServer.Answer()
        for one in cases { answer.bodies["mta-sts.\(one.domain)"] = one.policy?.replacing("HOST", with: one.host(0)) }
        let web = try await PolicyServer(
            try authority.identity(answer.bodies.keys.sorted()).serverContext(), answer)
        let fixture = try await DeliveryFixture.make()
        let engine = try engine(fixture, server, port: port, webPort: web.port)
        let running = RunningEngine(engine)
        let campaign = try await fixture.send(0, batchSize: 100, to: cases.map { "r@\($0.domain)" })
        let (sent, waiting) = (cases.count { $0.end != .waits }, cases.count { $0.end == .waits })
        do {
            try await eventually("each mail has gone or waits") {
                let counters = try await fixture.counters(campaign)
                return counters.delivered >= sent && counters.deferred >= waiting
            }
        } catch {
            Issue.record("\(try await fixture.counters(campaign))")
        }
        let counters = try await fixture.counters(campaign)
        #expect(counters.delivered == sent && counters.deferred == waiting && counters.bounced == 0)
        try await running.drain()
        try await web.close()
        return try await reports(fixture)
    }

    private func engine(
        _ fixture: DeliveryFixture, _ server: NameServer, port: Int, webPort: Int
    ) throws -> DeliveryEngine {
        #expect(server.trustAnchorFile != nil)
        var dns = ResolverConfiguration(forwarders: [server.server], timeout: .seconds(60))
        dns.trustAnchorFile = server.trustAnchorFile
        let resolver = try DNSResolution.Resolver(dns)
        var fetching = MTASTSFetcher.Configuration()
        fetching.port = webPort
        fetching.trustRootsFile = authority.rootsFile
        fetching.allowsPrivateAddresses = true
        let group = MultiThreadedEventLoopGroup.singleton
        let policies = TLSPolicyResolver(
            resolver: resolver,
            policies: MTASTSPolicies(
                resolver: resolver, fetcher: MTASTSFetcher(fetching, group: group, resolver: resolver)))
        let sender = try EmailAddress("reports@shop.example")
        return fixture.engine(port: port, resolver: resolver, tlsPolicies: policies) { configuration in
            configuration.smarthosts = []
            configuration.smtpPort = port
            configuration.allowsPrivateDestinations = true
            configuration.trustRootsFile = authority.rootsFile
            configuration.tlsReports = TLSReportSettings(sender: sender)
            // One attempt each.
            configuration.retry = RetrySchedule(baseSeconds: 3_600, maximumSeconds: 3_600)
        }
    }

    private func check(
        _ cases: [Case], _ world: World, _ reports: [String: [TLSResults.Counts]]
    ) async throws {
        let mails = world.mails
        var first = 0
        for one in cases {
            let seen = (0..<one.hosts.count).flatMap { index in
                (mails[first + index] ?? []).map { (host: index, isEncrypted: $0) }
            }
            first += one.hosts.count
            let end = seen.first.map { $0.isEncrypted ? End.encrypted : .plaintext } ?? .waits
            #expect(end == one.end && seen.count <= 1, "\(one.domain): \(end)")
            if let host = seen.first?.host { #expect(host == one.winner, "\(one.domain)") }
            let counts = reports[one.domain] ?? []
            let failures = Set(counts.flatMap { $0.failures.keys.map(\.type) })
            #expect(failures == one.failures, "\(one.domain): \(failures)")
            let successes = counts.reduce(0) { $0 + $1.successes }
            let failed = counts.reduce(0) { $0 + $1.failureCount }
            // What reports say of a session that went well is that it did, unless something is wrong with the policy.
            if one.failures.isEmpty && one.end != .waits { #expect(successes == 1 && failed == 0, "\(one.domain)") }
            if one.end == .waits { #expect(successes == 0, "\(one.domain): \(counts)") }
        }
    }

    private func reports(_ fixture: DeliveryFixture) async throws -> [String: [TLSResults.Counts]] {
        let rows = try await fixture.records.owner.query("SELECT domain, results FROM tls_reports")
        return try rows.reduce(into: [:]) { reports, row in
            let (domain, results) = try row.decode(String.self, [UInt8].self)
            let decoded = try TLSResults.Domain(
                domain: DomainName(domain), day: TLSResults.Day(Date()), decoding: results)
            reports[domain, default: []] += decoded.policies.values
        }
    }

    // MARK: The zones

    /// Hosts are numbered over all cases: the address of each ends in its number.
    private func records(_ cases: [Case], _ zone: String, _ port: Int) -> String {
        var lines: [String] = []
        var number = World.firstAddress
        for one in cases {
            for index in one.hosts.indices {
                defer { number += 1 }
                guard one.zone == zone else { continue }
                lines.append("d.\(one.name) MX \(10 * (index + 1)) mx\(index).\(one.name)")
                lines.append("mx\(index).\(one.name) A 127.0.0.\(number)")
                guard one.records.indices.contains(index) else { continue }
                lines.append("_\(port)._tcp.mx\(index).\(one.name) TLSA \(one.records[index])")
            }
            guard one.zone == zone, one.policy != nil else { continue }
            lines.append("_mta-sts.d.\(one.name) TXT \"v=STSv1; id=1\"")
            lines.append("mta-sts.d.\(one.name) A 127.0.0.\(one.policyHost)")
        }
        return lines.joined(separator: "\n")
    }

    // MARK: The hosts

    /// Mail hosts on one port, each on an address of its own.
    private final class World {
        static let firstAddress = 10
        private enum Server {
            case mail(MailServer)
            case hostile(HostileServer)
        }

        private let hosts: [Host]
        private let identities: [TLSIdentity?]
        private var servers: [Server] = []

        init(_ hosts: [Host]) throws {
            self.hosts = hosts
            identities = try hosts.map { host in
                if case .tls(let made) = host { try TLSIdentity(made) } else { nil }
            }
        }

        /// Whether each mail that a host has came encrypted.
        var mails: [Int: [Bool]] {
            Dictionary(
                uniqueKeysWithValues: servers.enumerated().map { index, server in
                    switch server {
                    case .mail(let server): (index, server.mails.map(\.wasEncrypted))
                    case .hostile(let server):
                        (index, [Bool](repeating: false, count: server.copies.values.reduce(0, +)))
                    }
                })
        }

        func run(_ body: (_ port: Int) async throws -> Void) async throws {
            try await run(from: 0, port: try Socket.freePort(), body)
        }

        private func run(from index: Int, port: Int, _ body: (_ port: Int) async throws -> Void) async throws {
            guard index < hosts.count else { return try await body(port) }
            let number = Self.firstAddress + index
            if case .broken = hosts[index] {
                let server = try HostileServer(on: UInt8(number), port: port) { session in
                    session.behave(offering: ["STARTTLS"]) { command in
                        guard command.hasPrefix("STARTTLS") else { return nil }
                        session.say("220 go on")
                        session.halfClose()
                        session.stall()
                        return nil
                    }
                }
                defer { server.stop() }
                servers.append(.hostile(server))
                return try await run(from: index + 1, port: port, body)
            }
            let server = MailServer(identity: identities[index])
            servers.append(.mail(server))
            try await server.run(on: "127.0.0.\(number)", port: port) { port in
                try await run(from: index + 1, port: port, body)
            }
        }
    }
}
