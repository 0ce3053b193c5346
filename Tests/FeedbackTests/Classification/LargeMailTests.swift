import Feedback
import Testing

/// Mails made to cost time or memory. Without their bounds these tests would take many minutes, or end the program. The
/// limit is generous, since other tests run beside them.
@Suite(.timeLimit(.minutes(5))) struct LargeMailTests {
    private static let refusal = """
        From: MAILER-DAEMON@mx.example
        Subject: Undelivered Mail Returned to Sender
        Content-Type: multipart/report; report-type=delivery-status; boundary=b

        --b
        Content-Type: text/plain

        <kim@example.org>: user unknown
        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example

        Final-Recipient: rfc822; kim@example.org
        Action: failed
        Status: 5.1.1

        --b
        Content-Type: message/rfc822


        """

    @Test func a_report_of_50_megabytes_is_read_from_its_beginning() {
        var mail = Array(Self.refusal.utf8)
        let line = Array("Received: from a.example by b.example; filler filler filler filler\n".utf8)
        while mail.count < 50_000_000 { mail += line }
        let found = MailClassifier.classify(mail)
        #expect(found.kind == .bounce)
        #expect(found.recipients.map(\.address) == ["kim@example.org"])
    }

    @Test func a_thousand_multiparts_inside_each_other_are_survived() {
        var mail = "Subject: nested\n"
        for level in 0..<1_000 { mail += "Content-Type: multipart/mixed; boundary=b\(level)x\n\n--b\(level)x\n" }
        mail += "\nwords\n"
        for level in (0..<1_000).reversed() { mail += "--b\(level)x--\n" }
        #expect(MailClassifier.classify(Array(mail.utf8)).kind == .notABounce)
    }

    @Test(arguments: [
        "=?utf-8?q?", "@", "a@", "<a@b", "--b\n", "x: y\n", " \n", "<", "&", "=", "\u{1B}$B",
        "Final-Recipient: rfc822; a@b.example\n\n",
        "550 ", "5.", "\"@", "a: \n b\n",
    ]) func one_thing_over_and_over_is_survived(piece: String) {
        let flood = String(repeating: piece, count: 300_000 / piece.utf8.count)
        for start in [
            "", "Subject: ", "X-Failed-Recipients: ", "\n", "From: MAILER-DAEMON\nSubject: failure notice\n\n",
            "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n",
            "Content-Type: text/html\n\n",
        ] {
            _ = MailClassifier.classify(Array((start + flood).utf8))
        }
    }

    @Test func a_report_of_many_recipients_is_bounded() {
        var mail = Self.refusal.components(before: "Final-Recipient")
        for number in 0..<20_000 {
            mail += "Final-Recipient: rfc822; p\(number)@example.org\nAction: failed\nStatus: 5.1.1\n\n"
        }
        let found = MailClassifier.classify(Array((mail + "--b--\n").utf8))
        #expect(found.kind == .bounce)
        #expect((1...1_000).contains(found.recipients.count))
    }
}

extension String {
    fileprivate func components(before mark: String) -> String {
        firstRange(of: mark).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
