import Campaigns
import CreditLedger
import Delivery
import Feedback
import MailTypes
import Postgres
import SMTPProtocol
import Synchronization
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping

/// One engine and one receiver: what each answer makes of a recipient, its credits and its address.
struct OutcomeTests {
    private static let greylisted = SMTPReply(451, EnhancedStatusCode("4.7.1"), "Greylisted, come back later")
    private static let closing = SMTPReply(421, EnhancedStatusCode("4.3.2"), "Closing")
    private static let noSuchUser = SMTPReply(550, EnhancedStatusCode("5.1.1"), "No such user")

    private static func first(_ answer: MailServer.Answer) -> MailServer.Script {
        { _, attempt in attempt == 1 ? answer : .accept }
    }

    @Test func `a mail that requires TLS bounces where that is not promised, and the site is not to blame`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await fixture.withEngine(to: server, { $0.laneLimits = LaneLimits(connections: 1) }) { _ in
            let campaign = try await fixture.send(12, requiresTLS: true)
            #expect(try await fixture.service.get(fixture.account, campaign).campaign.requiresTLS)
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.bounced == 12)
            #expect(server.attempts.isEmpty, "refused before MAIL")
            #expect(try await fixture.suppression(of: 3) == nil)
            // The lane is open: others' mail goes at once.
            #expect(try await fixture.end(of: try await fixture.send(3)).counters.delivered == 3)
        }
        #expect(server.copies.count == 3)
    }

    @Test func `everybody has one signed mail and costs one credit`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await fixture.withEngine(to: server) { _ in
            let campaign = try await fixture.send(10)
            let status = try await fixture.end(of: campaign)
            #expect(status.state == .completed)
            #expect(status.counters.delivered == 10)
            #expect(Set(server.mails.map(\.messageID)).count == 10)
        }
        #expect(server.copies == Dictionary(uniqueKeysWithValues: DeliveryFixture.addresses(10).map { ($0, 1) }))
        for mail in server.mails {
            #expect(mail.content.hasPrefix("DKIM-Signature: "))
            #expect(mail.messageID.hasSuffix("@shop.example>"))
            #expect(mail.reversePath.hasPrefix("b-") && mail.reversePath.hasSuffix("@bounce.shop.example"))
        }
        #expect(Set(server.mails.map(\.reversePath)).count == 10)
        #expect(
            try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 10, held: 0, limit: 0))
        #expect(try await fixture.suppressions.count(fixture.account) == 0)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a mailbox that does not exist bounces and is never dialled again`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(offersPipelining: false) { address, _ in
            address == DeliveryFixture.address(1) ? .recipient(Self.noSuchUser) : .accept
        }
        try await fixture.withEngine(to: server) { _ in
            let first = try await fixture.end(of: fixture.send(3))
            #expect((first.counters.delivered, first.counters.bounced) == (2, 1))
            let suppression = try #require(try await fixture.suppression(of: 1))
            #expect((suppression.reason, suppression.origin) == (.hardBounce, .reply))
            #expect(try await fixture.suppressions.count(fixture.account) == 1)
            let second = try await fixture.end(of: fixture.send(3), suppressedBefore: 1)
            #expect((second.counters.delivered, second.counters.suppressed) == (2, 1))
        }
        #expect(server.attempts[DeliveryFixture.address(1)] == 1)
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 4)
    }

    @Test func `who is refused as unknown after the final dot is suppressed, and who is refused as spam is not`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let replies = [
            Self.noSuchUser, SMTPReply(550, nil, "No such user here"),
            SMTPReply(550, EnhancedStatusCode("5.7.1"), "message rejected due to content"),
        ]
        let server = MailServer { address, _ in
            .content(replies[DeliveryFixture.addresses(3).firstIndex(of: address) ?? 0])
        }
        try await fixture.withEngine(to: server) { _ in
            let campaign = try await fixture.send(3)
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.bounced == 3)
        }
        #expect(try await fixture.suppression(of: 0)?.reason == .hardBounce)
        #expect(try await fixture.suppression(of: 1)?.reason == .hardBounce)
        #expect(try await fixture.suppression(of: 2) == nil)
    }

    @Test func `a disabled mailbox is suppressed when three campaigns have found it so, delivered mail counts anew`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let disabled = SMTPReply(550, EnhancedStatusCode("5.2.1"), "This account is disabled")
        // The second is well at its third campaign.
        let server = MailServer { address, attempt in
            address == DeliveryFixture.address(1) && attempt == 3 ? .accept : .recipient(disabled)
        }
        try await fixture.withEngine(to: server) { _ in
            for campaign in 1...4 {
                let suppressed = try await fixture.suppressions.count(fixture.account)
                #expect(suppressed == (campaign > 3 ? 1 : 0))
                _ = try await fixture.end(of: fixture.send(2), suppressedBefore: campaign > 3 ? 1 : 0)
            }
        }
        let suppression = try #require(try await fixture.suppression(of: 0))
        #expect((suppression.reason, suppression.origin) == (.hardBounce, .reply))
        #expect(try await fixture.suppression(of: 1) == nil)
        let counted = try await fixture.records.owner.query(
            "SELECT cardinality(campaigns) FROM dead_addresses"
        ).map { try $0.decode(column: 0, as: Int32.self) }
        // Of the second alone, and of its last campaign.
        #expect(counted == [1])
    }

    @Test(
        arguments: [
            ("a sender", [SMTPReply(552, nil, "Message size exceeds fixed limit")], MailServer.Answer.accept),
            ("an unclear refusal", [], .recipient(SMTPReply(550, nil, "Go away"))),
            ("a large message", [], .content(SMTPReply(552, EnhancedStatusCode("5.3.4"), "Too big for us"))),
        ])
    func `a refusal that is not about the mailbox bounces without suppressing`(
        _ name: String, _ senderReplies: [SMTPReply], _ answer: MailServer.Answer
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(senderReplies: senderReplies) { _, _ in answer }
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: fixture.send(1))
            #expect(status.counters.bounced == 1)
        }
        #expect(server.copies == [:])
        #expect(try await fixture.suppressions.count(fixture.account) == 0)
        #expect(try await fixture.balance().posted == DeliveryFixture.credits)
    }

    @Test(
        arguments: [
            ("451 to RCPT", [], MailServer.Answer.recipient(greylisted)),
            ("451 to the final dot", [], .content(greylisted)),
            ("421 to RCPT", [], .recipient(closing)),
            ("421 to the final dot", [], .content(closing)),
            ("451 to MAIL", [greylisted], .accept),
            ("421 to MAIL", [closing], .accept),
        ])
    func `who is refused for now is delivered at the retry and charged once`(
        _ name: String, _ senderReplies: [SMTPReply], _ answer: MailServer.Answer
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(senderReplies: senderReplies, Self.first(answer))
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: fixture.send(1))
            #expect(status.counters.delivered == 1)
            #expect(status.counters.inDoubtResent == 0)
        }
        #expect(server.copies == [DeliveryFixture.address(0): 1])
        #expect(Set(server.mails.map(\.messageID)).count == 1)
        #expect(
            try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 1, held: 0, limit: 0))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a credit stays held for who waits for a retry`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(offersPipelining: false) { address, _ in
            address == DeliveryFixture.address(2) ? .recipient(Self.greylisted) : .accept
        }
        let campaign = try await fixture.send(4)
        try await fixture.withEngine(to: server, { $0.retry = RetrySchedule(baseSeconds: 3_600) }) { _ in
            try await eventually("the batch is settled") {
                try await fixture.balance().posted < DeliveryFixture.credits
            }
            let status = try await fixture.service.get(fixture.account, campaign)
            #expect((status.counters.delivered, status.counters.deferred) == (3, 1))
            #expect(status.credits == CampaignCredits(held: 1, charged: 3, released: 0))
            #expect(
                try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits - 3, held: 1, limit: 0))
        }
        _ = try await fixture.service.cancel(fixture.account, campaign)
        #expect(try await fixture.end(of: campaign).counters.cancelled == 1)
        #expect(server.attempts[DeliveryFixture.address(2)] == 1)
    }

    @Test func `a receiver that cannot be reached is tried again later`() async throws {
        let fixture = try await DeliveryFixture.make()
        let port = try await MailServer().run { $0 }
        let campaign = try await fixture.send(2)
        try await fixture.withEngine(port: port, { $0.retry = RetrySchedule(baseSeconds: 3_600) }) { _ in
            try await eventually("both are deferred") { try await fixture.counters(campaign).deferred == 2 }
        }
        #expect(try await fixture.balance() == CreditBalance(posted: DeliveryFixture.credits, held: 2, limit: 0))
    }

    // MARK: In doubt

    @Test func `a lost answer is sent again under the same Message-ID, counted, and charged once`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(Self.first(.silence))
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: fixture.send(3, inDoubt: .resend))
            #expect(status.counters.delivered == 3)
            #expect(status.counters.inDoubtResent == 3)
            #expect(status.counters.inDoubt == 0)
        }
        for address in DeliveryFixture.addresses(3) {
            let mails = server.mails.filter { $0.recipient == address }
            #expect(mails.count == 2)
            #expect(Set(mails.map(\.messageID)).count == 1)
            #expect(Set(mails.map(\.reversePath)).count == 1)
        }
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 3)
    }

    @Test func `a lost answer is final and free where the campaign skips`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(Self.first(.silence))
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: fixture.send(3, inDoubt: .skip))
            #expect(status.counters.inDoubt == 3)
            #expect(status.counters.inDoubtResent == 0)
        }
        #expect(server.copies.values.allSatisfy { $0 == 1 })
        #expect(try await fixture.balance().posted == DeliveryFixture.credits)
    }

    // MARK: Without a dial

    @Test func `the expiry makes a refusal for now final`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, _ in
            address == DeliveryFixture.address(0) ? .recipient(Self.greylisted) : .accept
        }
        let campaign = try await fixture.send(2)
        try await fixture.withEngine(to: server, { $0.retry = RetrySchedule(baseSeconds: 1) }) { _ in
            try await eventually("one is deferred") { try await fixture.counters(campaign).deferred == 1 }
            try await fixture.expire(campaign)
            let status = try await fixture.end(of: campaign)
            #expect((status.counters.delivered, status.counters.expired) == (1, 1))
        }
    }

    @Test func `a mail that cannot be made is not sent`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: fixture.send(2, text: "Your code is {{code}}."))
            #expect(status.counters.invalid == 2)
        }
        #expect(server.attempts == [:])
    }

    @Test func `who is suppressed after the import, or while waiting for a connection, is not dialled`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .held }
        let campaign = try await fixture.send(4)
        try await fixture.suppress(3)
        try await fixture.withEngine(to: server, { $0.laneLimits = LaneLimits(connections: 1) }) { _ in
            try await eventually("the first mail is under way") { server.heldCount == 1 }
            let dialled = try #require(server.mails.first).recipient
            let waiting = try #require((0..<3).first { DeliveryFixture.address($0) != dialled })
            try await fixture.suppress(waiting)
            server.release()
            let status = try await fixture.end(of: campaign)
            #expect((status.counters.delivered, status.counters.suppressed) == (2, 2))
            #expect(server.attempts[DeliveryFixture.address(waiting)] == nil)
            #expect(server.attempts[DeliveryFixture.address(3)] == nil)
        }
    }

    @Test(arguments: [(InDoubtPolicy.resend, Outcome.delivered), (.skip, .inDoubt)])
    func `who was in doubt is listed while the data lives, and charged once at most`(
        policy: InDoubtPolicy, outcome: Outcome
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        // The last one is refused until the listing was read, so that the data lives.
        let isRead = Mutex(false)
        let server = MailServer { address, attempt in
            switch (address, attempt) {
            case (DeliveryFixture.address(1), 1): .silence
            case (DeliveryFixture.address(2), _): isRead.withLock(\.self) ? .accept : .recipient(Self.greylisted)
            default: .accept
            }
        }
        let campaign = try await fixture.send(3, batchSize: 1, inDoubt: policy)
        try await fixture.withEngine(to: server) { _ in
            try await eventually("the doubt is settled") {
                let counters = try await fixture.counters(campaign)
                let open = try await fixture.records.owner.query(
                    "SELECT count(*) FROM batches WHERE state = 1 AND finished > 0"
                ).only.decode(Int64.self)
                return counters.finished == 2 && open == 0
            }
            let page = try await fixture.service.recipients(fixture.account, campaign, inDoubtOnly: true)
            #expect(page.recipients.map(\.email) == [DeliveryFixture.address(1)])
            #expect(page.recipients.map(\.fate) == [.final(outcome)])
            #expect(page.recipients.map(\.wasInDoubt) == [policy == .resend])
            isRead.withLock { $0 = true }
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.inDoubt == (policy == .resend ? 0 : 1))
            #expect(status.counters.inDoubtResent == (policy == .resend ? 1 : 0))
            #expect(status.credits.charged == (policy == .resend ? 3 : 2))
            await #expect(throws: CampaignError.self) {
                try await fixture.service.recipients(fixture.account, campaign, inDoubtOnly: true)
            }
        }
    }
}
