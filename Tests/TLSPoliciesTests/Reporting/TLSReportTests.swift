import DNSResolution
import Foundation
import MailTypes
import SMTPProtocol
import SMTPTransport
import TLSPolicies
import Testing

@Suite struct TLSReportTests {
    private let domain = try! DomainName("d.example")
    private let day = TLSResults.Day(number: 20_000)
    private let policy = MTASTSPolicy(mode: .enforce, maxAge: 86_400, patterns: ["*.d.example"])
    private let record = TLSARecord(.endEntity, .publicKey, .sha256, [UInt8](repeating: 0xAB, count: 32))
    private let submitter = TLSReport.Submitter(
        organization: "Sender \"Inc\"/ü", contact: "tls@sender.example", domain: try! DomainName("sender.example"))

    private func failure(_ type: TLSResultType, host: String = "mx.d.example") -> TLSResults.Failure {
        TLSResults.Failure(
            type, sendingAddress: .v4(0xC000_0201), receivingHost: host, receivingAddress: .v4(0xC633_6407),
            reason: "why")
    }

    // MARK: Counting

    @Test func `sessions are counted by domain, day and policy`() throws {
        let results = TLSResults()
        let other = try DomainName("e.example")
        for _ in 0..<3 { results.count(nil, of: domain, .sts(policy), at: day.start) }
        for _ in 0..<2 { results.count(failure(.certificateExpired), of: domain, .sts(policy), at: day.end) }
        results.count(failure(.tlsaInvalid), of: domain, .sts(policy), at: day.end)
        results.count(nil, of: domain, .none, at: day.start)
        results.count(nil, of: other, .none, at: day.start)
        results.count(nil, of: domain, .none, at: day.end.addingTimeInterval(1))
        let taken = results.takeDays(before: TLSResults.Day(number: 20_001))
        #expect(taken.map(\.domain) == [domain, other])
        #expect(taken[0].day == day)
        #expect(taken[0].policies[.sts(policy)]?.successes == 3)
        #expect(taken[0].policies[.sts(policy)]?.failureCount == 3)
        #expect(taken[0].policies[.sts(policy)]?.failures[failure(.certificateExpired)] == 2)
        #expect(taken[0].policies[TLSPolicySource.none]?.successes == 1)
        #expect(results.takeDays(before: TLSResults.Day(number: 20_001)) == [])
        #expect(results.takeDays(before: TLSResults.Day(number: 20_002)).map(\.day.number) == [20_001])
    }

    @Test func `counts survive the database, and add up within their bounds`() throws {
        let results = TLSResults()
        let sources: [TLSPolicySource] = [
            .none, .sts(nil), .sts(policy), .tlsa(host: "mx.d.example", records: [record]),
            .tlsa(host: "mx.d.example", records: []),
        ]
        for (index, source) in sources.enumerated() {
            for _ in 0...index { results.count(nil, of: domain, source, at: day.start) }
            results.count(failure(.certificateExpired), of: domain, source, at: day.start)
            results.count(TLSResults.Failure(.tlsaInvalid), of: domain, source, at: day.start)
        }
        let counted = try #require(results.takeAll().first)
        #expect(results.takeAll().isEmpty)
        let read = try TLSResults.Domain(domain: domain, day: day, decoding: counted.encoded)
        #expect(read == counted)
        var sum = read
        sum.add(counted)
        #expect(
            sum.policies[.sts(nil)]
                == TLSResults.Counts(
                    successes: 4, failures: [failure(.certificateExpired): 2, TLSResults.Failure(.tlsaInvalid): 2]))
        var limits = TLSResults.Limits()
        limits.policies = 5
        limits.failures = 2
        var other = TLSResults.Domain(domain: domain, day: day)
        other.policies[.tlsa(host: "x.example", records: [])] = TLSResults.Counts(successes: 9)
        other.policies[TLSPolicySource.none] = TLSResults.Counts(failures: [TLSResults.Failure(.daneRequired): 3])
        sum.add(other, limits: limits)
        #expect(sum.policies.count == 5)
        #expect(sum.policies[TLSPolicySource.none]?.otherFailures == 3)
        results.putBack([counted])
        results.count(nil, of: domain, .none, at: day.end)
        #expect(results.takeAll().first?.policies[TLSPolicySource.none]?.successes == 2)
        for bad in ["", "{}", #"[{"kind":"new","successes":1,"otherFailures":0,"failures":[]}]"#] {
            #expect(throws: (any Error).self) {
                try TLSResults.Domain(domain: domain, day: day, decoding: Array(bad.utf8))
            }
        }
    }

    @Test func `an outcome is counted under the policy of its host`() async {
        let results = TLSResults()
        let policy = await TLSPolicyResolver(tlsa: nil, policies: nil).policy(
            for: domain, hosts: [MailHost(name: "mx.d.example", preference: 0, addresses: [])])
        func outcome(_ host: String, _ fault: DeliveryReport.Cause?) -> SMTPTLSOutcome {
            SMTPTLSOutcome(
                target: SMTPTarget(host: host, address: .v4(0xC633_6407)), policy: .opportunistic,
                localAddress: .v4(0xC000_0201), fault: fault)
        }
        results.count(outcome("mx.d.example", nil), under: policy, at: day.start)
        results.count(outcome("mx.d.example", .tlsNotOffered), under: policy, at: day.start)
        results.count(outcome("elsewhere.example", nil), under: policy, at: day.start)
        let counts = results.takeDays(before: TLSResults.Day(number: 20_001))[0].policies[TLSPolicySource.none]
        #expect(counts?.successes == 1)
        let expected = TLSResults.Failure(
            .startTLSNotSupported, sendingAddress: .v4(0xC000_0201), receivingHost: "mx.d.example",
            receivingAddress: .v4(0xC633_6407), reason: "TLS is required and not offered")
        #expect(counts?.failures == [expected: 1])
    }

    @Test func `every bound holds and what exceeds it is counted`() throws {
        var limits = TLSResults.Limits()
        limits.domains = 2
        limits.policies = 2
        limits.failures = 3
        limits.days = 2
        let results = TLSResults(limits: limits)
        for number in 0..<5 {
            results.count(nil, of: try DomainName("d\(number).example"), .none, at: day.start)
        }
        #expect(results.leftOut == 3)
        let first = try DomainName("d0.example")
        results.count(nil, of: first, .sts(policy), at: day.start)
        results.count(nil, of: first, .sts(nil), at: day.start)
        #expect(results.leftOut == 4)
        for number in 0..<10 {
            results.count(failure(.certificateExpired, host: "h\(number)"), of: first, .none, at: day.start)
        }
        let next = TLSResults.Day(number: 20_001)
        results.count(nil, of: first, .none, at: next.start)
        results.count(nil, of: first, .none, at: TLSResults.Day(number: 20_002).start)
        let taken = results.takeDays(before: TLSResults.Day(number: 30_000))
        #expect(taken.map(\.day.number) == [20_001, 20_002])
        let again = TLSResults(limits: limits)
        for number in 0..<10 {
            again.count(failure(.certificateExpired, host: "h\(number)"), of: first, .none, at: day.start)
        }
        let counts = again.takeDays(before: next)[0].policies[TLSPolicySource.none]
        #expect(counts?.failures.count == 3)
        #expect(counts?.otherFailures == 7)
        #expect(counts?.failureCount == 10)
    }

    @Test func `every cause that TLS can fail for has a result type`() {
        for cause in [
            DeliveryReport.Cause.tlsNotOffered, .tlsFailed, .inputBeforeTLS, .certificateNameMismatch,
            .certificateExpired, .certificateNotTrusted, .tlsaMismatch, .tlsaUnusable, .tlsaUnavailable, .daneRequired,
            .mailHostNotInPolicy, .mtaSTSPolicyUnavailable,
        ] {
            #expect(TLSResultType(cause) != nil, "\(cause)")
        }
        #expect(TLSResultType(.timedOut) == nil)
        #expect(
            Set(TLSResultType.allCases.map(\.rawValue)) == [
                // RFC 8460 §4.3
                "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
                "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
                "sts-policy-invalid", "sts-webpki-invalid",
            ])
    }

    // MARK: Composing

    private func report() -> TLSReport {
        var results = TLSResults.Domain(domain: domain, day: day)
        results.policies[.sts(policy)] = TLSResults.Counts(
            successes: 5, failures: [failure(.certificateExpired): 2, failure(.startTLSNotSupported): 3])
        results.policies[.tlsa(host: "mx.d.example", records: [record])] = TLSResults.Counts(successes: 7)
        results.policies[TLSPolicySource.none] = TLSResults.Counts(
            failures: [TLSResults.Failure(.validationFailure): 1], otherFailures: 4)
        return TLSReport(results, submitter: submitter, id: "r-1.x")
    }

    private static let expectedJSON = """
        {"contact-info": "tls@sender.example",
         "date-range": {"start-datetime": "2024-10-04T00:00:00Z", "end-datetime": "2024-10-04T23:59:59Z"},
         "organization-name": "Sender \\"Inc\\"/ü", "report-id": "r-1.x",
         "policies": [
          {"policy": {"policy-type": "no-policy-found", "policy-domain": "d.example"},
           "summary": {"total-successful-session-count": 0, "total-failure-session-count": 5},
           "failure-details": [
            {"result-type": "validation-failure", "failed-session-count": 1},
            {"result-type": "validation-failure", "failed-session-count": 4,
             "failure-reason-code": "further kinds of failure, not told apart"}]},
          {"policy": {"policy-type": "sts", "policy-domain": "d.example", "mx-host": ["*.d.example"],
            "policy-string": ["version: STSv1", "mode: enforce", "mx: *.d.example", "max_age: 86400"]},
           "summary": {"total-successful-session-count": 5, "total-failure-session-count": 5},
           "failure-details": [
            {"result-type": "starttls-not-supported", "sending-mta-ip": "192.0.2.1", "failed-session-count": 3,
             "receiving-mx-hostname": "mx.d.example", "receiving-ip": "198.51.100.7", "failure-reason-code": "why"},
            {"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1", "failed-session-count": 2,
             "receiving-mx-hostname": "mx.d.example", "receiving-ip": "198.51.100.7", "failure-reason-code": "why"}]},
          {"policy": {"policy-type": "tlsa", "policy-domain": "d.example", "mx-host": ["mx.d.example"],
            "policy-string": ["3 1 1 \(String(repeating: "ab", count: 32))"]},
           "summary": {"total-successful-session-count": 7, "total-failure-session-count": 0},
           "failure-details": []}]}
        """

    @Test func `the report has the fields of RFC 8460`() throws {
        let made = try JSONSerialization.jsonObject(with: Data(report().json)) as? NSDictionary
        let expected = try JSONSerialization.jsonObject(with: Data(Self.expectedJSON.utf8)) as? NSDictionary
        #expect(made == expected)
        #expect(made != nil)
        #expect(report().fileName == "sender.example!d.example!1728000000!1728086399!r-1.x.json.gz")
    }

    /// Python's mail and gzip modules read what was written.
    @Test func `the mail carries the report as others read it`() throws {
        let python = "/usr/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            return print("skipped: python3 is not installed")
        }
        let mail = report().mail(
            from: try EmailAddress("tls@sender.example"), to: try EmailAddress("rua@d.example"),
            at: Date(timeIntervalSince1970: 1_728_100_000))
        #expect(mail.split(separator: 0x0A).allSatisfy { $0.last == 0x0D && $0.count <= 999 })
        #expect(mail.allSatisfy { $0 < 0x80 })
        let script = """
            import email, email.policy, gzip, json, sys
            m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
            assert not m.defects, m.defects
            assert m.get_content_type() == 'multipart/report', m.get_content_type()
            assert m.get_param('report-type') == 'tlsrpt'
            assert m['TLS-Report-Domain'] == 'd.example' and m['TLS-Report-Submitter'] == 'sender.example'
            assert m['Subject'] == 'Report Domain: d.example Submitter: sender.example Report-ID: <r-1.x>', m['Subject']
            assert m['TLS-Required'] == 'No' and m['To'] == 'rua@d.example' and m['From'] == 'tls@sender.example'
            assert m['Date'].datetime.timestamp() == 1728100000, m['Date']
            assert m['Message-ID'] == '<tlsrpt.r-1.x@sender.example>'
            text, attachment = list(m.iter_parts())
            assert text.get_content_type() == 'text/plain' and 'd.example on 2024-10-04' in text.get_content()
            assert attachment.get_content_type() == 'application/tlsrpt+gzip'
            assert attachment.get_filename() == 'sender.example!d.example!1728000000!1728086399!r-1.x.json.gz'
            print(json.dumps(json.loads(gzip.decompress(attachment.get_content()))))
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(mail))
        try input.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let made = try JSONSerialization.jsonObject(with: text) as? NSDictionary
        let expected = try JSONSerialization.jsonObject(with: Data(Self.expectedJSON.utf8)) as? NSDictionary
        #expect(made == expected)
    }

    // MARK: Where to

    @Test(
        arguments: [
            (["v=TLSRPTv1; rua=mailto:reports@example.com"], "mail reports@example.com"),
            (["v=TLSRPTv1;rua=https://reporting.example.com/v1/tlsrpt"], "https://reporting.example.com/v1/tlsrpt"),
            (["v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/;"], "mail a@b.example https://c.example/"),
            (["v=spf1 -all", "v=TLSRPTv1; rua=MAILTO:a%2Bb@c.example?subject=x; x=y"], "mail a+b@c.example"),
            (["v=TLSRPTv1; rua=ftp://a.example,mailto:a@b.example, mailto:a@b.example"], "mail a@b.example"),
            (["v=TLSRPTv1; rua=mailto:a@b.example%0d%0aBcc:c@d.example"], nil),
            (["v=TLSRPTv1; rua=http://a.example/"], nil),
            (["v=TLSRPTv1; rua=https:///x"], nil), (["v=TLSRPTv1"], nil), (["v=TLSRPTv1; rua="], nil), ([], nil),
            (["v=TLSRPTv11; rua=mailto:a@b.example"], nil), (["rua=mailto:a@b.example; v=TLSRPTv1"], nil),
            (["v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1; rua=mailto:c@d.example"], nil),
        ] as [([String], String?)])
    func `addresses for reports`(texts: [String], expected: String?) {
        let addresses = TLSReportRecord(texts: texts)?.addresses.map { address in
            switch address {
            case .mail(let address): "mail \(address.localPart)@\(address.domain)"
            case .https(let url): url
            }
        }
        #expect(addresses?.joined(separator: " ") == expected)
    }

    @Test func `addresses are bounded`() {
        let many = (0..<50).map { "mailto:a\($0)@b.example" }.joined(separator: ",")
        #expect(TLSReportRecord(texts: ["v=TLSRPTv1; rua=" + many])?.addresses.count == 8)
    }
}
