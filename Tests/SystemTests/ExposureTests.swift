import Foundation
import TestSupport
import Testing

/// TLS of the API as programs of others see it, and settings that are checked before a start.
@Suite(.serialized) struct ExposureTests {
    private static let host = "mail.example.com"

    /// A server with TLS, its redirector and its mail server, and the files of its certificate.
    private struct Setting {
        let directory: TemporaryDirectory
        let installation: Installation
        let certificates: TestCertificates
        let plainPort: Int
        let mailPort: Int

        var certificate: String { directory.path + "/server.pem" }
        var key: String { directory.path + "/server.key" }

        init() throws {
            directory = try TemporaryDirectory()
            certificates = try TestCertificates(in: directory.path)
            plainPort = try LoopbackPort.free()
            mailPort = try LoopbackPort.free()
            let (certificate, key) = (directory.path + "/server.pem", directory.path + "/server.key")
            try Self.renew(certificates, certificate, key)
            installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:1", credits: 1,
                serve: [
                    "--tls-certificate", certificate, "--tls-key", key, "--http-redirect", "127.0.0.1:\(plainPort)",
                    "--roles", "api,delivery,feedback", "--feedback-listen", "127.0.0.1:\(mailPort)", "--log-format",
                    "json",
                ])
        }

        static func renew(_ certificates: TestCertificates, _ certificate: String, _ key: String) throws {
            let made = try certificates.sinkOptions(for: host)
            for (from, to) in [(made[1], certificate), (made[3], key)] {
                try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
            }
        }

        /// What curl prints of an answer: its head and its body.
        func curl(_ url: String, _ arguments: String..., expecting status: Int32 = 0) throws -> String {
            try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "-i", "--max-time", "20", "--cacert", certificates.roots, "--resolve",
                    "\(host):\(installation.apiPort):127.0.0.1", "-H", "Authorization: Bearer \(installation.key)", url,
                ] + arguments, expecting: status)
        }

        var api: String { "https://\(host):\(installation.apiPort)" }

        /// The serial number of the certificate that a handshake shows.
        func serial(_ arguments: String...) throws -> String {
            let shown = try Programs.finish(
                "/usr/bin/env", ["timeout", "20", "openssl", "s_client"] + arguments, input: "")
            return try Programs.run("/usr/bin/env", ["openssl", "x509", "-noout", "-serial"], input: shown.output)
        }

        func log() throws -> String { try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8) }
    }

    @Test(.timeLimit(.minutes(5))) func `TLS 1.3 alone, redirects for pages, refusals for calls`() throws {
        let setting = try Setting()
        let answer = try setting.curl(setting.api + "/v1/credits")
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        #expect(answer.lowercased().contains("strict-transport-security: max-age=31536000; includesubdomains"))
        #expect(try setting.curl(setting.api + "/nothing").lowercased().contains("strict-transport-security:"))
        // curl: 35 is a handshake that failed, 52 and 56 an answer that never came.
        _ = try setting.curl(setting.api + "/v1/credits", "--tls-max", "1.2", expecting: 35)
        let plain = try Programs.finish(
            "/usr/bin/env",
            ["curl", "-sS", "--max-time", "20", "http://127.0.0.1:\(setting.installation.apiPort)/v1/credits"])
        #expect(plain.status != 0 && plain.output.isEmpty)

        let redirector = "http://127.0.0.1:\(setting.plainPort)"
        let page = try setting.curl(redirector + "/u/abc")
        #expect(page.hasPrefix("HTTP/1.1 308") && page.contains("ocation: https://mail.example.com/u/abc"))
        let call = try setting.curl(redirector + "/v1/credits")
        #expect(call.hasPrefix("HTTP/1.1 403") && call.contains("https_required") && !call.contains("ocation:"))
        let log = try setting.log()
        #expect(log.contains(#""message":"a key was sent over plain HTTP: revoke it""#))
        #expect(!log.contains(setting.installation.key))
        for line in log.split(separator: "\n") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a renewed certificate is used without a restart, a broken one is not`()
        async throws
    {
        let setting = try Setting()
        let api = "127.0.0.1:\(setting.installation.apiPort)"
        let mail = "127.0.0.1:\(setting.mailPort)"
        let first = try setting.serial("-connect", api)
        #expect(try setting.serial("-connect", mail, "-starttls", "smtp") == first)
        try Setting.renew(setting.certificates, setting.certificate, setting.key)
        kill(setting.installation.server.identifier, SIGHUP)
        try await eventually { try setting.serial("-connect", api) != first }
        let second = try setting.serial("-connect", api)
        #expect(try setting.serial("-connect", mail, "-starttls", "smtp") == second)
        #expect(try setting.log().contains("certificate reloaded"))

        try "nonsense".write(toFile: setting.key, atomically: false, encoding: .utf8)
        kill(setting.installation.server.identifier, SIGHUP)
        try await eventually { try setting.log().contains("certificate not reloaded: the old one stays") }
        #expect(try setting.serial("-connect", api) == second)
        #expect(try setting.curl(setting.api + "/v1/credits").hasPrefix("HTTP/1.1 200"))
    }

    // MARK: config check

    private func check(_ arguments: [String], environment: [String: String] = [:]) throws -> Programs.Finished {
        let directory = try TemporaryDirectory()
        let finished = try Programs.finish(
            Programs.sluice,
            ["config", "check", "--helo", "mail.example.net", "--data", directory.path + "/data"] + arguments,
            environment: environment)
        // It starts and makes nothing.
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/data"))
        return finished
    }

    @Test func `sound settings pass`() throws {
        let finished = try check([
            "--http", "10.0.0.5:8025", "--trusted-proxies", "10.0.0.2,2001:db8::/32", "--public-url",
            "https://mail.example.net", "--database-url",
            "postgresql://sluice@db.example.net/sluice?sslmode=verify-full",
        ])
        #expect(finished.status == 0 && finished.output == "ok       the settings are sound\n", "\(finished.output)")
    }

    @Test(arguments: [
        (["--smtp-port", "70000"], "smtp_port"), (["--log-format", "xml"], "log_format"),
        (["--http", "0.0.0.0:8025"], "setting http: "), (["--http-redirect", "0.0.0.0:80"], "http_redirect"),
        (["--trusted-proxies", "10.0.0.1/8"], "trusted_proxies"), (["--tls-certificate", "/none"], "tls_key"),
        (["--tls-certificate", "/none", "--tls-key", "/none"], "tls_certificate"),
        (["--database-url", "postgresql://sluice@db.example.net/sluice"], "database_url"),
        (["--database-url", "postgresql://sluice@db.example.net/sluice?sslmode=prefer"], "without TLS"),
        (["--results-for", "604801"], "results_for"), (["--refund-for=-1"], "refund_for"),
        // Unsafe in production, though a start takes them.
        (["--force"], "setting force"), (["--trust-domains"], "setting trust_domains"),
        (["--allow-private-destinations"], "setting allow_private_destinations"),
        (["--allow-unsafe-database"], "setting allow_unsafe_database"),
    ]) func `what a start refuses, and what is unsafe, is named`(_ arguments: [String], _ words: String) throws {
        let finished = try check(arguments)
        #expect(finished.status == 1)
        #expect(finished.output.contains("PROBLEM  ") && finished.output.contains(words), "\(finished.output)")
        #expect(!finished.output.contains("are sound"))
    }

    @Test func `an expired certificate is a problem, a file with a mistake is named`() throws {
        let directory = try TemporaryDirectory()
        let (certificate, key) = (directory.path + "/old.pem", directory.path + "/old.key")
        try Programs.run(
            "/usr/bin/env",
            [
                "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=old",
                "-keyout", key, "-out", certificate + ".csr",
            ])
        // It ends in the second in which it begins.
        try Programs.run(
            "/usr/bin/env",
            [
                "openssl", "x509", "-req", "-in", certificate + ".csr", "-signkey", key, "-days", "0", "-out",
                certificate,
            ])
        let expired = try check(["--tls-certificate", certificate, "--tls-key", key])
        #expect(expired.status == 1 && expired.output.contains("the certificate has expired"), "\(expired.output)")
        let file = directory.path + "/sluice.yaml"
        try "logFormat: json\n".write(toFile: file, atomically: false, encoding: .utf8)
        let mistake = try check(["--config", file])
        #expect(mistake.status == 1 && mistake.output.contains("unknown key logFormat; did you mean log_format?"))
    }

    @Test func `the same is refused by a start`() throws {
        let directory = try TemporaryDirectory()
        let serve = ["serve", "--helo", "mail.example.net", "--data", directory.path + "/data"]
        for (arguments, words) in [
            (["--http", "0.0.0.0:0"], "setting http: "), (["--http-redirect", "127.0.0.1:0"], "http_redirect"),
            (["--trusted-proxies", "proxy"], "trusted_proxies"),
            (["--database-url", "postgresql://sluice@192.0.2.1/sluice"], "database_url"),
        ] {
            let finished = try Programs.finish(Programs.sluice, serve + arguments)
            #expect(finished.status != 0 && finished.errors.contains(words), "\(finished.errors)")
        }
    }
}
