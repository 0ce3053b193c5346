import MailMessage
import MailTypes
import Postgres
import SendingDomains
import Testing

/// Reports of receivers, kept with the domain that they tell of.
@Suite struct DomainReportTests {
    private static func report(_ id: String, domain: String = "shop.example", count: Int = 3) throws -> AggregateReport
    {
        let xml = """
            <feedback><report_metadata><org_name>R</org_name><report_id>\(id)</report_id>
            <date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
            <policy_published><domain>\(domain)</domain></policy_published>
            <record><row><source_ip>192.0.2.1</source_ip><count>\(count)</count><policy_evaluated>
            <disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row></record></feedback>
            """
        return try #require(AggregateReport(file: Array(xml.utf8)))
    }

    /// As if the DNS had proven it.
    private static func prove(_ domain: String, _ fixture: DomainFixture) async throws {
        try await fixture.owner.query(
            "INSERT INTO domain_owners (domain, account_id) VALUES (\(domain), \(fixture.account.rawValue))")
    }

    @Test func `a report is kept once, for the account that has proven the domain`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try DomainName("shop.example")
        _ = try await fixture.add("shop.example")
        _ = try await fixture.add("shop.example", of: fixture.other)
        #expect(try await fixture.domains.take(Self.report("1")) == .unknownDomain)
        try await Self.prove("shop.example", fixture)
        #expect(try await fixture.domains.take(Self.report("1")) == .kept)
        #expect(try await fixture.domains.take(Self.report("1", count: 9)) == .repeated)
        #expect(try await fixture.domains.take(Self.report("2")) == .kept)
        #expect(try await fixture.domains.take(Self.report("1", domain: "other.example")) == .unknownDomain)

        let found = try await fixture.domains.reports(fixture.account, domain)
        #expect(found.map(\.id) == ["2", "1"])
        #expect(
            found[1].rows == [.init(source: "192.0.2.1", count: 3, isGood: true, detail: "none dkim=pass spf=pass")])
        #expect(found[1].good == 3 && found[1].bad == 0 && found[1].begin == 1_700_000_000)
        #expect(try await fixture.domains.reports(fixture.account, domain, .tls) == [])
        #expect(
            try await fixture.domains.reports(fixture.account, domain, .dmarc, before: found[0].number).map(\.id) == [
                "1"
            ])
        #expect(try await fixture.domains.reports(fixture.other, domain) == [])
        await #expect(throws: SendingDomainError.self) {
            try await fixture.domains.reports(fixture.account, DomainName("other.example"))
        }
    }

    @Test func `more reports than a day has are refused, and drive out none`() async throws {
        let fixture = try await DomainFixture.make()
        _ = try await fixture.add("shop.example")
        try await Self.prove("shop.example", fixture)
        for number in 1...DomainReportLimits.reportsOfDay {
            #expect(try await fixture.domains.take(Self.report("\(number)")) == .kept)
        }
        #expect(try await fixture.domains.take(Self.report("late")) == .tooMany)
        #expect(try await fixture.domains.take(Self.report("1")) == .repeated)
        let kept = try await fixture.domains.reports(fixture.account, DomainName("shop.example"))
        #expect(kept.map(\.id) == (1...DomainReportLimits.reportsOfDay).reversed().map { "\($0)" })
        try await fixture.owner.query("UPDATE domain_reports SET received_at = received_at - interval '25 hours'")
        #expect(try await fixture.domains.take(Self.report("late")) == .kept)
    }

    @Test func `old reports go, and new ones take their room`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try DomainName("shop.example")
        _ = try await fixture.add("shop.example")
        try await Self.prove("shop.example", fixture)
        _ = try await fixture.domains.take(Self.report("first"))
        try await fixture.owner.query(
            """
            INSERT INTO domain_reports (
                account_id, domain, kind, organization, report_id, begins_at, ends_at, good, bad, sources, counts, goods,
                details, received_at)
            SELECT account_id, domain, kind, organization, 'flood ' || n, begins_at, ends_at, 0, 0, '{}', '{}', '{}',
                '{}', received_at - interval '2 days'
            FROM domain_reports, generate_series(1, \(Int32(DomainReportLimits.reports - 1))) AS n
            """)
        #expect(try await fixture.domains.take(Self.report("last")) == .kept)
        let count = try await fixture.owner.query("SELECT count(*) FROM domain_reports").only.decode(Int64.self)
        #expect(count == Int64(DomainReportLimits.reports))
        #expect(try await fixture.domains.reports(fixture.account, domain, limit: 1).map(\.id) == ["last"])
        let first = try await fixture.owner.query("SELECT count(*) FROM domain_reports WHERE report_id = 'first'")
        #expect(try first.only.decode(Int64.self) == 0)
        #expect(try await fixture.domains.sweepReports() == 0)
        try await fixture.owner.query("UPDATE domain_reports SET received_at = received_at - interval '91 days'")
        #expect(try await fixture.domains.sweepReports() == DomainReportLimits.reports)
    }
}
