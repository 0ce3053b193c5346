import Foundation
import TestPeers
import Testing

/// Receivers that ask for it are told how TLS went with their mail, once the day is over.
@Suite(.serialized) struct TLSReportTests {
    private static let zone = """
        one MX 10 mail
        _smtp._tls.one TXT "v=TLSRPTv1; rua=mailto:tls@one.example"
        two MX 10 mail
        _smtp._tls.two TXT "v=TLSRPTv1; rua=https://127.0.0.1/,mailto:tls@two.example"
        three MX 10 mail
        mail A 127.0.0.1
        """ + "\n"

    private struct Report: Decodable {
        struct Entry: Decodable {
            struct Policy: Decodable {
                let type, domain: String
                enum CodingKeys: String, CodingKey {
                    case type = "policy-type"
                    case domain = "policy-domain"
                }
            }
            let policy: Policy
            let summary: [String: Int]
        }
        let policies: [Entry]
    }

    @Test(.timeLimit(.minutes(5))) func `domains that ask are told once`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        guard let clock = try ShiftedClock(directory) else { return print("skipped: there is no C compiler") }
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        // Days are those of the database.
        let database = try ExternalPostgres(launcher: clock.launcher)
        let folder = directory.path + "/mails"
        let sink = try SinkProcess(directory, ["--starttls", "--capture", folder])
        let installation = try Installation(
            directory: directory, route: nil, credits: 60,
            serve: [
                "--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations",
                "--tls-report-from", "reports@news.example.com",
            ], databaseURL: database.url())
        defer { installation.killWithDatabase() }
        let lines = (0..<60).map { #"{"email":"r\#($0)@\#(["one", "two", "three"][$0 % 3]).example"}"# }
        let campaign = try installation.send(
            subject: "Hello", text: "Hello", recipients: lines.joined(separator: "\n"))
        #expect(try await installation.wait(for: campaign, seconds: 60)["delivered"] == 60)
        try clock.shift(seconds: 2 * 86_400)
        let end = ContinuousClock.now + .seconds(90)
        while try sink.copies().count < 62, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
        }
        // Time for a second one, if there were any.
        try await Task.sleep(for: .seconds(20))
        let reports = try sink.copies().filter { !$0.key.hasPrefix("r") }
        #expect(reports == ["tls@one.example": 1, "tls@two.example": 1])
        for domain in ["one.example", "two.example"] {
            let report = try report(to: domain, in: folder)
            #expect(report.policies.map(\.policy.domain) == [domain])
            #expect(report.policies.map(\.policy.type) == ["no-policy-found"])
            let summary = report.policies.first?.summary ?? [:]
            #expect(summary["total-successful-session-count"] ?? 0 >= 1)
            #expect(summary["total-failure-session-count"] == 0)
        }
    }

    private func report(to domain: String, in folder: String) throws -> Report {
        let mail = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".eml") }
                .map { try String(contentsOfFile: folder + "/" + $0, encoding: .utf8) }
                .first { $0.contains("TLS-Report-Domain: \(domain)") })
        #expect(mail.hasPrefix("DKIM-Signature: "))
        let packed = try #require(
            mail.components(separatedBy: "\r\n\r\n").last.flatMap {
                Data(base64Encoded: String($0.prefix { $0 != "-" }), options: .ignoreUnknownCharacters)
            })
        let file = folder + "/\(domain).json.gz"
        try packed.write(to: URL(fileURLWithPath: file))
        let json = try Programs.run("/bin/gzip", ["-dc", file])
        return try JSONDecoder().decode(Report.self, from: Data(json.utf8))
    }
}
