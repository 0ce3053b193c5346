import MailTypes
import StrictYAML
import TestSupport
import Testing
import TrafficShaping

@Suite struct ProviderRulesTests {
    @Test(
        arguments: [
            (["gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"], "example.org", "gmail"),
            (["ASPMX.L.GOOGLE.COM"], nil, "gmail"),
            (["mta7.am0.yahoodns.net"], "aol.com", "yahoo"),
            (["elsewhere.example"], "yahoo.com", "yahoo"),
            (["outlook-com.olc.protection.outlook.com"], "outlook.com", "microsoft"),
            (["contoso-com.mail.protection.outlook.com"], "contoso.com", "office365"),
            (["contoso-com.a-v1.mx.microsoft"], "contoso.com", "office365"),
            (["mx01.mail.icloud.com"], "me.com", "icloud"),
            (["mx00.gmx.net"], "gmx.net", "gmx"), (["mx-ha02.web.de"], "web.de", "gmx"),
            (["mxs.mail.ru"], "mail.ru", "mailru"), (["mx.yandex.ru"], "yandex.ru", "yandex"),
            (["smtp-in.orange.fr"], "orange.fr", "orange"), (["mx1a1.comcast.net"], "comcast.net", "comcast"),
            (["mx0a-001.pphosted.com"], "corp.example", "proofpoint"),
            (["eu-smtp-inbound-1.mimecast.com"], "corp.example", "mimecast"),
            (["d1.a.ess.barracudanetworks.com"], "corp.example", "barracuda"),
            (["mx.notgoogle.com"], "example.org", "default"), (["google.com.example.org"], "example.org", "default"),
            ([], nil, "default"),
            (["mx.example.org", "aspmx.l.google.com"], "example.org", "gmail"),
        ] as [([String], String?, String)])
    func `finds the provider of a site`(hosts: [String], domain: String?, name: String) {
        #expect(ProviderRules.builtIn.provider(forMX: hosts, domain: domain).name == name)
    }

    @Test(
        arguments: [
            ("arf.mail.yahoo.com", "yahoo"), ("Hotmail.com", "microsoft"), ("mail-1.google.com", "gmail"),
            ("googlemail.com", "gmail"), ("notyahoo.com", nil), ("com", nil), ("", nil), ("shop.example", nil),
        ] as [(String, String?)])
    func `whoever reports is known by the end of its name`(host: String, name: String?) {
        #expect(ProviderRules.builtIn.provider(ofHost: host)?.name == name)
    }

    @Test func `operators extend and add providers`() throws {
        let rules = try ProviderRules(
            operatorFile: """
                providers:
                  gmail:
                    connections: 3
                    rate: 600/min
                    replies:
                      - {code: 421, enhanced: 4.7.28, action: suspend, for: 15m}
                  orange: {rate: none, domains: [wanadoo.fr]}
                  partner:
                    mx: ["*.example.net", aspmx.l.google.com]
                    messages_per_connection: 7
                  default:
                    connections: 4
                    rate: 5000/h
                """, named: "shaping.yaml")
        let gmail = rules.provider(forMX: ["alt1.gmail-smtp-in.l.google.com"], domain: nil)
        #expect((gmail.name, gmail.limits.connections, gmail.limits.messagesPerConnection) == ("gmail", 3, 50))
        #expect(gmail.limits.rate == MessageRate(600, per: .minute))
        let enhanced = EnhancedStatusCode("4.7.28")
        #expect(gmail.action(for: 421, enhanced: enhanced, text: "unusual rate") == .suspend(seconds: 900))
        #expect(gmail.action(for: 451, enhanced: enhanced, text: "unusual rate") == .slowDown)

        let partner = rules.provider(forMX: ["aspmx.l.google.com"], domain: nil)
        #expect((partner.name, partner.limits.connections, partner.limits.messagesPerConnection) == ("partner", 4, 7))
        #expect(partner.limits.rate == MessageRate(5_000, per: .hour), "what it does not say is taken from default")
        #expect(rules.provider(forMX: ["mx.example.net"], domain: nil).name == "partner")
        let orange = rules.provider(forMX: [], domain: "wanadoo.fr")
        #expect(orange.name == "orange" && orange.limits.rate == nil && orange.limits.connections == 2)
        #expect(rules.fallback.limits.connections == 4)
        #expect(rules.fallback.action(for: 421, enhanced: nil, text: "Too many connections") == .slowDown)
        #expect(try ProviderRules(operatorFile: "", named: "empty").providers == ProviderRules.builtIn.providers)
    }

    @Test func `explains what applies`() throws {
        let rules = try ProviderRules(
            operatorFile: "providers: {yahoo: {rate: 10/s, replies: [{code: 451, action: suspend, for: 1h}]}}",
            named: "shaping.yaml")
        let lines = rules.explain(forMX: ["mta5.am0.yahoodns.net"], domain: "example.org")
        #expect(
            lines.prefix(7) == [
                "provider yahoo: mail host mta5.am0.yahoodns.net is of yahoodns.net", "connections 5",
                "messages per connection 20", "rate 10/s", "pause after 3 blocks", "limits of all its sites together",
                "reply 451: suspend for 3600 s [yahoo, shaping.yaml]",
            ])
        #expect(lines.last?.hasSuffix("[default, built-in]") == true)
        #expect(rules.explain(forMX: ["mx.example.org"], domain: nil)[0] == "provider default: no pattern matches")
    }

    @Test(
        arguments: [
            (
                "providers: [a", .unreadable,
                "shaping.yaml:2:1: not YAML: did not find expected ',' or ']'"
            ),
            (
                "provider: {}", .unknownKey,
                "shaping.yaml:1:1: unknown key provider; did you mean providers?"
            ),
            (
                "providers: 7", .wrongKind,
                "shaping.yaml:1:12: providers: expected `key: value` lines"
            ),
            (
                "providers:\n  a: {mx: [a.example], conections: 3}", .unknownKey,
                "shaping.yaml:2:24: providers.a: unknown key conections; did you mean connections?"
            ),
            (
                "providers:\n  a:\n    mx: [a.example]\n    connections: 0", .invalidValue,
                "shaping.yaml:4:18: providers.a.connections: 0 is not a number from 1 to 10000"
            ),
            (
                "providers:\n  a:\n    mx: [a.example]\n    messages_per_connection: many", .invalidValue,
                "shaping.yaml:4:30: providers.a.messages_per_connection: many is not a number from 1 to 1000000"
            ),
            (
                "providers:\n  a: {mx: [a.example], rate: 0/s}", .invalidValue,
                "shaping.yaml:2:30: providers.a.rate: 0/s is not a rate such as 100/s, 600/min, 5000/h, "
                    + "20000/d or none"
            ),
            (
                "providers:\n  a: {mx: [a.example], rate: 5/week}", .invalidValue,
                "shaping.yaml:2:30: providers.a.rate: 5/week is not a rate such as 100/s, 600/min, "
                    + "5000/h, 20000/d or none"
            ),
            (
                "providers:\n  a: {connections: 3}", .missingKey,
                "shaping.yaml:2:3: providers.a: lacks `mx` or `domains`, without which nothing finds the "
                    + "provider"
            ),
            (
                "providers:\n  default: {mx: [a.example]}", .invalidValue,
                "shaping.yaml:2:3: providers.default: takes no `mx` or `domains`: `default` matches what "
                    + "no other does"
            ),
            (
                "providers:\n  a: {mx: a.example}", .wrongKind,
                "shaping.yaml:2:11: providers.a.mx: expected a list of one or more"
            ),
            (
                "providers:\n  a: {mx: []}", .wrongKind,
                "shaping.yaml:2:11: providers.a.mx: expected a list of one or more"
            ),
            (
                "providers:\n  a: {mx: [\"*\"]}", .invalidValue,
                "shaping.yaml:2:12: providers.a.mx[0]: * is not the name of a host or domain"
            ),
            (
                "providers:\n  a: {mx: [.mx.example]}\n  b:\n    mx: [b.example, MX.example]", .duplicate,
                "shaping.yaml:4:21: providers.b.mx[1]: mx.example is also in a"
            ),
            (
                "providers:\n  a: {mx: [\"*.x.example\", x.example]}", .duplicate,
                "shaping.yaml:2:27: providers.a.mx[1]: x.example is also in a"
            ),
            (
                "providers:\n  a: {domains: [x.example]}\n  b: {domains: [x.example]}", .duplicate,
                "shaping.yaml:3:17: providers.b.domains[0]: x.example is also in a"
            ),
            (
                "providers:\n  a: {mx: [a.example]}\n  a: {mx: [b.example]}", .duplicate,
                "shaping.yaml:2:3: given twice: a"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421, action: slowdown}", .invalidValue,
                "shaping.yaml:4:29: providers.gmail.replies[0].action: slowdown is not one of slow_down, "
                    + "suspend, rotate_source, bounce, retry, mark_mailbox, ignore"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421, action: suspend}", .missingKey,
                "shaping.yaml:4:29: providers.gmail.replies[0].action: suspend needs `for`, such as `for: 10m`"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421, action: slow_down, for: 10m}", .invalidValue,
                "shaping.yaml:4:40: providers.gmail.replies[0].for: slow_down takes no time"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421, action: suspend, for: 10}", .invalidValue,
                "shaping.yaml:4:43: providers.gmail.replies[0].for: 10 is not a time such as 30s, 10m, "
                    + "2h or 1d, up to 30d"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421, action: suspend, for: 31d}", .invalidValue,
                "shaping.yaml:4:43: providers.gmail.replies[0].for: 31d is not a time such as 30s, 10m, "
                    + "2h or 1d, up to 30d"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 250, action: ignore}", .invalidValue,
                "shaping.yaml:4:16: providers.gmail.replies[0].code: expected a code such as 421 or 4xx"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {enhanced: 4.7, action: ignore}", .invalidValue,
                "shaping.yaml:4:20: providers.gmail.replies[0].enhanced: expected a code such as 4.7.28 or 4.7.*"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {action: ignore}", .missingKey,
                "shaping.yaml:4:9: providers.gmail.replies[0]: needs `code`, `enhanced` or `contains`, "
                    + "or it would match every reply"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {contains: [\"4.7.1\"], action: ignore}", .invalidValue,
                "shaping.yaml:4:21: providers.gmail.replies[0].contains[0]: 4.7.1 holds nothing to "
                    + "search for; use `code` or `enhanced`"
            ),
            (
                "providers:\n  gmail:\n    scope: tenant", .invalidValue,
                "shaping.yaml:3:12: providers.gmail.scope: tenant is neither site nor provider"
            ),
            (
                "providers:\n  default:\n    scope: provider", .invalidValue,
                "shaping.yaml:3:12: providers.default.scope: what no provider is found for has nothing to share"
            ),
            (
                "providers:\n  gmail:\n    leave_out: [chunking]", .invalidValue,
                "shaping.yaml:3:17: providers.gmail.leave_out[0]: CHUNKING is not one of 8BITMIME, "
                    + "ENHANCEDSTATUSCODES, PIPELINING, SIZE, SMTPUTF8, STARTTLS"
            ),
            (
                "providers:\n  gmail:\n    blocks_before_pause: 0", .invalidValue,
                "shaping.yaml:3:26: providers.gmail.blocks_before_pause: 0 is not a number from 1 to 1000"
            ),
            (
                "providers:\n  gmail:\n    replies:\n      - {code: 421}", .missingKey,
                "shaping.yaml:4:9: providers.gmail.replies[0]: lacks action"
            ),
        ] as [(String, YAMLError.Code, String)])
    func `unsound files are refused with their place`(yaml: String, code: YAMLError.Code, description: String) {
        let error = #expect(throws: YAMLError.self) {
            try ProviderRules(operatorFile: yaml, named: "shaping.yaml")
        }
        #expect(error?.code == code)
        #expect(error?.description == description)
    }

    @Test func `what a provider shares, bears and leaves out`() throws {
        let rules = try ProviderRules(
            operatorFile: """
                providers:
                  filter:
                    mx: [filter.example]
                    scope: provider
                    blocks_before_pause: 1
                    leave_out: [pipelining]
                    replies:
                      - {code: 550, contains: [come back tomorrow], action: retry}
                      - {code: 450, contains: [never come back], action: bounce}
                """, named: "shaping.yaml")
        let provider = rules.provider(forMX: ["tenant7.filter.example"], domain: nil)
        #expect(provider.scope == .provider)
        #expect(provider.limits.blocksBeforePause == 1)
        #expect(provider.leftOutExtensions == ["PIPELINING"])
        #expect(provider.action(for: 550, enhanced: nil, text: "Come back tomorrow") == .retry)
        #expect(provider.action(for: 450, enhanced: nil, text: "never come back") == .bounce)
        #expect(rules.fallback.scope == .site)
        #expect(rules.fallback.leftOutExtensions.isEmpty)
    }

    @Test(arguments: [
        "tenant-example.mail.protection.outlook.com", "aspmx.l.google.com", "mxa-00012345.gslb.pphosted.com",
        "eu-smtp-inbound-1.mimecast.com", "d1234.a.ess.barracudanetworks.com",
    ])
    func `providers that name the hosts of each customer share their limits`(host: String) {
        #expect(ProviderRules.builtIn.provider(forMX: [host], domain: "customer.example").scope == .provider)
    }

    @Test func `files are bounded`() {
        let large = String(repeating: "# comment\n", count: 30_000)
        let error = #expect(throws: YAMLError.self) { try ProviderRules(operatorFile: large, named: "x") }
        #expect(error?.code == .unreadable)
    }

    @Test(
        arguments: [
            (
                "gmail", 421, "4.7.28",
                "421-4.7.28 Gmail has detected an unusual rate of email\n421 4.7.28 originating", .slowDown
            ),
            ("gmail", 450, "4.2.1", "The user you are trying to contact is receiving mail at a rate", .markMailbox),
            ("gmail", 452, "4.2.2", "The recipient's inbox is out of storage space", .markMailbox),
            ("gmail", 421, "5.7.32", "the From: header isn't aligned", .bounce),
            ("gmail", 550, "5.1.1", "The email account that you tried to reach does not exist", nil),
            ("yahoo", 421, "4.7.0", "[TSS04] Messages from 192.0.2.1 temporarily deferred", .suspend(seconds: 7_200)),
            ("yahoo", 421, nil, "Max message per connection reached closing transmission channel", .ignore),
            ("yahoo", 451, nil, "Message temporarily deferred - [170]", .slowDown),
            ("microsoft", 421, nil, "RP-001 The mail server IP has exceeded the rate limit allowed", .slowDown),
            ("office365", 451, "4.7.500", "Server busy. Please try again later", .slowDown),
            ("default", 450, "4.7.1", "Client host rejected: Greylisted for 5 minutes", .markMailbox),
            ("default", 421, nil, "Too many\n421-concurrent SMTP connections", nil),
            ("default", 421, nil, "Too many\n421 concurrent SMTP connections", .slowDown),
            ("default", 451, "4.3.0", "Internal server error", nil),
        ] as [(String, Int, String?, String, ReplyAction?)])
    func `refusals lead to actions`(name: String, code: Int, enhanced: String?, text: String, action: ReplyAction?)
        throws
    {
        let provider = try #require(ProviderRules.builtIn.providers.first { $0.name == name })
        let enhanced = enhanced.flatMap(EnhancedStatusCode.init(_:))
        #expect(provider.action(for: code, enhanced: enhanced, text: text) == action)
    }

    /// On replies of real receivers: what is about a mailbox must not slow a lane, what is about the pace should.
    @Test func `replies of real receivers slow the right lanes`() throws {
        guard let corpus = ReplyCorpus() else { return }
        let rules = ProviderRules.builtIn
        var heeded = 0
        var paced = 0
        for row in corpus.rows {
            let aboutMailbox = ["hard:bad-mailbox", "hard:inactive", "soft:mailbox-full", "soft:greylist"]
            for provider in rules.providers where row.classes.allSatisfy(aboutMailbox.contains) {
                let action = provider.action(for: row.code, enhanced: row.enhanced, text: row.text)
                #expect([.markMailbox, .ignore, .bounce, nil].contains(action), "\(provider.name): \(row.text)")
            }
            guard row.isTemporary, row.classes[0] == "soft:rate-limited" else { continue }
            paced += 1
            let name = row.text.contains("Gmail") || row.text.contains("gmail") ? "gmail" : nil
            let provider = rules.providers.first { $0.name == name } ?? rules.fallback
            if provider.action(for: row.code, enhanced: row.enhanced, text: row.text) != nil {
                heeded += 1
            } else {
                print("not heeded: \(row.text.prefix(100))")
            }
        }
        print("pace: \(heeded) of \(paced) replies heeded")
        #expect(heeded * 10 >= paced * 8)
    }
}
