import MailMessage
import MailTypes
import TestDatabases
import Testing
import Vault

@testable import Feedback

struct AttributorTests {
    private static let made: Int64 = 1_750_000_000_000
    private static let campaign = CampaignID(rawValue: (made - 1_577_836_800_000) << 21)

    private struct Fixture {
        let lists: Lists
        let attributor: Attributor

        static func make(now: Int64 = AttributorTests.made + 1_000) async throws -> Fixture {
            let lists = try await Lists()
            return Fixture(lists: lists, attributor: Attributor(vault: lists.vault) { now })
        }

        func token(_ address: String, of account: AccountID? = nil) async throws -> (
            token: RecipientToken, text: String
        ) {
            let account = account ?? lists.first
            let keys = try await lists.vault.accountKeys(account)
            let token = RecipientToken(
                account: account, campaign: AttributorTests.campaign,
                fingerprint: keys.fingerprinter.fingerprint(try EmailAddress(address)))
            return (token, token.text(signedWith: keys))
        }
    }

    private static func complaint(header: String, type: String = "abuse") -> [UInt8] {
        Array(
            """
            From: fbl@provider.example
            Content-Type: multipart/report; report-type=feedback-report; boundary=b

            --b

            A complaint.
            --b
            Content-Type: message/feedback-report

            Feedback-Type: \(type)
            Version: 1
            --b
            Content-Type: message/rfc822

            From: news@shop.example
            \(header)
            Subject: Offer

            Hello
            --b--
            """.utf8)
    }

    private static func report(_ recipients: [(address: String, action: String, status: String)]) -> [UInt8] {
        let groups = recipients.map {
            "Final-Recipient: rfc822; \($0.address)\nAction: \($0.action)\nStatus: \($0.status)\n"
        }.joined(separator: "\n")
        return Array(
            """
            Return-Path: <>
            From: MAILER-DAEMON@mx.example
            Content-Type: multipart/report; report-type=delivery-status; boundary=b

            --b
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example

            \(groups)
            --b--
            """.utf8)
    }

    @Test func `tokens of accounts that do not exist, of another installation and damaged ones are nobody's`()
        async throws
    {
        let fixture = try await Fixture.make()
        let (token, text) = try await fixture.token("jane@example.org")
        #expect(try await fixture.attributor.verify(text) == .valid(token))
        let others = try await Fixture.make()
        let (_, foreign) = try await others.token("jane@example.org")
        #expect(try await fixture.attributor.verify(foreign) == .foreign)
        let keys = try await fixture.lists.vault.accountKeys(fixture.lists.first)
        let nobody = RecipientToken(
            account: AccountID(rawValue: 999), campaign: Self.campaign, fingerprint: token.fingerprint)
        #expect(try await fixture.attributor.verify(nobody.text(signedWith: keys)) == .foreign)
        #expect(try await fixture.attributor.verify(String(text.dropLast())) == .foreign)
        #expect(try await fixture.attributor.verify("") == .foreign)
    }

    @Test func `an old token is told from a foreign one and attributes nothing`() async throws {
        let fixture = try await Fixture.make(now: Self.made + RecipientToken.lifetimeMilliseconds + 1)
        let (token, text) = try await fixture.token("jane@example.org")
        #expect(try await fixture.attributor.verify(text) == .expired(token))
        let mail = ReceivedMail(Self.complaint(header: "Message-ID: <\(text)@shop.example>"))
        #expect(try await fixture.attributor.attribute(mail) == nil)
    }

    @Test func `the envelope counts before all that stands in the mail`() async throws {
        let fixture = try await Fixture.make()
        let (envelope, _) = try await fixture.token("envelope@example.org")
        let (inside, text) = try await fixture.token("inside@example.org")
        let mail = ReceivedMail(Self.complaint(header: "Message-ID: <\(text)@shop.example>"))
        #expect(
            try await fixture.attributor.attribute(mail, envelope: envelope)
                == Attribution(recipient: envelope, place: .envelope))
        #expect(
            try await fixture.attributor.attribute(mail) == Attribution(recipient: inside, place: .messageID))
    }

    @Test func `of several tokens the best place decides, and a forged one in it does not hide the next`() async throws
    {
        let fixture = try await Fixture.make()
        let (one, first) = try await fixture.token("one@example.org")
        let (two, second) = try await fixture.token("two@example.org")
        let both = Self.complaint(
            header: "List-Unsubscribe: <https://mail.example/u/\(second)>\nMessage-ID: <\(first)@shop.example>")
        #expect(try await fixture.attributor.attribute(ReceivedMail(both))?.recipient == one)
        let forged = String(first.dropLast(4)) + (first.hasSuffix("aaaa") ? "bbbb" : "aaaa")
        let half = Self.complaint(
            header: "List-Unsubscribe: <https://mail.example/u/\(second)>\nMessage-ID: <\(forged)@shop.example>")
        #expect(
            try await fixture.attributor.attribute(ReceivedMail(half))
                == Attribution(recipient: two, place: .unsubscribe))
    }

    @Test func `a complaint about a mail that we never sent is about nobody`() async throws {
        let fixture = try await Fixture.make()
        let header = "Message-ID: <4711@other.example>\nTo: jane@example.org\nFeedback-ID: a:b:c:other"
        #expect(try await fixture.attributor.attribute(ReceivedMail(Self.complaint(header: header))) == nil)
    }

    @Test(arguments: [
        ("abuse", FeedbackFact.complaint as FeedbackFact?, "abuse"), ("fraud", .complaint, "fraud"),
        ("opt-out", .complaint, "opt-out"), ("auth-failure", nil, ""), ("not-spam", nil, ""),
        (String(repeating: "x", count: 500), .complaint, "other"), ("a\u{1}b", .complaint, "other"),
    ])
    func `what a complaint says decides whether it is one`(type: String, fact: FeedbackFact?, reason: String)
        async throws
    {
        let fixture = try await Fixture.make()
        let (token, _) = try await fixture.token("jane@example.org")
        let classification = MailClassifier.classify(Self.complaint(header: "X: y", type: type))
        let event = try await fixture.attributor.event(of: classification, about: token)
        #expect(event?.fact == fact && (event?.reason ?? "") == reason)
        if let event { try await Self.take([event], fixture.lists) }
    }

    @Test(arguments: [
        ("failed", "5.1.1", FeedbackFact.hardBounce), ("failed", "5.2.2", .softBounce),
        ("failed", "4.4.7", .softBounce),
        ("delayed", "4.4.1", .delay),
    ])
    func `whoever a report names, it is about the recipient of the token`(
        action: String, status: String, fact: FeedbackFact
    ) async throws {
        let fixture = try await Fixture.make()
        let (token, _) = try await fixture.token("jane@example.org")
        let classification = MailClassifier.classify(Self.report([("forwarded@elsewhere.example", action, status)]))
        let event = try await fixture.attributor.event(of: classification, about: token)
        #expect(event?.fact == fact && event?.recipient == token && event?.channel == .notice)
        if let event { try await Self.take([event], fixture.lists) }
    }

    @Test func `of several recipients the own one counts, and else the address is dead only with all of them`()
        async throws
    {
        let fixture = try await Fixture.make()
        let (token, _) = try await fixture.token("jane@example.org")
        func fact(_ recipients: [(String, String, String)]) async throws -> FeedbackFact? {
            try await fixture.attributor.event(
                of: MailClassifier.classify(Self.report(recipients)), about: token)?.fact
        }
        let (dead, full) = ("5.1.1", "5.2.2")
        #expect(
            try await fact([("x@other.example", "failed", full), ("Jane@example.org", "failed", dead)]) == .hardBounce)
        #expect(
            try await fact([("x@other.example", "failed", dead), ("jane@example.org", "failed", full)]) == .softBounce)
        #expect(
            try await fact([("x@other.example", "failed", dead), ("y@other.example", "failed", full)]) == .softBounce)
        #expect(
            try await fact([("x@other.example", "failed", dead), ("y@other.example", "failed", dead)]) == .hardBounce)
    }

    /// The table bounds what it takes: events of any mail must fit.
    private static func take(_ events: [FeedbackEvent], _ lists: Lists) async throws {
        let intake = FeedbackIntake(
            records: lists.database.pool, followers: [SuppressionFollower(suppressions: lists.list)])
        #expect(try await intake.take(events) == 1)
    }
}
