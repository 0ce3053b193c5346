import MailTypes
import Testing

@testable import MailMessage

@Suite struct ReportReadingTests {
    private func status(_ text: String) throws -> DeliveryStatus { try #require(DeliveryStatus(Array(text.utf8))) }

    @Test func recipients_of_a_status_are_told_apart() throws {
        let found = try status(
            """
            Reporting-MTA: dns; mx.example

            Original-Recipient: rfc822;kim@example.org
            Final-Recipient: rfc822;k@inner.example
            Action: failed (gone)
            Status: 5.1.1 (no such user)
            Diagnostic-Code: smtp; 550 5.1.1 nobody
             of this name


            Final-Recipient: LOCAL;<lee@example.org>

            Action: Delayed
            Status: 4.4.7
            """)
        #expect(found.reportingHost == "mx.example")
        #expect(found.recipients.map(\.address) == ["kim@example.org", "lee@example.org"])
        #expect(found.recipients.map(\.final) == ["k@inner.example", "lee@example.org"])
        #expect(found.recipients.map(\.action) == [.failed, .delayed])
        #expect(found.recipients.map { $0.status?.description } == ["5.1.1", "4.4.7"])
        #expect(String(decoding: found.recipients[0].diagnostic, as: UTF8.self) == "550 5.1.1 nobody of this name")
    }

    @Test(
        arguments: [
            ("rfc822; kim@example.org", "kim@example.org"), ("rfc822;<kim@example.org>", "kim@example.org"),
            ("kim@example.org", "kim@example.org"), ("<kim@example.org> (Kim)", "kim@example.org"),
            ("RFC822 ; Kim.O'Hara@Example.ORG", "Kim.O'Hara@Example.ORG"),
            ("rfc/822;kim+tag@example.org", "kim+tag@example.org"),
            ("rfc822; \"kim o\"@example.org", "\"kim o\"@example.org"),
            ("utf-8; \\x{1F408}@example.org", "🐈@example.org"),
            ("x400; /c=xx/a=none/", nil), ("system;<>", nil), ("rfc822; undisclosed", nil), ("", nil),
        ] as [(String, String?)])
    func `an address is found in a field`(value: String, address: String?) {
        let found = DeliveryStatus(Array("Final-Recipient: \(value)\nAction: failed\n".utf8))
        #expect(found?.recipients.first?.address == address)
    }

    @Test(arguments: ["", "words", "Reporting-MTA: dns; a.example", "Subject: x\n\nbody", ":", "\n\n\n"])
    func `what reports of nobody is no status`(text: String) {
        #expect(DeliveryStatus(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        ("Write to <kim@example.org>, or lee@example.com.", ["kim@example.org", "lee@example.com"]),
        ("mailto:kim@example.org", ["kim@example.org"]), ("\"a b\"@example.org", ["\"a b\"@example.org"]),
        ("see https://x.example/?q=kim@example.org", []), ("kim@", []), ("@example.org", []), ("a@@b", []),
        ("kim...@example.org", []),
        ("kim..o@example.org", ["kim..o@example.org"]), ("[SMTP:kim@example.org]", ["kim@example.org"]),
        ("'kim@example.org'", ["kim@example.org"]),
        // Marks and words of scripts without spaces
        ("宛先：kim@example.jp", ["kim@example.jp"]), ("kim@example.jp宛のメール", ["kim@example.jp"]),
        ("・kim@example.jp", ["kim@example.jp"]), ("「kim@example.jp」は", ["kim@example.jp"]),
        ("kim@example.jp。", ["kim@example.jp"]), ("“kim@example.org”", ["kim@example.org"]),
        ("«kim@example.org»", ["kim@example.org"]), ("\u{A0}kim@example.org\u{A0}", ["kim@example.org"]),
        ("\u{200B}kim@example.org", ["kim@example.org"]), ("kim@example.org…", ["kim@example.org"]),
        // What text leaves in front
        ("*kim@example.org*", ["kim@example.org"]), ("|kim@example.org|", ["kim@example.org"]),
        ("{kim@example.org}", ["kim@example.org"]), ("_to_ kim@example.org_", ["kim@example.org"]),
        ("to=kim@example.org", ["kim@example.org"]), ("recipient=kim@example.org", ["kim@example.org"]),
        ("kim=example.org@list.example", ["kim=example.org@list.example"]),
        // Internationalized ones stay whole (RFC 6531)
        ("jörg@example.org", ["jörg@example.org"]), ("O’Hara@example.org", ["O’Hara@example.org"]),
        ("kim@bücher.example", ["kim@bücher.example"]),
        ("kim@mail.例え.jp", ["kim@mail.例え.jp"]), ("kim@mail.例え", ["kim@mail.例え"]),
        ("🐈@example.org", ["🐈@example.org"]),
        ("用户@例子.中国", ["用户@例子.中国"]),
    ])
    func `addresses are found in text`(text: String, addresses: [String]) {
        let octets = Array(text.utf8)
        #expect(AddressScanner.all(in: octets, octets.indices).map(\.text) == addresses)
    }

    @Test func a_complaint_is_read() throws {
        let text = "Feedback-Type: Abuse\nOriginal-Rcpt-To: <kim@example.org>\nOriginal-Rcpt-To: lee@example.org\n"
        let found = try #require(ComplaintReport(Array(text.utf8)))
        #expect(found.feedbackType == "abuse")
        #expect(found.recipients == ["kim@example.org", "lee@example.org"])
        #expect(ComplaintReport(Array("User-Agent: x\n".utf8)) == nil)
    }
}
