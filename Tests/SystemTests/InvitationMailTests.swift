import Foundation
import TestSupport
import Testing

/// Invitations of a real server: by mail through its own delivery, and by a link that a command prints.
@Suite(.serialized) struct InvitationMailTests {
    private static let password = "violet tram 19 eats soup"

    private struct Stage {
        let directory: TemporaryDirectory
        let sink: SinkProcess
        let installation: Installation

        /// - Parameter hasSender: the installation's own account sends its mail.
        init(hasSender: Bool) throws {
            directory = try TemporaryDirectory()
            sink = try SinkProcess(directory, ["--capture", directory.path + "/mails"])
            installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 20,
                serve: hasSender
                    ? [
                        "--installation-mail-account", "1",
                        "--installation-mail-from", "Sluice <no-reply@news.example.com>",
                    ] : [])
        }

        private var sender: [String: String] {
            [
                "SLUICE_INSTALLATION_MAIL_ACCOUNT": "1", "SLUICE_PUBLIC_URL": "https://mail.example.com",
                "SLUICE_INSTALLATION_MAIL_FROM": "Sluice <no-reply@news.example.com>", "SLUICE_TRUST_DOMAINS": "true",
            ]
        }

        func sluice(_ arguments: String..., hasSender: Bool) throws -> Programs.Finished {
            try Programs.finish(
                Programs.sluice, arguments + ["--data", directory.path + "/data"],
                environment: hasSender ? sender : ["SLUICE_PUBLIC_URL": "https://mail.example.com"])
        }

        func post(_ path: String, _ body: String) throws -> String {
            try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "-i", "--max-time", "20", "-H", "Content-Type: application/json", "-d", body,
                    "http://127.0.0.1:\(installation.apiPort)\(path)",
                ])
        }

        /// The mails that the sink has taken, unfolded.
        func mails() throws -> [String] {
            let folder = directory.path + "/mails"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return try names.filter { $0.hasSuffix(".eml") }.map {
                try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8).replacing("=\r\n", with: "")
                    .replacing("=3D", with: "=")
            }
        }

        func mail() async throws -> String {
            for _ in 0..<200 {
                if let mail = try mails().first { return mail }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw CancellationError()
        }
    }

    @Test(.timeLimit(.minutes(5))) func `an invitation is mailed, signed and paid for, and its link lets in`()
        async throws
    {
        let stage = try Stage(hasSender: true)
        let invited = try stage.sluice(
            "user", "invite", "--account", "1", "{{name}}.o'neil@example.org", "--role", "owner", hasSender: true)
        #expect(invited.status == 0 && invited.output == "inv_1\n", "\(invited)")
        let mail = try await stage.mail()
        #expect(mail.contains("From: Sluice <no-reply@news.example.com>") && mail.contains("DKIM-Signature:"))
        #expect(mail.contains("Subject: Invitation to an account") && mail.contains("Auto-Submitted: auto-generated"))
        #expect(mail.contains("List-Unsubscribe: <mailto:no-reply@news.example.com>"))
        // DKIM names the field, so that nobody adds it.
        #expect(!mail.contains("List-Unsubscribe-Post: "))
        let links = mail.matches(of: /https:\/\/mail\.example\.com\/join#([0-9A-Za-z]{43})/).map { String($0.1) }
        #expect(links.count == 2 && Set(links).count == 1, "\(mail)")
        let secret = try #require(links.first)
        let body = #"{"secret": "\#(secret)", "name": "O'Neil", "password": "\#(Self.password)"}"#
        let joined = try stage.post("/v1/membership", body)
        #expect(joined.hasPrefix("HTTP/1.1 201") && joined.contains(#""role":"owner""#), "\(joined)")
        #expect(try stage.post("/v1/membership", body).contains("invitation_over"))
        #expect(
            try stage.sluice("user", "list", "--account", "1", hasSender: true).output.contains("o'neil@example.org"))
        for _ in 0..<100 where try !stage.installation.get("/v1/credits").contains(#""available":19"#) {
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try stage.installation.get("/v1/credits").contains(#""available":19"#))
        let log = try String(contentsOfFile: stage.directory.path + "/serve.log", encoding: .utf8)
        for word in [secret, "o'neil"] { #expect(!log.contains(word)) }

        let doctor = try stage.sluice("doctor", "--dns", "127.0.0.1:1", "--helo", "mail.example.com", hasSender: true)
        #expect(doctor.output.contains("the mail of this installation leaves through account 1"), "\(doctor)")
    }

    @Test(.timeLimit(.minutes(5))) func `without a sender the command prints the link`() async throws {
        let stage = try Stage(hasSender: false)
        let first = try stage.sluice(
            "user", "invite", "--account", "1", "bo@example.org", "--role", "admin", hasSender: false)
        #expect(first.status != 0 && first.errors.contains("first user"), "\(first)")
        let invited = try stage.sluice(
            "user", "invite", "--account", "1", "bo@example.org", "--role", "owner", hasSender: false)
        let link = try #require(
            invited.output.wholeMatch(of: /inv_1\nhttps:\/\/mail\.example\.com\/join#([0-9A-Za-z]{43})\n/), "\(invited)"
        )
        let listed = try stage.sluice("user", "invitations", "--account", "1", hasSender: false)
        #expect(listed.output.contains("bo@example.org") && !listed.output.contains(link.1), "\(listed)")
        let joined = try stage.post(
            "/v1/membership", #"{"secret": "\#(link.1)", "password": "\#(Self.password)"}"#)
        #expect(joined.hasPrefix("HTTP/1.1 201"), "\(joined)")
        let again = try stage.sluice(
            "user", "invite", "--account", "1", "cy@example.org", "--role", "viewer", "--json", hasSender: false)
        #expect(again.output.contains(#""id":"inv_2""#), "\(again)")
        #expect(
            try stage.sluice("user", "uninvite", "--account", "1", "inv_2", hasSender: false).output == "taken back\n")
        for (arguments, text) in [
            (["user", "uninvite", "--account", "1", "inv_2"], "no such invitation"),
            (["user", "uninvite", "--account", "1", "usr_2"], "inv_7"),
            (["user", "invite", "--account", "99", "a@example.org", "--role", "owner"], "no such account"),
            (["user", "invite", "--account", "1", "bo@example.org", "--role", "viewer"], "signs in with this address"),
        ] {
            let finished = try Programs.finish(
                Programs.sluice, arguments + ["--data", stage.directory.path + "/data"])
            #expect(finished.status != 0 && finished.errors.contains(text), "\(arguments): \(finished)")
        }
    }
}
