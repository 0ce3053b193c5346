import Foundation
import Testing

/// The same campaign goes into mail servers that others wrote, and is judged by what lies in their mailboxes.
@Suite(.serialized) struct InteroperabilityTests {
    @Test(.timeLimit(.minutes(5))) func `delivers into postfix`() async throws {
        let directory = try TemporaryDirectory()
        guard let server = try PostfixServer(directory) else { return }
        try await deliver(into: server, directory)
    }

    @Test(.timeLimit(.minutes(5))) func `delivers into exim`() async throws {
        let directory = try TemporaryDirectory()
        guard let server = try EximServer(directory) else { return }
        try await deliver(into: server, directory)
    }

    private struct Balance: Decodable {
        let posted, held: Int
    }

    private func deliver(into server: some MailServer, _ directory: TemporaryDirectory) async throws {
        guard let checker = MailChecker() else { return }
        let recipients = 300
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(server.port)", credits: recipients + 9, ed25519: true)
        let shape = Self.campaign(from: installation.domain, recipients: recipients)
        let campaign = try installation.submit(shape.draft, shape.recipients)
        let status = try await installation.wait(for: campaign, seconds: 120)
        try await server.waitForMails(recipients, seconds: 60)
        let accepted = try server.acceptedCount()
        server.stop()

        #expect(status.state == "completed")
        #expect(status["delivered"] == recipients && status.sum == recipients, "\(status.counters)")
        #expect(accepted == recipients, "according to the server's log")
        #expect(status.credits.charged == recipients)
        #expect(status.credits.held == 0 && status.credits.released == 0)
        let balance = try JSONDecoder().decode(Balance.self, from: Data(installation.get("/v1/credits").utf8))
        #expect(balance.posted == 9 && balance.held == 0)
        try installation.sluice("ledger", "verify")

        // Each recipient once, over TLS, with signatures that still verify and contents as they were sent.
        let expected = Dictionary(uniqueKeysWithValues: shape.copies.map { ($0.recipient, $0.expectation) })
        let verdict = try checker.check(
            .maildir, server.maildir, expected: expected, keys: installation.dkimKeys, in: directory)
        for fault in verdict.faults.prefix(20) { Issue.record("\(fault)") }
        #expect(verdict.status == 0)
        #expect(verdict.mails == recipients && verdict.signatures == 2 * recipients)
        print("\(type(of: server)): \(verdict.mails) mails, \(verdict.signatures) signatures verified in its mailbox")
    }

    /// Names in many scripts, addresses in UTF-8 and under an international domain, and lines that relays tend to touch.
    private static func campaign(from domain: String, recipients: Int) -> MailShape {
        let sender = Sender(
            text: "Stadtbücherei <library@\(domain)>", shown: ["Stadtbücherei", "library@\(domain)"],
            signatures: Sender.twoKeys)
        let text = "Dear {{name|reader}},\n.\n..\nFrom here on, trailing blanks: \t \nyour number: {{number}}\n\n\n"
        let draft = CampaignDraft(
            from: "", subject: "Grüße an {{name|you}} № {{number}}",
            html: "<p>{{number}}</p>\n<p>" + String(repeating: "lang und länger ", count: 130) + "</p>", text: text)
        return MailShape("peer", from: sender, count: recipients, draft) { number, expected in
            let name = number % 7 == 0 ? nil : MailShapes.names[number % MailShapes.names.count]
            let email =
                switch number % 20 {
                case 3: "jürgen.\(number)@example.net"
                case 4: "reader.\(number)@bücher.example"
                case 5: "\"reader \(number)\"@example.net"
                default: "reader.\(number)@example.net"
                }
            expected.to = email.replacingOccurrences(of: "bücher", with: "xn--bcher-kva")
            expected.subject = "Grüße an \(MailShapes.onOneLine(name ?? "you")) № \(number)"
            expected.text = text.replacingOccurrences(of: "{{name|reader}}", with: name ?? "reader")
                .replacingOccurrences(of: "{{number}}", with: "\(number)")
            expected.html =
                "<p>\(number)</p>\n<p>" + String(repeating: "lang und länger ", count: 130) + "</p>"
            expected.structure = "alternative(plain,html)"
            return RecipientLine(email: email, name: name, vars: ["number": "\(number)"])
        }
    }
}
