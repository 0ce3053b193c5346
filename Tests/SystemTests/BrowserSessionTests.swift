import Foundation
import Testing

/// A session in Chromium, which nobody here wrote: what scripts see of it, and what the pages' policy lets through.
@Suite struct BrowserSessionTests {
    private static let host = "mail.example.com"
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("browse_session.py").path

    private struct Seen: Decodable {
        let inside: Inside
        let pages: [Page]
        /// Of contents that the policy of one of the pages forbids.
        let reports: [String]
        let breach: String
        let breachReports: [String]

        struct Inside: Decodable {
            let status, session, storeCookies: Int
            let scriptCookies: String
            let cookies: [Cookie]
        }

        struct Cookie: Decodable, Hashable {
            let name: String
            let httpOnly, secure: Bool
            let sameSite, path: String
        }

        struct Page: Decodable {
            let path, text, scriptCookies: String
        }
    }

    @Test(.timeLimit(.minutes(5))) func `no script sees the cookies, and no page breaks its policy`() throws {
        let directory = try TemporaryDirectory()
        let certificates = try TestCertificates(in: directory.path)
        let made = try certificates.sinkOptions(for: Self.host)
        let server = "https://\(Self.host):\(try LoopbackPort.free())"
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:1", credits: 7,
            serve: [
                "--tls-certificate", made[1], "--tls-key", made[3], "--http",
                "127.0.0.1:\(server.split(separator: ":")[2])", "--public-url", server,
            ])
        let password = "violet tram 19 eats soup"
        let added = try Programs.finish(
            Programs.sluice,
            [
                "user", "create", "--account", installation.account, "ada@example.org", "--role", "owner", "--data",
                directory.path + "/data",
            ], input: password + "\n")
        #expect(added.status == 0, "\(added)")
        let paths = [
            "/", "/health", "/u/none", "/v1/session", "/v1/credits", "/v1/campaigns", "/v1/nothing", "/v1/keys/key_9",
        ]
        let finished = try Programs.finish(
            "/usr/bin/env", ["python3", Self.script, server, "ada@example.org"] + paths, input: password)
        guard finished.status != 77 else {
            print("skipped: chromium is not installed")
            return
        }
        try #require(finished.status == 0, "\(finished)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let seen = try decoder.decode(Seen.self, from: Data(finished.output.utf8))

        #expect(seen.inside.status == 201 && seen.inside.session == 200)
        #expect(seen.inside.scriptCookies == "" && seen.inside.storeCookies == 0)
        #expect(
            Set(seen.inside.cookies)
                == Set(
                    ["token", "refresh"].map {
                        Seen.Cookie(
                            name: "__Host-sluice-\($0)", httpOnly: true, secure: true, sameSite: "Strict", path: "/")
                    }))
        #expect(seen.pages.map(\.path) == paths)
        #expect(seen.pages.allSatisfy { $0.scriptCookies == "" && !$0.text.isEmpty }, "\(seen.pages)")
        // The browser sent the cookies, which its scripts do not see.
        #expect(seen.pages[4].text.contains(#""available":7"#), "\(seen.pages[4])")
        #expect(seen.pages[6].text.contains("not_found"))
        #expect(seen.reports == [])
        #expect(seen.breach == "refused" && !seen.breachReports.isEmpty)
    }
}
