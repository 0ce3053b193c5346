import Foundation
import TestSupport
import Testing

/// What comes back from a mail server that others wrote reaches the suppression list.
@Suite(.serialized) struct ReturnPathTests {
    /// A server that delivers and takes in what comes back, and a Postfix that bounces later.
    private struct Setting {
        let installation: Installation
        let postfix: PostfixServer
        let port: Int
        let metricsPort: Int

        /// Nil where Postfix cannot run.
        init?(_ directory: TemporaryDirectory, recipients: Int) throws {
            port = try LoopbackPort.free()
            metricsPort = try LoopbackPort.free()
            guard
                let postfix = try PostfixServer(
                    directory, returnPath: .init(domain: "bounce.news.example.com", port: port))
            else { return nil }
            self.postfix = postfix
            installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:\(postfix.port)", credits: recipients,
                serve: [
                    "--roles", "api,delivery,feedback", "--feedback-listen", "127.0.0.1:\(port)", "--operator",
                    "127.0.0.1:\(metricsPort)", "--allow-private-destinations",
                ])
        }

        /// A webhook for everything, and a program that verifies what it is told and writes it to the file named.
        func listen(_ file: String, log: String) throws -> RunningProgram {
            let port = try LoopbackPort.free()
            let added = try installation.sluice(
                "webhook", "add", "http://127.0.0.1:\(port)/", "--account", installation.account,
                "--allow-private-destinations")
            let secret = try #require(added.split(separator: "\n").last { $0.hasPrefix("whsec_") })
            return try RunningProgram(
                "/bin/sh",
                [
                    "-c", #"exec "$0" webhook listen --port "$1" --secret "$2" > "$3""#, Programs.sluice, "\(port)",
                    String(secret), file,
                ], log: log)
        }

        func suppression(_ address: String) throws -> [String: String]? {
            struct Page: Decodable {
                let data: [Entry]
                struct Entry: Decodable {
                    let reason, origin: String
                }
            }
            let page = try JSONDecoder().decode(
                Page.self, from: Data(installation.get("/v1/suppressions?address=\(address)").utf8))
            return page.data.first.map { ["reason": $0.reason, "origin": $0.origin] }
        }

        func metric(_ name: String, _ labels: [String: String] = [:]) throws -> Double? {
            let text = try Programs.run(
                "/usr/bin/env", ["curl", "-sS", "--max-time", "20", "http://127.0.0.1:\(metricsPort)/metrics"])
            return try PrometheusLines.read(text).first { $0.name == name && $0.labels == labels }?.value
        }

        /// The header of the mail to `address` in Postfix's mailbox, unfolded.
        func header(of address: String) throws -> [String] {
            let folder = postfix.maildir + "/new"
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let text = String(
                    decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file)), as: UTF8.self)
                let header = (text.components(separatedBy: "\n\n").first ?? "").replacing("\n\t", with: " ")
                    .replacing("\n ", with: " ")
                if header.contains("To: <\(address)>") || header.contains("To: \(address)") {
                    return header.components(separatedBy: "\n")
                }
            }
            return []
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a mail that is taken and bounces later is suppressed, refunded and told by its report`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let dead = (0..<5).map { "reader\($0)@\(PostfixServer.deadDomain)" }
        let alive = ["kim@example.net", "lee@example.net", "max@example.net"]
        guard let setting = try Setting(directory, recipients: dead.count + alive.count) else { return }
        let told = directory.path + "/told"
        let listener = try setting.listen(told, log: directory.path + "/listen.log")
        defer { _ = listener.terminate() }
        let campaign = try setting.installation.send(
            subject: "Hello", text: "Hello", recipients: (dead + alive).map { #"{"email":"\#($0)"}"# + "\n" }.joined())
        let status = try await setting.installation.wait(for: campaign, seconds: 60)
        #expect(status["delivered"] == dead.count + alive.count, "all were taken: \(status.counters)")

        // The reports come after the purge as well.
        try await setting.postfix.waitForMails(alive.count, seconds: 30)
        for address in dead {
            try await eventually("\(address) is suppressed") { try setting.suppression(address) != nil }
            #expect(try setting.suppression(address) == ["reason": "hard_bounce", "origin": "feedback"])
        }
        for address in alive { #expect(try setting.suppression(address) == nil) }
        #expect(try setting.metric("sluice_inbound_facts_total", ["fact": "hard_bounce"]) == Double(dead.count))
        #expect(try setting.metric("sluice_inbound_facts_new_total") == Double(dead.count))

        try await eventually("each bounce is refunded") {
            try setting.installation.status(campaign).credits.refunded == dead.count
        }
        func count(_ type: String) throws -> Int {
            try String(contentsOfFile: told, encoding: .utf8).components(separatedBy: "\"type\":\"\(type)\"").count - 1
        }
        try await eventually("webhooks hear of each bounce once") {
            try count("message.bounced") == dead.count && count("suppression.added") == dead.count
                && count("credits.refunded") > 0 && count("campaign.purged") == 1
        }

        // A complaint and a mail to leave, with what a mailbox holds of the mails; the campaign is purged.
        let complained = try setting.header(of: alive[0])
        let identifier = try #require(complained.first { $0.hasPrefix("Message-ID: ") })
        #expect(
            try Self.deliver(Self.complaint(identifier), to: "fbl@bounce.news.example.com", port: setting.port) == 250)
        #expect(try setting.suppression(alive[0]) == ["reason": "complaint", "origin": "feedback"])
        let field = try #require(try setting.header(of: alive[1]).first { $0.hasPrefix("List-Unsubscribe: ") })
        let address = try #require(field.firstMatch(of: /<mailto:([^?>]+)\?subject=unsubscribe>/)).1
        #expect(try Self.deliver("Subject: unsubscribe\r\n", to: String(address), port: setting.port) == 250)
        #expect(try setting.suppression(alive[1]) == ["reason": "unsubscribe", "origin": "recipient"])
        #expect(try setting.suppression(alive[2]) == nil)

        // Of a letter in the right form, nobody is told.
        let log = try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)
        for word in ["reader0", "kim@", "lee@", String(identifier.dropFirst(13).prefix(20))] {
            #expect(!log.contains(word))
        }
    }

    private static func complaint(_ field: String) -> String {
        [
            "From: loop@provider.example", "Subject: complaint", "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b", "", "--b",
            "Content-Type: message/feedback-report", "", "Feedback-Type: abuse", "Version: 1", "", "--b",
            "Content-Type: text/rfc822-headers", "", field, "", "--b--",
        ].joined(separator: "\r\n")
    }

    private static func deliver(_ mail: String, to address: String, port: Int) throws -> Int? {
        let dialog = try #require(SMTPDialog(port: port))
        #expect(dialog.code() == 220)
        #expect(dialog.ask("EHLO mx.example.net") == 250)
        #expect(dialog.ask("MAIL FROM:<>") == 250)
        guard dialog.ask("RCPT TO:<\(address)>") == 250, dialog.ask("DATA") == 354 else { return nil }
        return dialog.ask(mail + "\r\n.")
    }
}
