import Foundation
import Testing

/// The pages of people in Chromium, with the mails of a real server: from the link of an invitation to a session, a new browser, a new
/// password, an account of one's own, and a second factor.
@Suite struct PeoplePagesTests {
    private static let host = "mail.example.com"
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("browse_people.py").path

    private struct Seen: Decodable {
        /// What each session said on its page.
        let told: [String]
        let pages: [Page]
        /// Of contents that the policy of a page forbids.
        let reports: [String]
        let breach: String
        let cookies: [Cookie]
        let urls, foreign, secrets, codes: [String]

        struct Page: Decodable {
            let path: String
            let part, problem: String?
            let width, unnamed: Int
            let scriptCookies, address: String
        }

        struct Cookie: Decodable, Hashable {
            let name: String
            let httpOnly, secure: Bool
            let sameSite, path: String
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a link of a mail leads to a session, and no secret of it to an address, a log or a script`() throws {
        let directory = try TemporaryDirectory()
        let certificates = try TestCertificates(in: directory.path)
        let made = try certificates.sinkOptions(for: Self.host)
        let server = "https://\(Self.host):\(try LoopbackPort.free())"
        let sink = try SinkProcess(directory, ["--capture", directory.path + "/mails"])
        let sender = [
            "--installation-mail-account", "1", "--installation-mail-from", "Sluice <no-reply@news.example.com>",
            "--public-url", server,
        ]
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 20,
            serve: [
                "--tls-certificate", made[1], "--tls-key", made[3], "--http",
                "127.0.0.1:\(server.split(separator: ":")[2])", "--log-level", "trace", "--sign-ups-per-day", "10",
            ] + sender)
        try Programs.run(
            Programs.sluice,
            [
                "user", "invite", "--account", installation.account, "bo@example.org", "--role", "owner", "--data",
                directory.path + "/data",
            ],
            environment: [
                "SLUICE_INSTALLATION_MAIL_ACCOUNT": "1", "SLUICE_PUBLIC_URL": server,
                "SLUICE_INSTALLATION_MAIL_FROM": "Sluice <no-reply@news.example.com>",
            ])
        let finished = try Programs.finish(
            "/usr/bin/env", ["python3", Self.script, server, directory.path + "/mails"])
        guard finished.status != 77 else {
            print("skipped: chromium is not installed")
            return
        }
        try #require(finished.status == 0, "\(finished)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let seen = try decoder.decode(Seen.self, from: Data(finished.output.utf8))

        let who = ["bo", "bo", "cy", "cy"]
        #expect(seen.told.count == who.count)
        for (told, name) in zip(seen.told, who) {
            #expect(told.contains("signed in as \(name)@example.org, with the role owner."))
        }
        #expect(Set(seen.pages.map(\.path)) == ["/join", "/sign-in", "/password", "/sign-up"])
        for page in seen.pages {
            #expect(page.width <= 360 && page.unnamed == 0 && page.scriptCookies == "", "\(page)")
        }
        // The secret of a link is out of the address as soon as its page is shown.
        #expect(seen.pages.allSatisfy { !$0.address.contains("#") })
        #expect(seen.pages.filter { $0.part == "inside" }.allSatisfy { $0.address == server + "/sign-in" })
        #expect(
            Set(seen.cookies)
                == Set(
                    ["token", "refresh"].map {
                        Seen.Cookie(
                            name: "__Host-sluice-\($0)", httpOnly: true, secure: true, sameSite: "Strict", path: "/")
                    }))
        #expect(seen.reports == [] && seen.breach == "refused")
        #expect(seen.urls.count > 20 && seen.foreign == [])
        #expect(seen.secrets.count == 7 && seen.codes.count == 3)
        let log = try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)
        #expect(log.count > 1_000)
        let urls = seen.urls.map { $0.removingPercentEncoding ?? $0 }.joined(separator: "\n")
        for secret in seen.secrets + seen.codes {
            #expect(!urls.contains(secret) && !log.contains(secret), "\(secret.prefix(4))…")
        }
        for address in ["bo@example.org", "cy@example.org"] {
            #expect(!urls.contains(address) && !log.contains(address))
        }
    }
}
