import Foundation
import TestSupport
import Testing

/// Codes of a real server, read from the mails that its own delivery has brought to a sink: the installation's mail is a campaign of the
/// account that is named, signed and paid for like any other.
@Suite struct MailedCodeTests {
    private static let host = "mail.example.com"
    private static let first = "violet tram 19 eats soup"
    private static let second = "rope lantern 42 goose"

    private final class Stage {
        let directory: TemporaryDirectory
        let sink: SinkProcess
        let installation: Installation
        private let roots: String
        private var seen: Set<String> = []
        /// What may show nowhere.
        private(set) var secrets = [MailedCodeTests.first, MailedCodeTests.second]

        init() throws {
            directory = try TemporaryDirectory()
            let certificates = try TestCertificates(in: directory.path)
            let made = try certificates.sinkOptions(for: MailedCodeTests.host)
            roots = certificates.roots
            sink = try SinkProcess(directory, ["--capture", directory.path + "/mails"])
            installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 20,
                serve: [
                    "--tls-certificate", made[1], "--tls-key", made[3], "--log-level", "trace",
                    "--installation-mail-account", "1", "--installation-mail-from",
                    "Sluice <no-reply@news.example.com>", "--sign-ups-per-day", "10",
                ])
            let added = try Programs.finish(
                Programs.sluice,
                [
                    "user", "create", "--account", installation.account, "ada@example.org", "--role", "owner", "--data",
                    directory.path + "/data",
                ], input: MailedCodeTests.first + "\n")
            guard added.status == 0 else {
                throw ProgramFailure(program: "sluice", arguments: ["user", "create"], finished: added)
            }
        }

        /// A call of a browser, whose cookies curl keeps in a file of its name.
        private func call(_ path: String, by browser: String, _ arguments: [String]) throws -> String {
            let jar = "\(directory.path)/\(browser).cookies"
            return try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "-i", "--max-time", "20", "--cacert", roots, "--resolve",
                    "\(MailedCodeTests.host):\(installation.apiPort):127.0.0.1", "--cookie", jar, "--cookie-jar", jar,
                    "https://\(MailedCodeTests.host):\(installation.apiPort)\(path)",
                ] + arguments)
        }

        func post(_ path: String, _ body: String, by browser: String) throws -> String {
            try call(path, by: browser, ["-H", "Content-Type: application/json", "-d", body])
        }

        func credits(by browser: String) throws -> String { try call("/v1/credits", by: browser, []) }

        func mail(to address: String) async throws -> String {
            try await Mailbox(folder: directory.path + "/mails", address: address).next(after: &seen)
        }

        /// The code of the next mail, in both of its forms.
        func code(to address: String, subject: String) async throws -> String {
            let mail = try await mail(to: address)
            #expect(mail.contains("Subject: \(subject)\r\n"), "\(mail)")
            #expect(mail.contains("From: Sluice <no-reply@news.example.com>") && mail.contains("DKIM-Signature:"))
            let codes = mail.matches(of: /\b([0-9]{3}) ([0-9]{3})\b/).map { "\($0.1)\($0.2)" }
            #expect(codes.count == 2 && Set(codes).count == 1, "\(mail)")
            return try #require(codes.first)
        }

        /// Cookies that a browser has been given, and what the server has written down meanwhile.
        func expectNothingInTheLog(_ browsers: [String]) throws {
            for browser in browsers {
                let jar = try String(contentsOfFile: "\(directory.path)/\(browser).cookies", encoding: .utf8)
                for line in jar.split(separator: "\n") where line.contains("__Host-sluice-") {
                    if let value = line.split(separator: "\t").last { secrets.append(String(value)) }
                }
            }
            let log = try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)
            #expect(log.count > 1_000)
            for secret in secrets + ["ada@example.org", "bo@example.org"] {
                #expect(!log.contains(secret), "\(secret.prefix(4))…")
            }
        }

        func signIn(_ password: String, by browser: String) throws -> String {
            try post(
                "/v1/session", #"{"email": "ada@example.org", "password": "\#(password)"}"#, by: browser)
        }
    }

    @Test(.timeLimit(.minutes(5))) func `codes are read from the mails that were delivered, and let people in`()
        async throws
    {
        let stage = try Stage()
        // A browser that is new.
        let asked = try stage.signIn(Self.first, by: "laptop")
        #expect(asked.hasPrefix("HTTP/1.1 202") && asked.contains(#""code_mailed":true"#), "\(asked)")
        let device = try await stage.code(to: "ada@example.org", subject: "Your code to sign in")
        let elsewhere = try stage.post("/v1/session/code", #"{"code": "\#(device)"}"#, by: "thief")
        #expect(elsewhere.hasPrefix("HTTP/1.1 410"), "\(elsewhere)")
        let inside = try stage.post("/v1/session/code", #"{"code": "\#(device)"}"#, by: "laptop")
        #expect(inside.hasPrefix("HTTP/1.1 201") && inside.contains(#""role":"owner""#), "\(inside)")
        #expect(try stage.signIn(Self.first, by: "laptop").hasPrefix("HTTP/1.1 201"))

        // A password that was forgotten.
        let forgotten = try stage.post("/v1/password/code", #"{"email": "ada@example.org"}"#, by: "laptop")
        #expect(forgotten.hasPrefix("HTTP/1.1 202"), "\(forgotten)")
        let reset = try await stage.code(to: "ada@example.org", subject: "Your code for a new password")
        let set = try stage.post(
            "/v1/password", #"{"code": "\#(reset)", "password": "\#(Self.second)"}"#, by: "laptop")
        #expect(set.hasPrefix("HTTP/1.1 204"), "\(set)")
        #expect(try stage.signIn(Self.first, by: "laptop").hasPrefix("HTTP/1.1 401"))
        // All browsers are new again.
        #expect(try stage.signIn(Self.second, by: "laptop").hasPrefix("HTTP/1.1 202"))
        let again = try await stage.code(to: "ada@example.org", subject: "Your code to sign in")
        let back = try stage.post("/v1/session/code", #"{"code": "\#(again)"}"#, by: "laptop")
        #expect(back.hasPrefix("HTTP/1.1 201"), "\(back)")

        // The account that is named has paid for each.
        for _ in 0..<100 where try !stage.credits(by: "laptop").contains(#""available":17"#) {
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try stage.credits(by: "laptop").contains(#""available":17"#))
        try stage.expectNothingInTheLog(["laptop"])
    }

    @Test(.timeLimit(.minutes(5)))
    func `a stranger opens an account by the code of a mail, and who has one is told so`()
        async throws
    {
        let stage = try Stage()
        func signUp(_ address: String) throws -> String {
            try stage.post(
                "/v1/signup", #"{"email": "\#(address)", "password": "\#(Self.second)", "account": "Acme"}"#,
                by: "phone")
        }
        let taken = try signUp("ada@example.org")
        #expect(taken.hasPrefix("HTTP/1.1 202"), "\(taken)")
        let told = try await stage.mail(to: "ada@example.org")
        #expect(told.contains("Subject: You have an account already\r\n"), "\(told)")
        #expect(told.contains("https://mail.example.com/sign-in") && told.contains("https://mail.example.com/password"))
        #expect(told.firstMatch(of: /\b[0-9]{3} [0-9]{3}\b/) == nil)

        let asked = try signUp("bo@example.org")
        #expect(asked.hasPrefix("HTTP/1.1 202"), "\(asked)")
        let code = try await stage.code(to: "bo@example.org", subject: "Your code to open an account")
        #expect(try !stage.installation.sluice("account", "list").contains("Acme"))
        let opened = try stage.post("/v1/signup/code", #"{"code": "\#(code)"}"#, by: "phone")
        #expect(opened.hasPrefix("HTTP/1.1 201") && opened.contains(#""role":"owner""#), "\(opened)")
        #expect(try stage.credits(by: "phone").contains(#""available":0"#))
        let accounts = try stage.installation.sluice("account", "list")
        #expect(accounts.contains(/Acme \([0-9A-Za-z]{6}\)/), "\(accounts)")
        try stage.expectNothingInTheLog(["phone"])

        // Before strangers find out, the doctor says that nobody mails them their codes.
        let doctor = try Programs.finish(
            Programs.sluice,
            ["doctor", "--dns", "127.0.0.1:1", "--helo", "mail.example.com", "--data", stage.directory.path + "/data"],
            environment: [
                "SLUICE_INSTALLATION_MAIL_ACCOUNT": "99", "SLUICE_PUBLIC_URL": "https://mail.example.com",
                "SLUICE_INSTALLATION_MAIL_FROM": "Sluice <no-reply@news.example.com>", "SLUICE_SIGN_UPS_PER_DAY": "10",
            ])
        #expect(doctor.status == 1 && doctor.output.contains("nobody can sign up"), "\(doctor)")
    }
}
