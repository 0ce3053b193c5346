import Feedback
import MailSink
import MailTypes
import NIOCore
import Postgres
import SMTPProtocol
import SMTPTransport
import TestDatabases
import TestStores
import TestSupport
import Testing

@testable import InboundMail

/// What strangers may try.
struct InboundProtocolTests {
    private static func begun(_ fixture: InboundFixture, _ token: String, size: Int? = nil) throws -> SMTPDialog {
        let dialog = try fixture.dialog
        #expect(dialog.ask("MAIL FROM:<>" + (size.map { " SIZE=\($0)" } ?? "")) == 250)
        #expect(dialog.ask("RCPT TO:<b-\(token)@bounce.shop.example>") == 250)
        return dialog
    }

    @Test(arguments: [
        "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n", ".\r\n",
    ])
    func `no end of data but the one of the standard, and nothing behind another is a command`(end: String) async throws
    {
        try await InboundFixture.with { fixture in
            let (token, kim) = (try await fixture.token("jane@example.org"), try await fixture.token("kim@example.org"))
            let dialog = try Self.begun(fixture, token)
            #expect(dialog.ask("DATA") == 354)
            let smuggled = "MAIL FROM:<>\r\nRCPT TO:<u-\(kim)@bounce.shop.example>\r\nDATA\r\nx\r\n"
            let report = SampleMail.report().replacing("\n", with: "\r\n")
            dialog.send("\(report)\(end)\(smuggled)\r\n.\r\n")
            let code = dialog.code()
            // What holds neither a lone CR nor a lone LF is content, and the mail is one.
            let isContent = ["\r\n\0.\r\n", "\r\n.\0\r\n", ".\r\n"].contains(end)
            #expect(code == (isContent ? 250 : 550))
            #expect(try await fixture.suppression("kim@example.org") == nil)
            let jane = try await fixture.suppression("jane@example.org")
            #expect((jane != nil) == isContent)
            #expect(dialog.ask("QUIT") == 221)
        }
    }

    @Test func `commands that end in LF alone close the session`() async throws {
        try await InboundFixture.with { fixture in
            let dialog = try fixture.dialog
            dialog.send("MAIL FROM:<>\n")
            #expect(dialog.code() == 521)
            #expect(dialog.code() == nil)
        }
    }

    @Test func `a report of 50 MB is refused by its announcement, and without one at its end, and is not kept`()
        async throws
    {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<> SIZE=52428800") == 552)
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            #expect(dialog.ask("RCPT TO:<b-\(token)@bounce.shop.example>") == 250)
            #expect(dialog.ask("DATA") == 354)
            let before = fixture.server.freeOctets
            #expect(before == InboundMailLimits().keptOctetsOfAll - InboundMailLimits().keptOctets)
            dialog.send(SampleMail.report().replacing("\n", with: "\r\n") + "\r\n")
            let line = String(repeating: "x", count: 998) + "\r\n"
            let block = String(repeating: line, count: 1_000)
            for _ in 0..<50 { dialog.send(block) }
            #expect(dialog.ask(".") == 552)
            #expect(fixture.server.freeOctets == InboundMailLimits().keptOctetsOfAll)
            #expect(try await fixture.facts().isEmpty)
        }
    }

    @Test func `a long report is understood from its beginning`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialog = try Self.begun(fixture, token, size: 1_000)
            #expect(dialog.ask("DATA") == 354)
            dialog.send(SampleMail.report().replacing("\n", with: "\r\n") + "\r\n")
            let block = String(repeating: String(repeating: "x", count: 998) + "\r\n", count: 1_000)
            for _ in 0..<8 { dialog.send(block) }
            #expect(dialog.ask(".") == 250)
            #expect(try await fixture.suppression("jane@example.org") != nil)
        }
    }

    @Test func `of a long report nothing is read that lies behind what is kept`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let preface = String(repeating: String(repeating: "x", count: 78) + "\n", count: (1 << 20) / 79 + 1)
            let report = SampleMail.report().replacing("Your mail could not be delivered.", with: preface)
            #expect(report.contains("Final-Recipient"))
            #expect(try fixture.deliver(report, to: "b-\(token)@bounce.shop.example") == 250)
            // A report without its status says that something failed, and not what.
            #expect(try await fixture.facts() == [FeedbackFact.softBounce.rawValue])
            #expect(try await fixture.suppression("jane@example.org") == nil)
        }
    }

    @Test func `all sessions together keep no more than their bound`() async throws {
        try await InboundFixture.with({ $0.limits.keptOctetsOfAll = 3 << 20 }) { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialogs = try (0..<5).map { _ in try Self.begun(fixture, token) }
            #expect(dialogs.map { $0.ask("DATA") } == [354, 354, 354, 452, 452])
            #expect(fixture.server.freeOctets == 0)
            #expect(dialogs[0].ask("Subject: x\r\n\r\n.") == 250)
            let next = try Self.begun(fixture, token)
            #expect(next.ask("DATA") == 354, "room is given back")
            #expect(fixture.server.counts.noRoom == 2)
        }
    }

    @Test func `a client has a share of the room, and the rest stays free for others`() async throws {
        try await InboundFixture.with({ $0.limits.keptOctetsOfClient = 2 << 20 }) { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialogs = try (0..<3).map { _ in try Self.begun(fixture, token) }
            #expect(dialogs.map { $0.ask("DATA") } == [354, 354, 452])
            #expect(fixture.server.freeOctets == InboundMailLimits().keptOctetsOfAll - (2 << 20))
            #expect(dialogs[0].ask("Subject: x\r\n\r\n.") == 250)
            let next = try Self.begun(fixture, token)
            #expect(next.ask("DATA") == 354, "the share is given back")
        }
    }

    @Test func `content that drips in ends the session and gives its room back`() async throws {
        try await InboundFixture.with({
            $0.limits.contentRate = SMTPLeastRate(octetsPerSecond: 1_000_000, grace: .milliseconds(200))
        }) { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialog = try Self.begun(fixture, token)
            #expect(dialog.ask("DATA") == 354)
            dialog.send("Subject: x\r\n")
            #expect(dialog.code() == 421)
            #expect(dialog.code() == nil)
            try await eventually("its room is given back") {
                fixture.server.freeOctets == InboundMailLimits().keptOctetsOfAll
            }
        }
    }

    @Test func `a client has a number of connections, and another is not refused for it`() async throws {
        try await InboundFixture.with({ $0.limits.connectionsOfClient = 3 }) { fixture in
            var open = try (0..<3).map { _ in try fixture.dialog }
            let fourth = try #require(SMTPDialog(port: fixture.port))
            #expect(fourth.code() == 421)
            #expect(open.removeLast().ask("QUIT") == 221)
            try await eventually("the place is free") {
                guard let dialog = SMTPDialog(port: fixture.port) else { return false }
                return dialog.code() == 220
            }
            #expect(fixture.server.counts.refusedConnections >= 1)
        }
    }

    @Test func `who sends too much is put off, and who guesses tokens is sent away`() async throws {
        try await InboundFixture.with({
            $0.limits.mailsOfClient = .init(burst: 2, perSecond: 0)
            $0.limits.missesOfClient = .init(burst: 2, perSecond: 0)
        }) { fixture in
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            #expect(dialog.askEach("RSET", "MAIL FROM:<>", "RSET", "MAIL FROM:<>") == [250, 250, 250, 450])
            let other = try fixture.dialog
            #expect(other.ask("MAIL FROM:<>") == 450, "of the same address")
        }
        try await InboundFixture.with({ $0.limits.missesOfClient = .init(burst: 2, perSecond: 0) }) { fixture in
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            let guesses = (0..<3).map { _ in dialog.ask("RCPT TO:<nobody@bounce.shop.example>") }
            #expect(guesses == [550, 550, 421])
            #expect(dialog.code() == nil)
        }
    }

    @Test func `silence ends a session`() async throws {
        try await InboundFixture.with({ $0.timeouts.command = .milliseconds(200) }) { fixture in
            let dialog = try #require(SMTPDialog(port: fixture.port))
            #expect(dialog.codes(2) == [220, 421])
            #expect(dialog.code() == nil)
        }
    }

    @Test func `mail comes over TLS where the server has a certificate`() async throws {
        let identity = try SelfSignedCertificate.make(hostname: "mail.shop.example")
        try await InboundFixture.with({ $0.identity = identity }) { fixture in
            let dialog = try #require(SMTPDialog(port: fixture.port))
            #expect(dialog.code() == 220)
            dialog.send("EHLO mx.example.org\r\n")
            #expect(dialog.reply()?.contains("STARTTLS") == true)
            #expect(dialog.ask("STARTTLS") == 220)
        }
    }

    @Test func `while a database does not answer, mail is put off and comes again`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let dialog = try Self.begun(fixture, token)
            #expect(dialog.ask("DATA") == 354)
            try await fixture.stores.records.owner.query("ALTER TABLE feedback_facts RENAME TO away")
            let report = SampleMail.report().replacing("\n", with: "\r\n") + "\r\n."
            #expect(dialog.ask(report) == 451)
            #expect(try await fixture.suppression("jane@example.org") == nil)
            try await fixture.stores.records.owner.query("ALTER TABLE away RENAME TO feedback_facts")
            #expect(dialog.ask("MAIL FROM:<>") == 250, "the session goes on")
            #expect(dialog.ask("RCPT TO:<b-\(token)@bounce.shop.example>") == 250)
            #expect(dialog.ask("DATA") == 354)
            #expect(dialog.ask(report) == 250)
            #expect(try await fixture.suppression("jane@example.org") != nil)
            #expect(fixture.server.counts.failures == 1)
        }
    }

    @Test func `a domain that cannot be looked up is put off, not refused`() async throws {
        try await InboundFixture.with { fixture in
            try await fixture.stores.records.owner.query("ALTER TABLE domain_owners RENAME TO away")
            let dialog = try fixture.dialog
            #expect(dialog.ask("MAIL FROM:<>") == 250)
            #expect(dialog.ask("RCPT TO:<fbl@bounce.shop.example>") == 451)
            try await fixture.stores.records.owner.query("ALTER TABLE away RENAME TO domain_owners")
            #expect(dialog.ask("RCPT TO:<fbl@bounce.shop.example>") == 250)
        }
    }

    // MARK: Hostile mails

    @Test func `multiparts a thousand deep are taken and say nothing`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            var mail = "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\n"
            for level in 0..<1_000 { mail += "Content-Type: multipart/mixed; boundary=\"b\(level)\"\n\n--b\(level)\n" }
            mail +=
                "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; jane@example.org\nAction: failed\n"
            let begun = ContinuousClock.now
            #expect(try fixture.deliver(mail, to: "b-\(token)@bounce.shop.example") == 250)
            #expect(ContinuousClock.now - begun < .seconds(20))
            #expect(try await fixture.suppression("jane@example.org") == nil)
        }
    }

    @Test func `of a report inside a report the outer one counts`() async throws {
        try await InboundFixture.with { fixture in
            let token = try await fixture.token("jane@example.org")
            let inner = SampleMail.report(status: "5.1.1").replacing("--b", with: "--inner").replacing(
                "\"b\"", with: "\"inner\"")
            let outer = SampleMail.report(status: "5.2.2").replacing(
                "Content-Type: text/rfc822-headers\n\nFrom: news@shop.example\nTo: jane@example.org\nSubject: Offer\n",
                with: "Content-Type: message/rfc822\n\n\(inner)\n")
            #expect(outer.contains("--inner--"))
            #expect(try fixture.deliver(outer, to: "b-\(token)@bounce.shop.example") == 250)
            #expect(try await fixture.facts() == [FeedbackFact.softBounce.rawValue])
        }
    }
}

struct ClientBookTests {
    @Test func `rates fill again with time, and clients of whom nothing is known are forgotten`() throws {
        let clock = TestTime()
        var limits = InboundMailLimits()
        limits.mailsOfClient = .init(burst: 2, perSecond: 0.5)
        limits.clients = 3
        let book = ClientBook(limits) { clock.now }
        let client = ClientKey(try SocketAddress(ipAddress: "192.0.2.1", port: 1))
        #expect((0..<3).map { _ in book.mayMail(client) } == [true, true, false])
        clock.pass(2)
        #expect((0..<2).map { _ in book.mayMail(client) } == [true, false])
        for number in 2...3 {
            #expect(book.admit(ClientKey(try SocketAddress(ipAddress: "192.0.2.\(number)", port: 1))))
        }
        let fourth = ClientKey(try SocketAddress(ipAddress: "192.0.2.4", port: 1))
        clock.pass(60)
        #expect(book.admit(fourth))
        #expect(book.count == 3)
    }

    @Test func `a full book admits new clients, and forgets none that is connected`() throws {
        let clock = TestTime()
        var limits = InboundMailLimits()
        limits.mailsOfClient = .init(burst: 2, perSecond: 0)
        limits.clients = 3
        let book = ClientBook(limits) { clock.now }
        let keys = try (1...9).map { ClientKey(try SocketAddress(ipAddress: "192.0.2.\($0)", port: 1)) }
        #expect(book.admit(keys[0]))
        #expect((0..<3).map { _ in book.mayMail(keys[0]) } == [true, true, false])
        for key in keys.dropFirst() {
            #expect(book.admit(key))
            #expect(book.mayMail(key), "and is worth knowing from now on")
            book.leave(key)
            #expect(book.count <= 3)
        }
        #expect(!book.mayMail(keys[0]), "still known")
    }

    @Test func `the networks of one IPv6 site have a number of connections together`() throws {
        func key(_ text: String) throws -> ClientKey { ClientKey(try SocketAddress(ipAddress: text, port: 25)) }
        var limits = InboundMailLimits()
        limits.connectionsOfSite = 2
        let book = ClientBook(limits)
        let keys = try (1...3).map { try key("2001:db8:1:\($0)::1") }
        #expect(keys.map { book.admit($0) } == [true, true, false])
        #expect(book.admit(try key("2001:db8:2:1::1")), "of another site")
        #expect(book.admit(try key("192.0.2.1")))
        book.leave(keys[0])
        #expect(book.admit(keys[2]))
        #expect(!book.admit(keys[0]))
    }

    @Test func `one client's slow contents leave room for another's`() throws {
        func key(_ text: String) throws -> ClientKey { ClientKey(try SocketAddress(ipAddress: text, port: 25)) }
        let limits = InboundMailLimits()
        let budget = ContentBudget(octets: limits.keptOctetsOfAll, share: limits.keptOctetsOfClient)
        let (slow, other) = (try key("192.0.2.1"), try key("192.0.2.2"))
        var held = (0..<64).compactMap { _ in budget.reserve(limits.keptOctets, for: slow) }
        #expect(held.count == 8)
        #expect(budget.reserve(limits.keptOctets, for: other)?.octets == limits.keptOctets)
        held.removeAll()
        #expect(budget.freeOctets == limits.keptOctetsOfAll)
        let share = limits.keptOctetsOfClient
        #expect(budget.reserve(share, for: slow)?.octets == share, "the share is given back")
    }

    @Test func `an IPv6 network is one client, and a mapped address is its IPv4 client`() throws {
        func key(_ text: String) throws -> ClientKey { ClientKey(try SocketAddress(ipAddress: text, port: 25)) }
        #expect(try key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9"))
        #expect(try key("2001:db8:1:2::1") != key("2001:db8:1:3::1"))
        #expect(try key("::ffff:192.0.2.7") == key("192.0.2.7"))
        #expect(try key("192.0.2.7") != key("192.0.2.8"))
    }
}
