import Feedback
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import InboundMail

/// What mail to `b-…`, `u-…` and `fbl` leads to.
struct ReturnPathTests {
    @Test func `a bounce is committed before it is answered, about the token's recipient`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            // The mail was passed on: the report names somebody else.
            let mail = SampleMail.report(of: "jane.elsewhere@other.example")
            #expect(try fixture.deliver(mail, to: "b-\(token)@bounce.shop.example") == 250)
            let found = try #require(try await fixture.suppression("jane@example.org"))
            #expect(found.reason == .hardBounce && found.origin == .feedback)
            #expect(try await fixture.suppression("jane.elsewhere@other.example") == nil)
            #expect(try fixture.deliver(mail, to: "b-\(token)@bounce.shop.example") == 250, "again")
            #expect(try await fixture.facts() == [FeedbackFact.hardBounce.rawValue])
            let counts = fixture.server.counts
            #expect(counts.kinds == ["bounce": 2] && counts.facts == [.hardBounce: 2] && counts.newFacts == 1)
        }
    }

    @Test func `receivers may write the address in other letters`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let address = "B-\(token.uppercased())@BOUNCE.Shop.Example"
            #expect(try fixture.deliver(SampleMail.report(), to: address) == 250)
            #expect(try await fixture.suppression("jane@example.org") != nil)
        }
    }

    @Test(arguments: [
        ("failed", "5.2.2", [FeedbackFact.softBounce]), ("failed", "4.4.7", [.softBounce]),
        ("delayed", "4.4.1", [.delay]), ("delivered", "2.0.0", []),
    ])
    func `what is not final for the address suppresses nobody`(
        action: String, status: String, facts: [FeedbackFact]
    ) async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let mail = SampleMail.report(action: action, status: status)
            #expect(try fixture.deliver(mail, to: "b-\(token)@bounce.shop.example") == 250)
            #expect(try await fixture.facts() == facts.map(\.rawValue))
            #expect(try await fixture.suppression("jane@example.org") == nil)
        }
    }

    @Test(arguments: [
        "Subject: Out of office\nAuto-Submitted: auto-replied\n\nI am away until Monday.",
        "Subject: Re: Offer\nFrom: jane@example.org\n\nThank you! I have ordered two.",
        "Subject: Please confirm your mail\nAuto-Submitted: auto-replied\n\nTo deliver your message, click here to confirm.",
        "Subject: x\n\n", "\n", "no header at all",
    ])
    func `answers, challenges and letters at the return path suppress nobody`(mail: String) async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            for sender in ["", "jane@example.org"] {
                #expect(try fixture.deliver(mail, to: "b-\(token)@bounce.shop.example", from: sender) == 250)
            }
            #expect(try await fixture.facts().isEmpty)
            #expect(try await fixture.suppression("jane@example.org") == nil)
        }
    }

    @Test func `a complaint at the loop's address is believed for its token alone`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("kim@example.org")
            // It names Jane, and holds Kim's token.
            let mail = SampleMail.complaint("CFBL-Feedback-ID: \(token)")
            #expect(try fixture.deliver(mail, to: "fbl@bounce.shop.example", from: "loop@provider.example") == 250)
            #expect(try await fixture.suppression("kim@example.org")?.reason == .complaint)
            #expect(try await fixture.suppression("jane@example.org") == nil)

            let unknown = SampleMail.complaint("Message-ID: <1@other.example>\nTo: jane@example.org")
            #expect(try fixture.deliver(unknown, to: "fbl@bounce.shop.example") == 250, "a mail that we never sent")
            let forged = SampleMail.complaint("Message-ID: <\(token.dropLast())q@shop.example>")
            if !token.hasSuffix("q") { #expect(try fixture.deliver(forged, to: "fbl@bounce.shop.example") == 250) }
            #expect(try await fixture.facts() == [FeedbackFact.complaint.rawValue])
            #expect(fixture.server.counts.unattributed >= 1)
        }
    }

    @Test func `a report counts at the provider whose domain it comes from, else at the recipient's`() async throws {
        try await InboundFixture.with { fixture in
            try await fixture.delivered(10, at: "yahoo")
            try await fixture.delivered(20, at: "org")
            let (jane, kim) = (try await fixture.token("jane@example.org"), try await fixture.token("kim@example.org"))
            let fromYahoo = SampleMail.complaint("CFBL-Feedback-ID: \(jane)")
                .replacing("loop@provider.example", with: "Loop <feedback@arf.yahoo.example>")
            #expect(try fixture.deliver(fromYahoo, to: "fbl@bounce.shop.example") == 250)
            // Nobody knows mx.example, and the report names jane@example.org.
            #expect(try fixture.deliver(SampleMail.report(), to: "b-\(kim)@bounce.shop.example") == 250)
            let found = try await fixture.stores.records.pool.withConnection {
                try await ProviderHours.sums(of: nil, hours: 24, on: $0)
            }
            #expect(found.map(\.provider) == ["org", "yahoo"])
            #expect(
                found.map(\.counts) == [.init(delivered: 20, hardBounces: 1), .init(delivered: 10, complaints: 1)])
        }
    }

    @Test func `a bounce at the loop's address is not believed`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let mail = SampleMail.report().replacing("Subject: Offer", with: "Message-ID: <\(token)@shop.example>")
            #expect(try fixture.deliver(mail, to: "fbl@bounce.shop.example") == 250)
            #expect(try await fixture.facts().isEmpty)
        }
    }

    @Test func `a complaint at the return path is about its recipient, not about the one inside`() async throws {
        try await InboundFixture.with { fixture in
            let (jane, kim) = (try await fixture.token("jane@example.org"), try await fixture.token("kim@example.org"))
            let mail = SampleMail.complaint("Message-ID: <\(kim)@shop.example>")
            #expect(try fixture.deliver(mail, to: "b-\(jane)@bounce.shop.example", "fbl@bounce.shop.example") == 250)
            #expect(try await fixture.suppression("jane@example.org")?.reason == .complaint)
            #expect(try await fixture.suppression("kim@example.org") == nil)
        }
    }

    @Test func `a mail to the unsubscribe address is an unsubscribe, also after years`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org", made: 1_600_000_000_000)
            let mail = "Subject: unsubscribe\n\n"
            #expect(try fixture.deliver(mail, to: "u-\(token)@bounce.shop.example", from: "jane@example.org") == 250)
            let found = try #require(try await fixture.suppression("jane@example.org"))
            #expect(found.reason == .unsubscribe && found.origin == .recipient)
            let channel = try await fixture.stores.records.pool.query("SELECT channel FROM feedback_facts").only
            #expect(try channel.decode(String.self) == "mailto")
        }
    }

    @Test func `one mail to several recipients tells of each`() async throws {
        try await InboundFixture.with { fixture in
            let (jane, kim) = (try await fixture.token("jane@example.org"), try await fixture.token("kim@example.org"))
            #expect(
                try fixture.deliver(
                    SampleMail.report(), to: "b-\(jane)@bounce.shop.example", "b-\(kim)@bounce.shop.example",
                    "b-\(jane)@bounce.shop.example") == 250)
            #expect(try await fixture.facts() == [1, 1])
        }
    }

    // MARK: Who is not here

    @Test func `bad, foreign and expired tokens and unknown mailboxes are refused at RCPT`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let old = try await fixture.token("jane@example.org", made: InboundFixture.now - 801 * 86_400_000)
            let others = try await Stores.open()
            let stranger = try await others.account("stranger", credits: 0)
            let keys = try await others.vault.accountKeys(stranger)
            let foreign = RecipientToken(
                account: fixture.account, campaign: CampaignID(rawValue: 1 << 60),
                fingerprint: Fingerprint(high: 1, low: 2)
            ).text(signedWith: keys)
            let damaged = String(token.dropLast(2)) + (token.hasSuffix("aa") ? "bb" : "aa")
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            for local in [
                "b-\(damaged)", "b-\(foreign)", "b-\(old)", "b-\(token.dropLast())", "b-\(token)a", "b-", "b-x", token,
                "u-\(damaged)", "u-\(foreign)", "x-\(token)", "postmaster", "info", "fbl+x", "\"fbl \"", "b-\(token)+x",
            ] {
                #expect(dialog.ask("RCPT TO:<\(local)@bounce.shop.example>") == 550, "\(local)")
            }
            for domain in ["shop.example", "bounce.other.example", "bounce.example", "bounce", "[127.0.0.1]"] {
                #expect(dialog.ask("RCPT TO:<b-\(token)@\(domain)>") == 550, "\(domain)")
                #expect(dialog.ask("RCPT TO:<fbl@\(domain)>") == 550, "\(domain)")
            }
            #expect(dialog.ask("DATA") == 554, "nobody was taken")
            #expect(fixture.server.counts.misses["expired"] == 1)
            #expect(try await fixture.facts().isEmpty)
        }
    }

    @Test func `only return paths of proven domains are here, and of the token's own account`() async throws {
        try await InboundFixture.with(trustsDomains: false) { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            #expect(dialog.ask("RCPT TO:<fbl@bounce.shop.example>") == 550, "not proven")
            #expect(dialog.ask("RCPT TO:<b-\(token)@bounce.shop.example>") == 250, "registered by its account")
            try await fixture.stores.records.pool.query(
                "INSERT INTO domains (account_id, domain) VALUES (\(fixture.account.rawValue), 'proven.example')")
            try await fixture.stores.records.pool.query(
                "INSERT INTO domain_owners (domain, account_id) VALUES ('proven.example', \(fixture.account.rawValue))")
            for domain in ["bounce.proven.example", "bounce.news.proven.example"] {
                #expect(dialog.ask("RCPT TO:<fbl@\(domain)>") == 250, "\(domain)")
                #expect(dialog.ask("RCPT TO:<b-\(token)@\(domain)>") == 250, "\(domain)")
            }
        }
    }
}
