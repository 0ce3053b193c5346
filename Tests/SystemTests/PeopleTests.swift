import Foundation
import TestSupport
import Testing

/// People of a real server: made by commands, signed in with curl over TLS, out within a second.
@Suite(.serialized) struct PeopleTests {
    private static let host = "mail.example.com"
    private static let password = "violet tram 19 eats soup"

    private struct Setting {
        let directory: TemporaryDirectory
        let installation: Installation
        let roots: String

        init() throws {
            directory = try TemporaryDirectory()
            let certificates = try TestCertificates(in: directory.path)
            let made = try certificates.sinkOptions(for: PeopleTests.host)
            roots = certificates.roots
            installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:1", credits: 7,
                serve: ["--tls-certificate", made[1], "--tls-key", made[3], "--log-level", "trace"])
        }

        private var jar: String { directory.path + "/cookies" }

        /// What curl prints of an answer, with the cookies that it keeps as a browser would.
        func curl(_ path: String, _ arguments: String...) throws -> String {
            try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "-i", "--max-time", "20", "--cacert", roots, "--resolve",
                    "\(PeopleTests.host):\(installation.apiPort):127.0.0.1", "--cookie", jar, "--cookie-jar", jar,
                    "https://\(PeopleTests.host):\(installation.apiPort)\(path)",
                ] + arguments)
        }

        func signIn(_ password: String = PeopleTests.password) throws -> String {
            try curl(
                "/v1/session", "-H", "Content-Type: application/json", "-H", "Origin: https://\(PeopleTests.host)",
                "-d",
                #"{"email": "ada@example.org", "password": "\#(password)"}"#)
        }

        /// Runs a command of sluice with a line of standard input.
        func sluice(_ arguments: String..., input: String = "") throws -> Programs.Finished {
            try Programs.finish(
                Programs.sluice, arguments + ["--data", directory.path + "/data"], input: input + "\n")
        }

        func kept() throws -> String { try String(contentsOfFile: jar, encoding: .utf8) }
    }

    @Test(.timeLimit(.minutes(5))) func `a person signs in over TLS, acts, and is out within a second`() async throws {
        let setting = try Setting()
        let account = ["--account", setting.installation.account]
        let refused = try setting.sluice(
            "user", "create", account[0], account[1], "ada@example.org", "--role", "owner", input: "password1234")
        #expect(refused.status != 0 && refused.errors.contains("first that are tried"))
        let made = try setting.sluice(
            "user", "create", account[0], account[1], "ada@example.org", "--role", "owner", input: Self.password)
        #expect(made.status == 0 && made.output == "usr_1\n", "\(made)")
        #expect(try setting.signIn("rope lantern 42 goose").hasPrefix("HTTP/1.1 401"))

        let answer = try setting.signIn()
        #expect(answer.hasPrefix("HTTP/1.1 201"), "\(answer)")
        #expect(answer.contains(#""role":"owner""#))
        // curl keeps a cookie of such a name only where it came over TLS, for `/`, and for no domain.
        let kept = try setting.kept()
        #expect(kept.contains("#HttpOnly_\(Self.host)\tFALSE\t/\tTRUE\t"))
        #expect(kept.contains("__Host-sluice-token") && kept.contains("__Host-sluice-refresh"))
        #expect(try setting.curl("/v1/credits").contains(#""available":7"#))

        let proof = try #require(answer.firstMatch(of: /"csrf_token":"([0-9a-f]+)"/)?.1)
        let body = ["-d", #"{"name": "n", "scopes": ["credits:read"]}"#]
        #expect(try setting.curl("/v1/keys", body[0], body[1]).contains("origin_refused"))
        let origin = "Origin: https://\(Self.host)"
        #expect(try setting.curl("/v1/keys", body[0], body[1], "-H", origin).contains("csrf_token_missing"))
        let key = try setting.curl("/v1/keys", body[0], body[1], "-H", origin, "-H", "X-CSRF-Token: \(proof)")
        #expect(key.hasPrefix("HTTP/1.1 201"), "\(key)")

        let listed = try setting.sluice("session", "list", account[0], account[1])
        #expect(listed.output.contains("ses_1 ") && listed.output.contains("usr_1"), "\(listed)")
        let ended = try setting.sluice("session", "revoke", account[0], account[1], "--user", "usr_1")
        #expect(ended.output == "ended\n", "\(ended)")
        try await Task.sleep(for: .seconds(1))
        #expect(try setting.curl("/v1/credits").hasPrefix("HTTP/1.1 401"))

        #expect(try setting.signIn().hasPrefix("HTTP/1.1 201"))
        let out = try setting.curl("/v1/session", "-X", "DELETE", "-H", origin, "-H", "X-CSRF-Token: \(proof)")
        // The token of the session before is none of this one.
        #expect(out.contains("csrf_token_missing"))
        let again = try #require(
            try setting.curl("/v1/session").firstMatch(of: /"csrf_token":"([0-9a-f]+)"/)?.1)
        #expect(
            try setting.curl("/v1/session", "-X", "DELETE", "-H", origin, "-H", "X-CSRF-Token: \(again)")
                .hasPrefix("HTTP/1.1 204"))
        #expect(try setting.curl("/v1/credits").hasPrefix("HTTP/1.1 401"))

        let last = try setting.sluice("user", "remove", account[0], account[1], "usr_1")
        #expect(last.status != 0 && last.errors.contains("owner as long as"), "\(last)")
        let log = try String(contentsOfFile: setting.directory.path + "/serve.log", encoding: .utf8)
        for secret in [Self.password, "ada@", String(proof), "__Host-sluice-token="] {
            #expect(!log.contains(secret), "\(secret)")
        }
    }

    /// Codes of an app that somebody else has written: the standard library of Python.
    private static let app = """
        import base64, hashlib, hmac, struct, sys, time, urllib.parse
        fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sys.argv[1]).query))
        step = int(time.time()) // int(fields["period"]) + int(sys.argv[2])
        code = hmac.new(base64.b32decode(fields["secret"]), struct.pack(">Q", step), getattr(hashlib, fields["algorithm"].lower()))
        at = code.digest()[-1] & 15
        number = struct.unpack(">I", code.digest()[at:at + 4])[0] & 0x7fffffff
        print(str(number % 10 ** int(fields["digits"])).zfill(int(fields["digits"])), end="")
        """

    @Test(.timeLimit(.minutes(5))) func `a second factor, from an app to the operator who takes it away`() throws {
        guard (try? Programs.run("/usr/bin/env", ["python3", "-c", ""])) != nil else {
            return print("skipped: python3 is not installed")
        }
        let setting = try Setting()
        let account = ["--account", setting.installation.account]
        let made = try setting.sluice(
            "user", "create", account[0], account[1], "ada@example.org", "--role", "owner", input: Self.password)
        #expect(made.status == 0, "\(made)")
        let origin = "Origin: https://\(Self.host)"
        func proof(_ answer: String) throws -> String {
            "X-CSRF-Token: " + (try #require(answer.firstMatch(of: /"csrf_token":"([0-9a-f]+)"/)?.1))
        }
        let csrf = try proof(try setting.signIn())
        let begun = try setting.curl(
            "/v1/me/second-factor", "-H", origin, "-H", csrf, "-d", #"{"password": "\#(Self.password)"}"#)
        #expect(begun.hasPrefix("HTTP/1.1 201"), "\(begun)")
        let uri = String(try #require(begun.firstMatch(of: /"uri":"([^"]+)"/)?.1))
        func code(_ shift: Int = 0) throws -> String {
            try Programs.run("/usr/bin/env", ["python3", "-c", Self.app, uri, String(shift)])
        }
        let confirmed = try setting.curl(
            "/v1/me/second-factor/confirm", "-H", origin, "-H", csrf, "-d", #"{"code": "\#(try code())"}"#)
        #expect(confirmed.hasPrefix("HTTP/1.1 200"), "\(confirmed)")
        let recovery = confirmed.matches(of: /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/).map { String($0.0) }
        #expect(recovery.count == 10)

        #expect(try setting.signIn().hasPrefix("HTTP/1.1 202"))
        // The code that confirmed is over; the next one is taken early.
        let second = try setting.curl("/v1/session/second-factor", "-H", origin, "-d", #"{"code": "\#(try code(1))"}"#)
        #expect(second.hasPrefix("HTTP/1.1 201"), "\(second)")
        #expect(try setting.curl("/v1/credits").contains(#""available":7"#))
        #expect(try setting.signIn().hasPrefix("HTTP/1.1 202"))
        let third = try setting.curl(
            "/v1/session/second-factor", "-H", origin, "-d", #"{"recovery_code": "\#(recovery[0])"}"#)
        #expect(third.hasPrefix("HTTP/1.1 201"), "\(third)")
        #expect(third.contains(#"RateLimit"#) == false)
        let answer = try setting.curl("/v1/credits")
        #expect(answer.contains(#"RateLimit-Policy: "user";q=600;w=60"#), "\(answer)")

        let shown = try setting.sluice("user", "second-factor", "show", account[0], account[1], "usr_1")
        #expect(
            shown.output.contains("9 recovery codes left") && shown.output.contains("recovery_code_used"), "\(shown)")
        for (reason, text) in [("", "a reason has"), (String(repeating: "x", count: 201), "a reason has")] {
            let refused = try setting.sluice(
                "user", "second-factor", "remove", account[0], account[1], "usr_1", "--reason", reason)
            #expect(refused.status != 0 && refused.errors.contains(text), "\(refused)")
        }
        let removed = try setting.sluice(
            "user", "second-factor", "remove", account[0], account[1], "usr_1", "--reason", "lost phone")
        #expect(removed.output == "removed\n", "\(removed)")
        let again = try setting.sluice(
            "user", "second-factor", "remove", account[0], account[1], "usr_1", "--reason", "lost phone")
        #expect(again.status != 0 && again.errors.contains("no second factor"), "\(again)")
        let trace = try setting.sluice("user", "second-factor", "show", account[0], account[1], "usr_1")
        #expect(trace.output.hasPrefix("none\n"))
        #expect(trace.output.contains("removed_by_operator") && trace.output.contains("lost phone"), "\(trace)")
        #expect(try setting.signIn().hasPrefix("HTTP/1.1 201"))

        let log = try String(contentsOfFile: setting.directory.path + "/serve.log", encoding: .utf8)
        let secret = try #require(begun.firstMatch(of: /"secret":"([A-Z2-7]+)"/)?.1)
        for word in recovery + [String(secret), "otpauth", "__Host-sluice-step="] {
            #expect(!log.contains(word), "\(word.prefix(9))")
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a second factor that is demanded holds whoever is signed in, within a second`()
        async throws
    {
        let setting = try Setting()
        let account = ["--account", setting.installation.account]
        let made = try setting.sluice(
            "user", "create", account[0], account[1], "ada@example.org", "--role", "owner", input: Self.password)
        #expect(made.status == 0, "\(made)")
        #expect(try setting.signIn().hasPrefix("HTTP/1.1 201"))
        #expect(try setting.curl("/v1/me/sessions").contains(#""client":"curl","network":"127.0.0.0/24""#))
        let listed = try setting.sluice("session", "list", account[0], account[1]).output
        #expect(listed.contains("curl") && listed.contains("127.0.0.0/24"), "\(listed)")
        func require(_ more: String...) throws -> String {
            try Programs.finish(
                Programs.sluice,
                ["user", "second-factor", "require"] + account + more + ["--data", setting.directory.path + "/data"]
            ).output
        }
        #expect(try setting.curl("/v1/credits").hasPrefix("HTTP/1.1 200"))
        #expect(try require() == "required\n")
        try await Task.sleep(for: .seconds(1))
        #expect(try setting.curl("/v1/credits").contains(#""code":"second_factor_required""#))
        #expect(try setting.curl("/v1/session").contains(#""second_factor_required":true"#))
        let shown = try setting.sluice("user", "second-factor", "show", account[0], account[1], "usr_1")
        #expect(shown.output == "none; one is required\n", "\(shown)")
        #expect(try require("--off") == "not required\n")
        try await Task.sleep(for: .seconds(1))
        #expect(try setting.curl("/v1/credits").hasPrefix("HTTP/1.1 200"))
    }

    @Test(.timeLimit(.minutes(5))) func `operators and wrong uses of the commands`() throws {
        let setting = try Setting()
        let made = try setting.sluice("operator", "create", "Root@example.net", "--json", input: Self.password)
        #expect(made.status == 0 && made.output.contains(#""role":"operator""#), "\(made)")
        #expect(try setting.sluice("operator", "list").output.contains("root@example.net"))
        #expect(
            try setting.sluice("user", "list", "--account", setting.installation.account).output
                .contains("root@") == false)
        #expect(try setting.sluice("session", "list", "--operators").status == 0)
        for (arguments, text) in [
            (["user", "create", "--account", "99", "a@example.org", "--role", "owner"], "no such account"),
            (["user", "create", "--account", "1", "a@example.org", "--role", "admin"], "first user"),
            (["user", "create", "--account", "1", "a@example.org", "--role", "operator"], "--role"),
            (["user", "create", "--account", "0", "a@example.org", "--role", "owner"], "account"),
            (["user", "create", "--account", "1", "root@EXAMPLE.net", "--role", "owner"], "address already"),
            (["user", "create", "--account", "1", "nobody", "--role", "owner"], "email address"),
            (["user", "remove", "--account", "1", "usr_1"], "no such user"),
            (["user", "role", "--account", "1", "usr_01", "admin"], "usr_7"),
            (["user", "password", "--account", "1", "usr_99"], "no such user"),
            (["user", "second-factor", "remove", "--account", "1", "usr_99", "--reason", "r"], "no second factor"),
            (["user", "second-factor", "remove", "--account", "1", "usr_1"], "--reason"),
            (["user", "second-factor", "show", "usr_1"], "either"),
            (["user", "second-factor", "require", "--account", "99"], "no such account"),
            (["user", "second-factor", "require"], "either"),
            (["session", "revoke", "--operators"], "--user or --all"),
            (["session", "revoke", "--operators", "--account", "1", "--all"], "either"),
            (["session", "revoke", "--operators", "ses_99"], "no such session"),
            (["session", "list"], "either"), (["operator", "remove", "usr_99"], "no such user"),
        ] {
            let finished = try Programs.finish(
                Programs.sluice, arguments + ["--data", setting.directory.path + "/data"], input: Self.password + "\n")
            #expect(finished.status != 0 && finished.errors.contains(text), "\(arguments): \(finished)")
        }
        #expect(try setting.sluice("operator", "remove", "usr_1").output == "removed\n")
        #expect(try setting.sluice("operator", "list").output.contains("root@") == false)
    }
}
