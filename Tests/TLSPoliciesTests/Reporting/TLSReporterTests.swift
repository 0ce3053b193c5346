import DNSResolution
import Foundation
import Logging
import MailSigning
import MailTypes
import NIOPosix
import Postgres
import SMTPProtocol
import SMTPTransport
import SendingDomains
import Synchronization
import TLSPolicies
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Testing

/// A fleet's reports on TLS, over real sockets and with a clock of the test's own.
struct TLSReporterTests {
    private static let day = TLSResults.Day(number: 20_000)
    private static let domain = try! DomainName("d.example")

    /// A fleet's database, with an account that sends from `shop.example`.
    private struct Fixture {
        let stores: Stores
        let account: AccountID

        var records: TestDatabase { stores.records }
        var domains: SendingDomains { stores.domains }
        var table: TLSReportTable { TLSReportTable(stores.records.pool) }

        static func make() async throws -> Fixture {
            let stores = try await Stores.open()
            let account = try await stores.account("shop", credits: 0)
            _ = try await stores.domains.add(account, DomainName("shop.example"), algorithms: [.ed25519SHA256])
            return Fixture(stores: stores, account: account)
        }
    }

    /// The clock, the DNS and the mail host that the nodes of a test share.
    private final class Surroundings: Sendable {
        let clock: Mutex<Date>
        let record: Mutex<Result<[String], DNSFailure>>
        let lookups = Mutex<[String]>([])
        let port: Int

        init(port: Int, record: String = "v=TLSRPTv1; rua=mailto:tls@d.example") {
            clock = Mutex(day.start.addingTimeInterval(3_600))
            self.record = Mutex(.success([record]))
            self.port = port
        }

        func advance(_ seconds: Double) { clock.withLock { $0 = $0.addingTimeInterval(seconds) } }
        func set(_ date: Date) { clock.withLock { $0 = date } }
        func publish(_ result: Result<[String], DNSFailure>) { record.withLock { $0 = result } }
    }

    private func node(
        _ fixture: Fixture, _ surroundings: Surroundings, sender: String = "reports@shop.example"
    ) throws -> (reporter: TLSReporter, results: TLSResults) {
        let results = TLSResults()
        let world = TLSReporter.World(
            texts: { name throws(DNSFailure) in
                surroundings.lookups.withLock { $0.append(name) }
                return try surroundings.record.withLock { $0 }.get()
            },
            targets: { _ throws(TLSReporter.NoRoute) in
                [SMTPTarget(host: "mx.d.example", address: .v4(0x7F00_0001), port: surroundings.port)]
            },
            signer: { domain in
                guard let account = try await fixture.domains.owner(of: domain) else { return nil }
                return try await fixture.domains.signer(account, domain)
            },
            client: SMTPClientConfiguration(heloName: "out.example.net"),
            upload: TLSReportUpload(group: MultiThreadedEventLoopGroup.singleton) { _ throws(DNSFailure) in
                [.v4(0x7F00_0001)]
            },
            group: MultiThreadedEventLoopGroup.singleton, now: { surroundings.clock.withLock { $0 } },
            delay: { 1_000 })
        let settings = TLSReportSettings(sender: try EmailAddress(sender), organization: "Shop Inc")
        let reporter = TLSReporter(settings, results, table: fixture.table, world: world, logger: .silent)
        return (reporter, results)
    }

    private static func count(_ results: TLSResults, _ successes: Int, failures: Int = 0, day: TLSResults.Day = day) {
        for _ in 0..<successes { results.count(nil, of: domain, .none, at: day.start) }
        let failure = TLSResults.Failure(.startTLSNotSupported, receivingHost: "mx.d.example")
        for _ in 0..<failures { results.count(failure, of: domain, .none, at: day.end) }
    }

    /// Successes and failures that a report tells of.
    private static func summary(of mail: MailServer.Mail) throws -> [String: Int] {
        let parts = mail.content.components(separatedBy: "\r\n\r\n")
        let encoded = try #require(parts.dropFirst(3).first).prefix { $0 != "-" }
        let packed = try #require(Data(base64Encoded: String(encoded), options: .ignoreUnknownCharacters))
        let file = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID().uuidString).gz")
        try packed.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/gzip")
        process.arguments = ["-dc", file.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        struct Report: Decodable {
            struct Policy: Decodable { let summary: [String: Int] }
            let policies: [Policy]
        }
        return try #require(try JSONDecoder().decode(Report.self, from: data).policies.first).summary
    }

    private func rows(_ fixture: Fixture) async throws -> Int64 {
        try await fixture.records.owner.query("SELECT count(*) FROM tls_reports WHERE results IS NOT NULL").only
            .decode(Int64.self)
    }

    // MARK: A fleet

    @Test func `a fleet sends one signed report a domain and day, with the counts of all nodes`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer()
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            // What libopendkim can check.
            _ = try await fixture.domains.add(fixture.account, DomainName("rsa.example"))
            let first = try node(fixture, surroundings, sender: "reports@rsa.example")
            let second = try node(fixture, surroundings, sender: "reports@rsa.example")
            Self.count(first.results, 3, failures: 1)
            await first.reporter.flush()
            Self.count(first.results, 4)
            Self.count(second.results, 10, failures: 2)
            await first.reporter.flush()
            await second.reporter.flush()
            #expect(surroundings.lookups.withLock { $0 } == ["_smtp._tls.d.example", "_smtp._tls.d.example"])
            // The day is not over, nor is the time for late counts.
            surroundings.set(Self.day.end.addingTimeInterval(900))
            await first.reporter.sendDue()
            #expect(server.mails.isEmpty)
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            async let one: Void = first.reporter.sendDue()
            async let two: Void = second.reporter.sendDue()
            _ = await (one, two)
            #expect(server.copies == ["tls@d.example": 1])
            let mail = try #require(server.mails.first)
            #expect(mail.reversePath == "reports@rsa.example")
            #expect(
                try Self.summary(of: mail)
                    == ["total-successful-session-count": 17, "total-failure-session-count": 3])
            for field in [
                "TLS-Report-Domain: d.example", "TLS-Report-Submitter: rsa.example", "TLS-Required: No",
                "From: reports@rsa.example", "To: tls@d.example",
                "filename=\"rsa.example!d.example!1728000000!1728086399!",
            ] {
                let found = mail.content.contains(field)
                #expect(found, "\(field)")
            }
            let listed = try await fixture.domains.get(fixture.account, DomainName("rsa.example"))
            let verifier = try DKIMVerifier(
                keys: Dictionary(
                    uniqueKeysWithValues: listed.keys.map { ("\($0.selector)._domainkey.rsa.example", $0.record) }))
            let verification = try verifier.verify(Array(mail.content.utf8))
            let verdicts = verification.signatures.map(\.result)
            #expect(verdicts == [.pass])
            // What comes later is not reported a second time, and the counts are gone.
            Self.count(second.results, 5)
            await second.reporter.flush()
            surroundings.advance(86_400)
            await second.reporter.sendDue()
            #expect(server.mails.count == 1)
            #expect(try await rows(fixture) == 0)
            surroundings.advance(86_400 * 5)
            await second.reporter.sendDue()
            let left = try await fixture.records.owner.query("SELECT count(*) FROM tls_reports").only.decode(Int64.self)
            #expect(left == 0)
        }
    }

    @Test func `of two reporters one sends, also where the first dies half-way`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer()
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            let survivor = try node(fixture, surroundings)
            Self.count(survivor.results, 1)
            await survivor.reporter.flush()
            surroundings.set(Self.day.end.addingTimeInterval(2_000))
            let now = Int64(surroundings.clock.withLock { $0 }.timeIntervalSince1970)
            let lost = try #require(try await fixture.table.claim(at: now, leaseSeconds: 1_800))
            await survivor.reporter.sendDue()
            #expect(server.mails.isEmpty, "somebody else is at it")
            surroundings.advance(1_801)
            await survivor.reporter.sendDue()
            #expect(server.copies == ["tls@d.example": 1])
            // The first comes back to life: what it says counts no more.
            try await fixture.table.conclude(lost, sentTo: [], nextAt: now)
            surroundings.advance(86_400)
            await survivor.reporter.sendDue()
            #expect(server.mails.count == 1)
        }
    }

    // MARK: Failures

    @Test func `a report that is refused for now is tried again under its name, for a day`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer { _, _ in .content(SMTPReply(451, nil, "later")) }
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            let node = try node(fixture, surroundings)
            Self.count(node.results, 1)
            await node.reporter.flush()
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            var spent = 0.0
            while spent < 100_000 {
                await node.reporter.sendDue()
                surroundings.advance(300)
                spent += 300
            }
            // Every quarter of an hour at first, then seldom; then no more.
            #expect((8...14).contains(server.mails.count), "\(server.mails.count)")
            let names = Set(server.mails.map(\.messageID))
            #expect(names.count == 1)
            #expect(try await rows(fixture) == 0)
        }
    }

    @Test func `one that is refused for good is not`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer { _, _ in .recipient(SMTPReply(550, nil, "no")) }
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            let node = try node(fixture, surroundings)
            Self.count(node.results, 1)
            await node.reporter.flush()
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            await node.reporter.sendDue()
            surroundings.advance(20_000)
            await node.reporter.sendDue()
            #expect(server.attempts == ["tls@d.example": 1])
        }
    }

    @Test func `an address that has the report does not get it again because another fails`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer { address, attempt in
            address == "b@d.example" && attempt < 3 ? .recipient(SMTPReply(450, nil, "later")) : .accept
        }
        try await server.run { port in
            // The web server's address is private: refused, and no reason to try again.
            let surroundings = Surroundings(
                port: port, record: "v=TLSRPTv1; rua=mailto:a@d.example,https://d.example:\(port)/x,mailto:b@d.example")
            let node = try node(fixture, surroundings)
            Self.count(node.results, 1)
            await node.reporter.flush()
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            for _ in 0..<6 {
                await node.reporter.sendDue()
                surroundings.advance(5_000)
            }
            #expect(server.attempts == ["a@d.example": 1, "b@d.example": 3])
            #expect(server.copies == ["a@d.example": 1, "b@d.example": 1])
        }
    }

    @Test func `who asks for no report gets none, and nothing is kept`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer()
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            let node = try node(fixture, surroundings)
            surroundings.publish(.success([]))
            Self.count(node.results, 1)
            await node.reporter.flush()
            #expect(try await rows(fixture) == 0)
            // A name server that does not answer is no such word.
            surroundings.advance(86_400)
            surroundings.publish(.failure(.temporary(.timeout)))
            Self.count(node.results, 1)
            await node.reporter.flush()
            #expect(try await rows(fixture) == 1)
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            await node.reporter.sendDue()
            #expect(try await rows(fixture) == 1)
            // By now the record is gone.
            surroundings.publish(.failure(.permanent(.noSuchDomain)))
            surroundings.advance(1_000)
            await node.reporter.sendDue()
            #expect(try await rows(fixture) == 0)
            #expect(server.mails.isEmpty)
        }
    }

    @Test func `without a key nothing leaves unsigned`() async throws {
        let fixture = try await Fixture.make()
        let server = MailServer()
        try await server.run { port in
            let surroundings = Surroundings(port: port)
            let node = try node(fixture, surroundings, sender: "reports@elsewhere.example")
            Self.count(node.results, 1)
            await node.reporter.flush()
            surroundings.set(Self.day.end.addingTimeInterval(1_001))
            await node.reporter.sendDue()
            #expect(server.attempts.isEmpty)
            #expect(try await rows(fixture) == 1)
        }
    }

    @Test func `a node that ends keeps its counts without asking anybody`() async throws {
        let fixture = try await Fixture.make()
        let surroundings = Surroundings(port: 1)
        let node = try node(fixture, surroundings)
        Self.count(node.results, 2)
        await node.reporter.flush(looksUp: false)
        #expect(try await rows(fixture) == 1)
        #expect(surroundings.lookups.withLock { $0 } == [])
    }

    @Test func `counts that the database does not take are kept`() async throws {
        let fixture = try await Fixture.make()
        let node = try node(fixture, Surroundings(port: 1))
        Self.count(node.results, 2)
        try await fixture.records.owner.query("ALTER TABLE tls_reports RENAME TO away")
        await node.reporter.flush()
        try await fixture.records.owner.query("ALTER TABLE away RENAME TO tls_reports")
        Self.count(node.results, 1)
        let kept = node.results.takeAll()
        #expect(kept.first?.policies[TLSPolicySource.none]?.successes == 3)
    }
}
