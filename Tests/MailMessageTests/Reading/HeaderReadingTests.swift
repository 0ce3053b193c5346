import Testing

@testable import MailMessage

@Suite struct HeaderReadingTests {
    private func mail(_ text: String) -> ReceivedMail { ReceivedMail(Array(text.utf8)) }

    private func value(_ name: StaticString, of text: String) -> String? {
        mail(text).header.text(name).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("Subject: spring\n\nbody", "spring"),
        ("Subject: spring\r\n\r\nbody", "spring"),
        ("SUBJECT : spring\n\n", "spring"),
        ("subject:spring", "spring"),
        ("From kim Mon Nov 24\nSubject: spring\n\n", "spring"),
        (">From kim Mon Nov 24\nSubject: spring\n\n", "spring"),
        ("\n\nSubject: spring\n\n", "spring"),
        ("Subject: spring\n is\n\there\n\n", "spring is here"),
        ("Subject:\n spring\n\n", "spring"),
        ("Subject: one\nSubject: two\n\n", "one"),
        ("Subject: =?utf-8?q?fr=C3=BChling?=\n\n", "frühling"),
        ("Subject: =?iso-8859-1?B?ZnL8aA==?= =?iso-8859-1?Q?ling_?=\n x\n\n", "frühling  x"),
        ("Subject: =?utf-8?x?a?= =?utf-8?q?b\n\n", "=?utf-8?x?a?= =?utf-8?q?b"),
        ("Subject: =?unknown-8bit?q?a=41?=\n\n", "aA"),
    ])
    func `a field is found and unfolded`(text: String, subject: String) {
        #expect(value("subject", of: text) == subject)
    }

    @Test(arguments: [
        "", "\n\n", "no header at all\nSubject: x\n\n", "Subject\n\n", "Sub ject: x\n\n", "X: Subject: y\n\n",
    ])
    func `what is no field is none`(text: String) {
        #expect(value("subject", of: text) == nil)
    }

    @Test func raw_octets_become_characters() {
        let header = ReceivedMail(Array("Subject: fr".utf8) + [0xFC] + Array("h\n\n".utf8)).header
        #expect(header.text("subject").map { String(decoding: $0, as: UTF8.self) } == "früh")
    }

    @Test func a_header_without_a_blank_line_ends_where_its_fields_do() {
        let mail = mail("Subject: x\nThe body begins here: at once\n")
        #expect(String(decoding: mail.root.content(), as: UTF8.self) == "The body begins here: at once\n")
    }

    @Test func a_header_of_too_many_fields_is_cut_and_its_body_found() {
        let mail = mail(String(repeating: "X: y\n", count: 5_000) + "Subject: late\n\nbody")
        #expect(!mail.header.has("subject"))
        #expect(mail.header.all("x").count == 1_000)
        #expect(String(decoding: mail.root.content(), as: UTF8.self) == "body")
    }
}
