import Foundation
import TestPeers
import Testing

/// Proof of a domain, as an operator and a customer see it.
@Suite(.serialized) struct DomainTests {
    @Test(.timeLimit(.minutes(5))) func `a domain sends once the DNS has what the command printed`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: 2, trustsDomains: false)
        let account = installation.account
        let printed = try installation.sluice("domain", "add", "lab.example", "--account", account)
        let records = printed.split(separator: "\n").filter { $0.contains(" IN ") && !$0.hasPrefix(";") }
        let dns = try NameServer(nsd, zone: records.joined(separator: "\n"))
        defer { dns.stop() }
        let mail = directory.path + "/mail.txt"
        let people = directory.path + "/people.csv"
        try "Hello\n".write(toFile: mail, atomically: false, encoding: .utf8)
        try "email\na@example.net\n".write(toFile: people, atomically: false, encoding: .utf8)
        func send() throws -> Programs.Finished {
            try Programs.finish(
                Programs.sluice,
                ["send", "--from", "lab@lab.example", "--subject", "Hi", "--text", mail, "--recipients", people],
                environment: [
                    "SLUICE_KEY": installation.key, "SLUICE_URL": "http://127.0.0.1:\(installation.apiPort)",
                ])
        }
        let refused = try send()
        #expect(refused.status == 2 && refused.errors.contains("does not prove"), "\(refused.errors)")
        let verify = ["domain", "verify", "lab.example", "--account", account, "--dns", "127.0.0.1:\(dns.port)"]
        let verified = try Programs.run(Programs.sluice, verify + ["--data", directory.path + "/data"])
        #expect(verified.contains("lab.example: verified"), "\(verified)")
        #expect(verified.contains("found     dmarc _dmarc.lab.example"), "\(verified)")
        #expect(try installation.get("/v1/domains/lab.example").contains(#""state":"verified","sends":true"#))
        let sent = try send()
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(try sink.copies().keys.sorted() == ["a@example.net"])
    }
}
