import Foundation
import Testing

/// What an operator gets wrong is refused with a sentence that says so, and without a stack of debris.
@Suite(.serialized) struct BadSettingsTests {
    private func refuse(
        _ arguments: [String], saying words: String, environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let finished = try Programs.finish(Programs.sluice, arguments, environment: environment)
        #expect(finished.status != 0, sourceLocation: sourceLocation)
        #expect(
            finished.errors.contains(words), "said: \(finished.errors)\(finished.output)",
            sourceLocation: sourceLocation)
        #expect(!finished.errors.contains("Fatal error"), sourceLocation: sourceLocation)
    }

    @Test(.timeLimit(.minutes(5))) func `a master key other than the data's`() throws {
        let directory = try TemporaryDirectory()
        let data = ["--data", directory.path + "/data"]
        try Programs.run(Programs.sluice, ["account", "create", "a", "--credits", "5"] + data)
        let list = ["account", "list"] + data
        try refuse(
            list, saying: "master key is not the one",
            environment: ["SLUICE_MASTER_KEY": String(repeating: "ab", count: 32)])
        try refuse(list, saying: "master key", environment: ["SLUICE_MASTER_KEY": "short"])
        try refuse(list + ["--master-key-file", directory.path], saying: "master key")
        let file = directory.path + "/loose.key"
        try String(repeating: "ab", count: 32).write(toFile: file, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        try refuse(list + ["--master-key-file", file], saying: "master key")
        // The data is as it was.
        #expect(try Programs.run(Programs.sluice, list + ["--json"]).contains(#""posted" : 5"#))
        try refuse(["credits", "grant", "--account", "1", "-5"] + data, saying: "amount")
        try refuse(["credits", "grant", "--account", "1", "--", "-5"] + data, saying: "amount")
        try refuse(["credits", "grant", "--account", "9", "5"] + data, saying: "account")
        #expect(try Programs.run(Programs.sluice, list + ["--json"]).contains(#""posted" : 5"#))
    }

    @Test(.timeLimit(.minutes(5))) func `a port that is in use and data that are served`() throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let serve = ["serve", "--http", "127.0.0.1:\(sink.port)", "--route", "smtp://127.0.0.1:1"]
        try refuse(serve + ["--data", directory.path + "/data"], saying: "is in use")
        let installation = try Installation(directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 1)
        try refuse(
            ["serve", "--http", "127.0.0.1:0", "--helo", "mail.example.com", "--data", directory.path + "/data"],
            saying: "\(installation.server.identifier)")
        #expect(installation.server.isRunning)
    }

    @Test(.timeLimit(.minutes(2))) func `a database URL that leads nowhere`() throws {
        let directory = try TemporaryDirectory()
        let url = "postgresql://user:topsecret@127.0.0.1:1/none"
        let arguments = ["account", "list", "--data", directory.path, "--database-url", url]
        try refuse(arguments, saying: "connect")
        let finished = try Programs.finish(Programs.sluice, arguments)
        #expect(!finished.errors.contains("topsecret"))
        try refuse(
            ["account", "list", "--data", directory.path, "--database-url", "mysql://x"], saying: "SLUICE_DATABASE_URL")
    }

    @Test(arguments: [
        (["--smtp-port", "70000"], "smtp_port"), (["--route", "http://x"], "route"),
        (["--roles", "cook"], "role"), (["--http", "nonsense"], "http"), (["--log-level", "loud"], "log_level"),
        (["--public-url", "http://plain.example"], "public_url"), (["--helo", "two words"], "helo"),
        (["--helo", "vm"], "vm is a short name"),
        (["--routes", "/none"], "routes"), (["--trust-roots", "/none"], "trust_roots"),
        (["--route", "smtp://a.example", "--routes", "/none"], "exclude each other"),
        (["--route", "smtp://u:p@a.example", "--tls", "opportunistic"], "need TLS"),
        (["--tls-report-from", "nobody"], "tls_report_from"),
        (["--installation-mail-account", "7"], "installation_mail_account"),
        (["--sign-ups-per-day", "5"], "setting sign_ups_per_day: strangers are mailed codes"),
        (["--sign-ups-per-day=-1"], "sign_ups_per_day"),
        (["--feedback-id-sender", "a:b:c"], "feedback_id_sender"),
        (["--batch-signer", "maybe"], "maybe is not off, auto or require"),
        (
            ["--helo", "mail.example.net", "--batch-signer", "require", "--batch-signer-library", "/none"],
            "setting batch_signer: signatures cannot be made eight at a time"
        ),
        (["--results-for", "604801"], "results_for"), (["--results-for=-1"], "results_for"),
        (["--helo", "mail.example.net", "--refund-for", "2592001"], "refund_for"),
        (["--allow-private-destinations", "--http", "0.0.0.0:0"], "allow_private_destinations"),
        (["--trust-domains", "--http", "0.0.0.0:0"], "trust_domains"),
        (["--log-format", "xml"], "log_format"), (["--trusted-proxies", "10.0.0.1/8"], "trusted_proxies"),
    ]) func `settings out of bounds`(_ arguments: [String], _ words: String) throws {
        let directory = try TemporaryDirectory()
        try refuse(["serve", "--data", directory.path + "/data"] + arguments, saying: words)
    }

    @Test(.timeLimit(.minutes(1))) func `settings of the environment`() throws {
        let directory = try TemporaryDirectory()
        let serve = ["serve", "--data", directory.path + "/data"]
        for (variable, value, words) in [
            ("SLUICE_PUBLIC_URL", "http://plain.example", "public_url"), ("SLUICE_MTA_STS", "perhaps", "mta_sts"),
            ("SLUICE_TLS_REPORT_FROM", "nobody", "tls_report_from"), ("SLUICE_OPERATOR", "0.0.0.0:1", "operator"),
            ("SLUICE_FEEDBACK_ID_SENDER", "a:b:c", "feedback_id_sender"),
        ] {
            try refuse(serve, saying: "setting \(words): ", environment: [variable: value])
        }
    }

    @Test(.timeLimit(.minutes(1))) func `keys of the file that nobody knows`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/sluice.yaml"
        try "data: \(directory.path)/data\nsmtpPort: 2525\n".write(toFile: file, atomically: true, encoding: .utf8)
        let words = "\(file):2:1: unknown key smtpPort; did you mean smtp_port?"
        try refuse(["serve", "--config", file], saying: words)
        try refuse(["account", "list"], saying: words, environment: ["SLUICE_CONFIG": file])
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/data"))
        try "smtp_port: 0\n".write(toFile: file, atomically: true, encoding: .utf8)
        try refuse(["serve", "--config", file], saying: "0 is not a number from 1 to 65535")
    }

    @Test(.timeLimit(.minutes(3))) func `a database that may lose what was answered for`() throws {
        let directory = try TemporaryDirectory()
        // Enough for the records, and not for the vault beside them.
        let database = try ExternalPostgres(settings: ["fsync=off", "full_page_writes=off", "max_connections=50"])
        let data = ["--data", directory.path, "--database-url", database.url()]
        let list = ["account", "list"] + data
        let serve = ["serve", "--http", "127.0.0.1:0", "--helo", "mail.example.com", "--route", "smtp://127.0.0.1:1"]
        for setting in ["fsync = off", "full_page_writes = off", "max_connections = 50"] {
            try refuse(serve + data, saying: setting)
        }
        try refuse(list, saying: "fsync = off")
        try refuse(
            serve + data, saying: "max_connections = 50", environment: ["SLUICE_ALLOW_UNSAFE_DATABASE": "false"])
        // Nothing was made of it.
        #expect(try database.console.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0)

        let doctor = try Programs.finish(
            Programs.sluice, ["doctor", "--helo", "mail.example.com", "--dns", "127.0.0.1:1", "--json"] + data)
        #expect(doctor.status == 1)
        for setting in ["fsync = off", "full_page_writes = off", "max_connections = 50"] {
            #expect(doctor.output.contains(setting))
        }

        // The keys may lie on a server of their own.
        let safe = try ExternalPostgres()
        try refuse(
            ["account", "list", "--data", directory.path, "--database-url", safe.url()], saying: "fsync = off",
            environment: ["SLUICE_VAULT_DATABASE_URL": database.url()])

        let forced = try Programs.finish(Programs.sluice, list + ["--allow-unsafe-database"])
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(forced.errors.contains("THE DATABASE IS NOT SAFE") && forced.errors.contains("fsync = off"))
    }
}
