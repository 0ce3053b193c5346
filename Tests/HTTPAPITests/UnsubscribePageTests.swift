import HTTPTypes
import MailTypes
import Testing
import Vault

@testable import HTTPAPI

/// The pages behind List-Unsubscribe, as people and mailbox providers meet them.
@Suite struct UnsubscribePageTests {
    private static func token(
        _ fixture: APIFixture, _ customer: Customer, _ campaign: String, _ address: String
    ) async throws -> String {
        let keys = try await fixture.vault.accountKeys(customer.account)
        return RecipientToken(
            account: customer.account, campaign: try #require(CampaignID(campaign)),
            fingerprint: keys.fingerprinter.fingerprint(try EmailAddress(address))
        ).text(signedWith: keys)
    }

    @Test func `the page names the sender in the reader's language, also after the purge`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.sent(1)
            let token = try await Self.token(fixture, customer, id, "person0@example.org")
            try await fixture.deliver(id, of: customer.account)
            #expect(try await api.get("/v1/campaigns/\(id)").json["purged_at"].string != nil)
            try await fixture.withAPI { visitor in
                let german = try await visitor.call(
                    .get, "/u/\(token)", headers: ["Accept-Language": "xx, de-AT;q=0.9, en;q=0.8"])
                #expect(german.headers[.contentLanguage] == "de")
                #expect(german.text.contains(#"<html lang="de"><head>"#))
                #expect(german.text.contains("<h1>Abmelden</h1>"))
                #expect(german.text.contains(#"<bdi dir="ltr">shop.example</bdi>"#))
                #expect(german.text.contains(#"<button type="submit">Abmelden</button>"#))
                let arabic = try await visitor.call(.get, "/u/\(token)", headers: ["Accept-Language": "ar"])
                #expect(arabic.text.contains(#"<html lang="ar" dir="rtl">"#))
                let done = try await visitor.call(
                    .post, "/u/\(token)", body: "List-Unsubscribe=One-Click",
                    type: "application/x-www-form-urlencoded", headers: ["Accept-Language": "fr"])
                #expect(done.status == 200 && done.text.contains("Vous êtes désabonné"))
            }
            let found = try await api.get("/v1/suppressions?address=person0@example.org").json["data"]
            #expect(found[0]["reason"] == "unsubscribe")
        }
    }

    @Test func `a page carries no cookie and no script, and is neither indexed nor framed nor named to others`()
        async throws
    {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let token = try await Self.token(fixture, customer, "cmp_0000000000007", "ada@example.org")
            try await fixture.withAPI { visitor in
                for page in [
                    try await visitor.get("/u/\(token)"), try await visitor.post("/u/\(token)"),
                    try await visitor.get("/u/none"),
                ] {
                    page.expectHeaders()
                    #expect(page.headers[HTTPField.Name("X-Robots-Tag")!] == "noindex, nofollow")
                    #expect(page.headers[.setCookie] == nil)
                    #expect(page.headers[.vary] == "Accept-Language")
                    let policy = page.headers[.contentSecurityPolicy] ?? ""
                    #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
                    #expect(policy.contains("form-action 'self'; base-uri 'none'; frame-ancestors 'none'"))
                    #expect(!page.text.lowercased().contains("<script") && !page.text.contains("http"))
                }
            }
        }
    }

    @Test func `every language says all, and names the sender once in each sentence`() {
        #expect(UnsubscribeWords.all.count >= 12)
        for (tag, words) in UnsubscribeWords.all {
            for text in [
                words.ask, words.question, words.done, words.confirmation, words.broken, words.brokenHelp, words.busy,
                words.busyHelp,
            ] {
                #expect(!text.isEmpty && !text.contains("<"), "\(tag)")
            }
            for sentence in [words.question, words.confirmation] {
                #expect(sentence.count { $0 == "%" } == 1, "\(tag): \(sentence)")
            }
            let page = UnsubscribePage(.ask, from: "a<b.example", for: AcceptLanguage(tag))
            #expect(page.tag == tag)
            #expect(page.html.contains("a&lt;b.example") && !page.html.contains("a<b"))
        }
    }

    @Test(arguments: [
        ("", "en"), ("de", "de"), ("DE-ch", "de"), ("fr;q=0.1, es;q=0.2", "es"), ("fr;q=0, en", "en"), ("xx", "en"),
        ("pt-BR, pt;q=0.5", "pt-BR"), ("pt-AO", "pt"), ("no", "nb"), ("nn-NO", "nb"), ("zh-Hant-TW", "zh"), ("*", "en"),
        ("it;q=x, ja", "ja"), (",,;q=1,  sv ;q=0.3", "sv"), ("de;q=2, fr", "fr"), ("\u{0}, fi", "fi"),
        (String(repeating: "a", count: 100_000) + ", de", "en"),
    ]) func `the language is the best one that the reader asks for`(field: String, tag: String) {
        #expect(UnsubscribeWords.best(for: AcceptLanguage(field)).tag == tag)
    }

    @Test func `a network that guesses is held back, others are not`() {
        let pace = NetworkPace(burst: 10, perSecond: 1, mostNetworks: 3)
        let one = ClientNetwork(IPAddress("192.0.2.1"))
        let two = ClientNetwork(IPAddress("192.0.2.2"))
        let start = ContinuousClock.now
        #expect(pace.bears(10, from: one, at: start))
        // The last one takes what is left, though that is less.
        for _ in 0..<3 { pace.charge(4, to: one, at: start) }
        #expect(!pace.bears(1, from: one, at: start))
        #expect(pace.bears(10, from: two, at: start) && pace.bears(10, from: ClientNetwork(nil), at: start))
        let later = start + .seconds(1.5)
        #expect(pace.bears(1, from: one, at: later) && !pace.bears(2, from: one, at: later))
        // More networks than are kept: nobody is refused for that.
        for number in 10..<20 {
            let network = ClientNetwork(IPAddress("192.0.2.\(number)"))
            #expect(pace.bears(10, from: network, at: later))
            pace.charge(4, to: network, at: later)
        }
    }

    @Test func `an IPv4 address is a network, and half of an IPv6 address`() {
        func network(_ address: String) -> ClientNetwork { ClientNetwork(IPAddress(address)) }
        #expect(network("::ffff:203.0.113.9") == network("203.0.113.9"))
        #expect(network("203.0.113.8") != network("203.0.113.9"))
        #expect(network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9"))
        #expect(network("2001:db8:1:2::1") != network("2001:db8:1:3::1"))
        #expect(ClientNetwork(nil) != network("0.0.0.0"))
    }

    @Test func `who tries too many broken links gets a page that says so`() async throws {
        try await APIFixture.withCustomer { fixture, _, _ in
            try await fixture.withAPI { visitor in
                #expect(try await visitor.get("/u/none").status == 404)
                var page = try await visitor.get("/u/none")
                for _ in 0..<100 where page.status == 404 { page = try await visitor.get("/u/none") }
                #expect(page.status == 429)
                #expect(page.headers[.retryAfter] == "60")
                #expect(page.text.contains("<h1>Please try again in a minute</h1>"))
            }
        }
    }
}
