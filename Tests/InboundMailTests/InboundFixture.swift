import Feedback
import Foundation
import Logging
import MailTypes
import NIOPosix
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import InboundMail

/// A running listener over fresh databases, with an account that sends as `shop.example`.
struct InboundFixture: Sendable {
    let stores: Stores
    let account: AccountID
    let server: InboundMailServer
    let port: Int

    static let now = Int64(Date().timeIntervalSince1970 * 1_000)

    /// Runs `body`, then shuts down and sees that all memory was given back.
    static func with(
        trustsDomains: Bool = true, milliseconds: @escaping @Sendable () -> Int64 = { InboundFixture.now },
        _ change: (inout InboundMailConfiguration) -> Void = { _ in },
        _ body: (InboundFixture) async throws -> Void
    ) async throws {
        let stores = try await Stores.open(trustsDomains: trustsDomains)
        let account = try await stores.accountWithDomain("shop", credits: 0)
        var configuration = InboundMailConfiguration(host: "127.0.0.1", port: 0, hostname: "mail.shop.example")
        change(&configuration)
        let server = InboundMailServer(
            configuration, attributor: Attributor(vault: stores.vault, milliseconds: milliseconds),
            domains: stores.domains,
            intake: FeedbackIntake(
                records: stores.records.pool,
                followers: [SuppressionFollower(suppressions: stores.suppressions), BrakeFollower()]),
            mailboxProvider: { $0.hasSuffix("yahoo.example") ? "yahoo" : $0 == "example.org" ? "org" : nil },
            group: MultiThreadedEventLoopGroup.singleton, logger: .silent)
        let port = try await server.start()
        let outcome: Result<Void, any Error>
        do {
            try await body(InboundFixture(stores: stores, account: account, server: server, port: port))
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await server.shutdown()
        try outcome.get()
        try await eventually("all room is given back") {
            server.freeOctets == configuration.limits.keptOctetsOfAll
        }
    }

    var dialog: SMTPDialog {
        get throws {
            let dialog = try #require(SMTPDialog(port: port))
            #expect(dialog.code() == 220)
            #expect(dialog.ask("EHLO mx.example.org") == 250)
            return dialog
        }
    }

    /// - Parameter made: when its campaign was, in milliseconds since 1970.
    func token(_ address: String, made: Int64 = InboundFixture.now, of account: AccountID? = nil) async throws -> String
    {
        let account = account ?? self.account
        let keys = try await stores.vault.accountKeys(account)
        var generator = SeededGenerator(seed: 3)
        return RecipientToken(
            account: account, campaign: .make(millisecondsSince1970: made, using: &generator),
            fingerprint: keys.fingerprinter.fingerprint(try EmailAddress(address))
        ).text(signedWith: keys)
    }

    /// As if a provider had taken mail of the campaign that tokens name.
    func delivered(_ count: Int64, at provider: String) async throws {
        var generator = SeededGenerator(seed: 3)
        let campaign = CampaignID.make(millisecondsSince1970: Self.now, using: &generator)
        try await stores.records.pool.withConnection { [account] connection in
            try await ProviderHours.add([provider: .init(delivered: count)], of: account, campaign, on: connection)
        }
    }

    func suppression(_ address: String) async throws -> Suppression? {
        try await stores.suppressions.find(EmailAddress(address), account: account)
    }

    /// Facts that are noted, by number.
    func facts() async throws -> [Int16] {
        try await stores.records.pool.query("SELECT fact FROM feedback_facts ORDER BY fact").map {
            try $0.decode(Int16.self)
        }
    }

    /// One mail, from the empty sender unless another is given.
    ///
    /// - Returns: the code that ended it.
    func deliver(_ mail: String, to recipients: String..., from sender: String = "") throws -> Int? {
        let dialog = try dialog
        guard dialog.ask("MAIL FROM:<\(sender)>") == 250 else { return nil }
        for recipient in recipients {
            let code = dialog.ask("RCPT TO:<\(recipient)>")
            guard code == 250 else { return code }
        }
        guard dialog.ask("DATA") == 354 else { return nil }
        return dialog.ask(
            mail.replacing("\n.", with: "\n..").replacing("\r\n", with: "\n").replacing("\n", with: "\r\n") + "\r\n.")
    }
}

enum SampleMail {
    static func report(of address: String = "jane@example.org", action: String = "failed", status: String = "5.1.1")
        -> String
    {
        """
        From: MAILER-DAEMON@mx.example
        To: sender@shop.example
        Subject: Undelivered Mail Returned to Sender
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        Your mail could not be delivered.

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example

        Final-Recipient: rfc822; \(address)
        Action: \(action)
        Status: \(status)

        --b
        Content-Type: text/rfc822-headers

        From: news@shop.example
        To: \(address)
        Subject: Offer

        --b--
        """
    }

    static func complaint(_ fields: String, type: String = "abuse") -> String {
        """
        From: loop@provider.example
        To: fbl@bounce.shop.example
        Subject: complaint
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=feedback-report; boundary="b"

        --b
        Content-Type: text/plain

        A complaint.

        --b
        Content-Type: message/feedback-report

        Feedback-Type: \(type)
        Version: 1
        Original-Rcpt-To: jane@example.org

        --b
        Content-Type: text/rfc822-headers

        From: news@shop.example
        \(fields)

        --b--
        """
    }
}
