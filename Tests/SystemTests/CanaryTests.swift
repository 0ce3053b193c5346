import Foundation
import TestSupport
import Testing

/// Secrets and personal data are planted where operators and customers put them; then every command is run, mail is
/// delivered, bounced and put off, and all that was printed and logged, at the level that says most, is searched for them.
@Suite(.serialized) struct CanaryTests {
    private static let recipient = "canary-recipient"
    private static let name = "Canary Nameson"
    private static let subject = "Canary-Subject"
    private static let body = "canary-body"
    private static let suppressed = "canary-suppressed"
    private static let webhookPath = "canary-webhook-path"
    private static let user = "canary-user"
    private static let invited = "canary-invited"
    private static let operatorName = "canary-operator"
    private static let password = "canary password, 19 trams"
    private static let dkimKey = "BEGIN PRIVATE KEY"

    /// Demonstrations and measurements with data of their own, the server, which runs beside, and what runs until it is
    /// stopped.
    private static let others = [
        "demo", "serve", "sink", "trace", "webhook listen", "bench deliver", "bench bare", "bench lone", "bench import",
        "bench fair", "bench faults", "bench records", "bench feedback", "bench feedback-webhooks", "bench webhooks",
        "bench api",
    ]

    /// What a command is given, and what of the plants it is there to show.
    private struct Call {
        let command: String
        let arguments: [String]
        let shows: [String]

        init(_ command: String, _ target: [String] = [], _ more: [String] = [], shows: [String] = []) {
            self.command = command
            arguments = target + more
            self.shows = shows
        }
    }

    private static func calls(_ plants: Plants) -> [Call] {
        let account = ["--account", plants.account]
        return ofAccounts(account, plants) + ofPeople(account) + ofLists(account, plants) + ofCampaigns(account, plants)
            + ofOperators(plants)
    }

    private static func ofAccounts(_ account: [String], _ plants: Plants) -> [Call] {
        [
            Call("account create", ["canary account", "--json"]), Call("account list", ["--json"]),
            Call("account shape", account, ["--weight", "2"]), Call("account suspend", account, ["--for", "1"]),
            Call("account limits", account, ["--set", "drafts=7", "--json"]),
            Call("account drain", account, ["--for", "1"]), Call("account resume", account),
            Call("account fail", account, ["--yes"]),
            Call("account refunds", account, ["--for", "3600"]),
            Call("key create", account, ["canary", "--scope", "credits:read", "--json"]),
            Call("key list", account, ["--json"]), Call("key limit", account, ["key_9000000000"]),
            Call("key revoke", account, ["key_9000000000"]), Call("credits grant", account, ["5"]),
            Call("credits limit", account, ["7", "--json"]),
            Call("credits balance", account), Call("credits entries", account),
            Call("domain add", account, ["canary.example", "--key", plants.dkimFile]),
            Call("domain list", account, ["--json"]),
            Call("domain verify", account, [plants.domain, "--dns", "127.0.0.1:1"]),
            Call("domain reports", account, [plants.domain]), Call("domain add-key", account, ["canary.example"]),
            Call("domain remove-key", account, ["canary.example", "s1"]),
            Call("domain remove", account, ["canary.example"]),
        ]
    }

    private static func ofPeople(_ account: [String]) -> [Call] {
        let nobody = "usr_9000000000"
        return [
            Call("user create", account, ["\(user)@example.org", "--role", "owner", "--json"], shows: [user]),
            Call("user invite", account, ["\(invited)@example.org", "--role", "viewer"]),
            Call("user invitations", account, ["--json"], shows: [invited]),
            Call("user uninvite", account, ["inv_9000000000"]),
            Call("user list", account, ["--json"], shows: [user]), Call("user role", account, [nobody, "admin"]),
            Call("user password", account, [nobody]), Call("user remove", account, [nobody]),
            Call("user second-factor show", account, ["usr_1", "--json"]),
            Call("user second-factor remove", account, [nobody, "--reason", "canary"]),
            Call("user second-factor require", ["--operators", "--off"]),
            Call("operator create", ["\(operatorName)@example.org"]),
            Call("operator list", shows: [operatorName]), Call("operator password", [nobody]),
            Call("operator remove", [nobody]), Call("session list", account, ["--json"]),
            Call("session revoke", account, ["--all"]),
        ]
    }

    private static func ofLists(_ account: [String], _ plants: Plants) -> [Call] {
        let listed = [suppressed, recipient]
        let webhook = account + [plants.webhook]
        let url = "https://hooks.example.org/\(webhookPath)"
        return [
            Call("suppression add", account, ["\(suppressed)@example.org"]),
            Call("suppression import", account, [plants.list, "--reason", "manual"]),
            Call("suppression list", account, ["--json"], shows: listed),
            Call("suppression export", account, shows: listed),
            Call("suppression remove", account, ["\(suppressed)@example.org"]),
            Call("webhook add", account, [url, "--json"], shows: [webhookPath]),
            Call("webhook list", account, ["--json"], shows: [webhookPath]), Call("webhook rotate", webhook),
            Call("webhook enable", webhook), Call("webhook disable", webhook), Call("webhook attempts", webhook),
            Call("webhook replay", webhook, ["--since-seconds-ago", "600"]), Call("webhook test", webhook),
            Call("webhook remove", webhook),
        ]
    }

    private static func ofCampaigns(_ account: [String], _ plants: Plants) -> [Call] {
        let campaign = account + [plants.campaign]
        let sender = "\(name) <news@\(plants.domain)>"
        return [
            Call(
                "send", ["--from", sender, "--subject", subject, "--text", plants.mail],
                ["--recipients", plants.list, "--quote", "--json"]),
            Call("campaign list", account, ["--json"]), Call("campaign show", campaign),
            Call("campaign recipients", campaign, shows: [recipient]),
            Call("campaign outcomes", campaign, shows: [recipient]), Call("campaign suspend", campaign),
            Call("campaign drain", campaign), Call("campaign fail", campaign, ["--yes"]),
            Call("campaign pause", campaign),
            Call("campaign resume", campaign), Call("campaign cancel", campaign),
        ]
    }

    private static func ofOperators(_ plants: Plants) -> [Call] {
        [
            Call("ledger verify"), Call("top", ["--once", "--json"]), Call("lane list"),
            Call("lane suspend", ["nothing"]), Call("lane drain", ["nothing"]), Call("lane resume", ["nothing"]),
            Call("lane fail", ["nothing", "--yes"]), Call("lane empty", ["nothing"]), Call("nodes"),
            Call("classify", [plants.mail]), Call("feedback add", ["generic"]),
            Call("feedback key", ["1", "canary-key"]), Call("feedback list"), Call("feedback remove", ["1"]),
            Call("feedback rates", ["--json"]),
            Call("feedback test", ["generic", "--server", "http://127.0.0.1:1"]),
            Call("config check", ["--helo", "mail.example.com"]), Call("certificate list", ["--json"]),
            Call("certificate renew", ["nobody.example"]),
            Call("doctor", ["--dns", "127.0.0.1:1", "--helo", "mail.example.com"]),
        ]
    }

    private struct Plants {
        let account: String
        let domain: String
        let campaign: String
        let webhook: String
        /// Files.
        let mail, list, dkimFile: String
    }

    /// Every command that does something, from the program itself.
    private static func commands() throws -> Set<String> {
        struct Dump: Decodable {
            let command: Command
            struct Command: Decodable {
                let commandName: String
                let subcommands: [Command]?

                func leaves(_ path: [String]) -> [String] {
                    let below = (subcommands ?? []).filter { $0.commandName != "help" }
                    guard !below.isEmpty else { return [path.joined(separator: " ")] }
                    return below.flatMap { $0.leaves(path + [$0.commandName]) }
                }
            }
        }
        let text = try Programs.run(Programs.sluice, ["--experimental-dump-help"])
        return Set(try JSONDecoder().decode(Dump.self, from: Data(text.utf8)).command.leaves([]))
    }

    /// Commands that take no data directory.
    private static let withoutData: Set = ["send", "classify", "feedback test"]
    /// Those of the operator's socket.
    private static let ofTheSocket: Set = [
        "top", "lane list", "lane suspend", "lane drain", "lane resume", "lane fail", "lane empty",
    ]

    @Test(.timeLimit(.minutes(10))) func `no command and no log shows what was planted`() async throws {
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 100,
            serve: ["--log-level", "trace", "--results-for", "600"])
        let campaign = try installation.send(
            subject: Self.subject, html: "<p>\(Self.body) {{name}}</p>",
            recipients: ["", "bounce+", "defer+"].map {
                #"{"email": "\#($0)\#(Self.recipient)@example.net", "name": "\#(Self.name)"}"# + "\n"
            }.joined(), from: "\(Self.name) <news@\(installation.domain)>")
        let end = ContinuousClock.now + .seconds(60)
        while try installation.status(campaign).state != "completed", .now < end {
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(try installation.status(campaign).counters["delivered"] == 2)
        #expect(try installation.status(campaign).counters["bounced"] == 1)

        func file(_ name: String, _ content: String) throws -> String {
            let path = "\(directory.path)/\(name)"
            try content.write(toFile: path, atomically: false, encoding: .utf8)
            return path
        }
        let dkim = directory.path + "/dkim.pem"
        try Programs.run("/usr/bin/env", ["openssl", "genrsa", "-out", dkim, "2048"])
        let added = try installation.sluice(
            "webhook", "add", "https://hooks.example.org/\(Self.webhookPath)", "--account", installation.account)
        let secret = try #require(added.split(separator: "\n").last { $0.hasPrefix("whsec_") })
        let plants = Plants(
            account: installation.account, domain: installation.domain, campaign: campaign,
            webhook: try #require(added.split(separator: "\n").first.map(String.init)),
            mail: try file("mail.txt", Self.body),
            list: try file("list.csv", "email\n\(Self.recipient)2@example.net\n"),
            dkimFile: dkim)
        let master = try String(contentsOfFile: directory.path + "/data/master.key", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let dkimLine = try #require(
            try String(contentsOfFile: dkim, encoding: .utf8).split(separator: "\n").dropFirst(2).first)
        let planted =
            [Self.recipient, Self.name, Self.subject, Self.body, Self.suppressed, Self.webhookPath, Self.dkimKey]
            + [Self.user, Self.invited, Self.operatorName, Self.password]
            + [installation.key, String(secret), master, String(dkimLine), "canary-key"]
        #expect(planted.allSatisfy { $0.count >= 8 })

        func expectNothing(_ text: String, _ place: String, but shows: [String] = []) {
            for word in planted where !shows.contains(word) && text.contains(word) {
                Issue.record("\(word.prefix(24)) shows in \(place): \(text.prefix(2_000))")
            }
        }

        let calls = Self.calls(plants)
        #expect(Set(calls.map(\.command)).union(Self.others) == (try Self.commands()))
        for call in calls {
            let command = call.command
            var all = command.split(separator: " ").map(String.init) + call.arguments
            if Self.ofTheSocket.contains(command) {
                all += ["--data", directory.path + "/data"]
            } else if !Self.withoutData.contains(command) {
                all += ["--data", directory.path + "/data", "--log-level", "trace"]
            }
            let finished = try Programs.finish(
                "/usr/bin/env", ["timeout", "60", Programs.sluice] + all,
                environment: [
                    "SLUICE_KEY": installation.key, "SLUICE_URL": "http://127.0.0.1:\(installation.apiPort)",
                    "SLUICE_TRUST_DOMAINS": "true",
                ], input: Self.password + "\n")
            // 64 is a wrong use of the command: it did nothing that could show anything.
            #expect(finished.status != 64 && finished.status < 124, "\(command): \(finished.errors)")
            expectNothing(finished.output, command, but: call.shows)
            expectNothing(finished.errors, "the errors of \(command)")
        }
        _ = installation.server.terminate()
        let log = try String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)
        #expect(log.count > 1_000, "nothing was logged, so nothing was searched")
        for line in log.split(separator: "\n") { expectNothing(String(line), "the server's log") }
    }
}
