import SMTPTransport
import TLSPolicies
import Testing

@Suite struct MTASTSPolicyTests {
    private func parse(_ text: String) -> String {
        do throws(MTASTSFault) {
            let policy = try MTASTSPolicy(parsing: Array(text.utf8))
            return "\(policy.mode) \(policy.maxAge) \(policy.patterns.joined(separator: ","))"
        } catch {
            #expect(error.type == .stsPolicyInvalid)
            return error.reason
        }
    }

    @Test(arguments: [
        // RFC 8461 §3.2.
        (
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\n"
                + "max_age: 604800\r\n", "enforce 604800 mail.example.com,*.example.net,backupmx.example.com"
        ),
        ("version: STSv1\nmode: testing\nmx: A.Example\nmax_age: 0", "testing 0 a.example"),
        ("max_age:1\nmx:a.example\nmode:enforce\nversion:STSv1\n\n", "enforce 1 a.example"),
        ("version: STSv1\nmode: none\nmax_age: 86400\n", "none 86400 "),
        ("version: STSv1\nmode: enforce\nmode: none\nmx: a.example\nmax_age: 5\nmax_age: 6\n", "enforce 5 a.example"),
        ("version: STSv1\nmode: enforce\nx-new.field: höher\nmx: a.example\nmax_age: 5\n", "enforce 5 a.example"),
        ("version: STSv1\nmode: enforce\nmx: bücher.example\nmax_age: 5\n", "enforce 5 xn--bcher-kva.example"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 9999999999\n", "enforce 31557600 a.example"),
        ("", "no version STSv1"), ("<html></html>", "a line without a field"),
        ("version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 5\n", "no version STSv1"),
        ("mode: enforce\nmx: a.example\nmax_age: 5\n", "no version STSv1"),
        ("version: STSv1\nmx: a.example\nmax_age: 5\n", "no mode"),
        ("version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 5\n", "no mode"),
        ("version: STSv1\nmode: enforce\nmx: a.example\n", "no max_age"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -5\n", "no max_age"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 5s\n", "no max_age"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901\n", "no max_age"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age:\n", "no max_age"),
        ("version: STSv1\nmode: enforce\nmax_age: 5\n", "no mx"),
        ("version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 5\n", "an mx that is no name"),
        ("version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 5\n", "an mx that is no name"),
        ("version: STSv1\nmode: enforce\nmx: *\nmax_age: 5\n", "an mx that is no name"),
        ("version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 5\n", "an mx that is no name"),
        ("version: STSv1\nmode: enforce\nmx: a.example b.example\nmax_age: 5\n", "an mx that is no name"),
        ("version: STSv1\n\nmode: enforce\nmx: a.example\nmax_age: 5\n", "a line without a field"),
        ("version: STSv1\n: enforce\nmx: a.example\nmax_age: 5\n", "a field without a proper name"),
        ("version: STSv1\nmo de: enforce\nmx: a.example\nmax_age: 5\n", "a field without a proper name"),
    ])
    func `files`(text: String, expected: String) {
        #expect(parse(text) == expected)
    }

    @Test func `sizes are bounded`() {
        let head = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 5\nx: "
        #expect(parse(head + String(repeating: "x", count: 65_536 - head.utf8.count)) == "enforce 5 a.example")
        #expect(parse(head + String(repeating: "x", count: 65_537 - head.utf8.count)) == "longer than 64 KiB")
        let many = (0..<1_025).map { "mx: h\($0).example\n" }.joined()
        #expect(parse("version: STSv1\nmode: enforce\nmax_age: 5\n" + many) == "too many mx")
        #expect(throws: MTASTSFault.self) { try MTASTSPolicy(parsing: [0x61, 0x3A, 0xFF]) }
    }

    @Test(arguments: [
        ("mail.example.com", true), ("MAIL.example.com", true), ("a.example.net", true), ("example.net", false),
        ("b.a.example.net", false), (".example.net", false), ("xmail.example.com", false), ("example.com", false),
        ("aexample.net", false), ("", false), ("mail.example.com.evil.example", false),
    ])
    func `hosts are matched`(host: String, expected: Bool) {
        let policy = MTASTSPolicy(mode: .enforce, maxAge: 1, patterns: ["mail.example.com", "*.example.net"])
        #expect(policy.names(host) == expected)
    }

    @Test(
        arguments: [
            (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"), (["v=STSv1;id=1"], "1"),
            (["v=STSv1 ; id=1; x=y"], "1"), (["v=spf1 -all", "v=STSv1; id=1"], "1"), (["v=STSv1; id=1; id=2"], "1"),
            ([], nil), (["v=STSv1"], nil), (["v=STSv1; id="], nil), (["v=STSv1; id=a-b"], nil),
            (["v=STSv12; id=1"], nil),
            (["id=1; v=STSv1"], nil), (["v=STSv1; id=1", "v=STSv1; id=1"], nil),
            (["v=STSv1; id=1", "v=STSv1; x"], nil),
            (["v=STSv1; id=" + String(repeating: "a", count: 33)], nil),
        ] as [([String], String?)])
    func `records`(texts: [String], id: String?) {
        #expect(MTASTSRecord(texts: texts)?.id == id)
    }
}
