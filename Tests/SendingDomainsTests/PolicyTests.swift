import MailTypes
import SendingDomains
import TestSupport
import Testing

/// SPF and DMARC as receivers find them: advice, and no bar to sending.
@Suite struct PolicyTests {
    @Test(arguments: [
        ("v=spf1 mx -all", DomainFinding.State.found, ""), ("v=spf1 a mx ~all", .found, ""),
        ("v=spf1 include:other.example -all", .found, "not followed"), ("v=spf1 -all", .wrong, "it lacks mx"),
        ("v=spf1 mx +all", .wrong, "everybody"), ("spf1 mx", .missing, "none is of SPF"),
        ("v=spf1 mx -all\" \nbounce.shop TXT \"v=spf1 a -all", .wrong, "2 SPF records"),
    ])
    func `SPF of the return path`(_ record: String, _ state: DomainFinding.State, _ note: String) async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        try await fixture.with("bounce.shop TXT \"\(record)\"\n" + domain.challengeZone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.sends)
            #expect(seen.found("spf")?.state == state)
            let told = seen.found("spf")?.note ?? ""
            #expect(told.contains(note), "\(told)")
        }
    }

    @Test(arguments: [
        ("_dmarc.news.shop TXT \"v=DMARC1; p=reject\"", DomainFinding.State.found, "policy reject; DKIM aligns"),
        ("_dmarc.news.shop TXT \"v=DMARC1; p=none; aspf=s\"", .found, "SPF does not align"),
        (
            "_dmarc.shop TXT \"v=DMARC1; p=none; sp=quarantine\"", .found,
            "policy quarantine, by the record of shop.example"
        ),
        ("_dmarc.shop TXT \"v=DMARC1; p=reject\"", .found, "policy reject, by the record of shop.example"),
        ("_dmarc.news.shop TXT \"v=DMARC1; rua=mailto:a@shop.example\"", .wrong, "no policy"),
        ("_dmarc.news.shop TXT \"v=DMARC1; p=none\"\n_dmarc.news.shop TXT \"v=DMARC1; p=reject\"", .missing, "refuse"),
        ("", .missing, "refuse"),
    ])
    func `DMARC of the domain or of its organisation`(
        _ zone: String, _ state: DomainFinding.State, _ note: String
    ) async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("news.shop.example")
        try await fixture.with(zone + "\n" + domain.challengeZone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.sends)
            #expect(seen.found("dmarc")?.state == state)
            let told = seen.found("dmarc")?.note ?? ""
            #expect(told.contains(note), "\(told)")
        }
    }
}
