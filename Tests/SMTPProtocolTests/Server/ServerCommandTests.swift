import SMTPProtocol
import Testing

@Suite struct ServerCommandTests {
    struct Line: Sendable, CustomTestStringConvertible {
        let text: String
        let code: Int
        var testDescription: String { text }
        init(_ text: String, _ code: Int) {
            self.text = text
            self.code = code
        }
    }

    /// After EHLO, outside a transaction.
    static let idle: [Line] = [
        Line("NOOP", 250), Line("noop with words", 250), Line("RSET", 250), Line("RSET now", 501),
        Line("VRFY someone", 252), Line("EXPN list", 502), Line("HELP", 214), Line("HELP MAIL", 214),
        Line("QUIT", 221), Line("QUIT now", 501), Line("BDAT 10 LAST", 502), Line("AUTH PLAIN", 502),
        Line("ETRN x", 502), Line("WHAT", 500), Line("", 500), Line("   ", 500), Line("MAILFROM:<a@b.c>", 500),
        Line("RCPT TO:<a@example.org>", 503), Line("DATA", 503), Line("DATA now", 501),
        Line("STARTTLS", 220), Line("STARTTLS x", 501),
        Line("HELO", 501), Line("HELO two words", 501), Line("HELO x", 250), Line("EHLO x", 250), Line("EHLO", 501),
        Line("EHLO [192.0.2.1]", 250), Line("EHLO a\u{0}b", 500), Line("NOOP \u{1B}[2J", 500), Line("NOOP \r x", 500),
        Line("GET / HTTP/1.1", 521), Line("CONNECT mx.example.org:25 HTTP/1.1", 521),
        Line("MAIL FROM:<a@example.org>", 250), Line("mail from:<a@example.org>", 250), Line("MAIL FROM:<>", 250),
        Line("MAIL FROM: <a@example.org>", 250), Line("MAIL FROM:<a@example.org> ", 250),
        Line("MAIL FROM:<\"a b>\"@example.org>", 250),
        Line("MAIL FROM:<@relay.example,@two.example:a@example.org>", 250),
        Line("MAIL FROM:<a@[192.0.2.1]>", 250), Line("MAIL FROM:<postmaster>", 250),
        Line("MAIL FROM:<a@example.org> SIZE=9999", 250), Line("MAIL FROM:<a@example.org> SIZE=10001", 552),
        Line("MAIL FROM:<a@example.org> SIZE=99999999999999999999", 552), Line("MAIL FROM:<a@example.org> SIZE=", 501),
        Line("MAIL FROM:<a@example.org> SIZE=-1", 501), Line("MAIL FROM:<a@example.org> SIZE=1x", 501),
        Line("MAIL FROM:<a@example.org> SIZE=100000000000000000000", 501), Line("MAIL FROM:<a@example.org> SIZE", 555),
        Line("MAIL FROM:<a@example.org> BODY=8BITMIME SIZE=1", 250), Line("MAIL FROM:<a@example.org> body=7bit", 250),
        Line("MAIL FROM:<a@example.org> BODY=BINARYMIME", 501), Line("MAIL FROM:<a@example.org> SMTPUTF8", 250),
        Line("MAIL FROM:<a@example.org> SMTPUTF8=1", 555), Line("MAIL FROM:<a@example.org> RET=HDRS", 555),
        Line("MAIL FROM:<a@example.org> AUTH=<>", 555), Line("MAIL FROM:<a@example.org>SIZE=1", 501),
        Line("MAIL FROM:a@example.org", 501), Line("MAIL FROM:<a@example.org", 501), Line("MAIL FROM:<a>", 501),
        Line("MAIL FROM:<@example.org>", 501), Line("MAIL FROM:<a@>", 501), Line("MAIL FROM:<a@exa mple.org>", 501),
        Line("MAIL FROM:<a@exa<mple.org>", 501), Line("MAIL FROM:<a@example.org\u{7F}>", 500), Line("MAIL", 501),
        Line("MAIL TO:<a@example.org>", 501), Line("MAIL FROM:<ä@example.org>", 553),
        Line("MAIL FROM:<ä@example.org> SMTPUTF8", 250),
    ]

    @Test(arguments: idle) func `each command outside a transaction`(_ line: Line) {
        var dialog = ServerDialog()
        dialog.sendLines("EHLO client.example", line.text)
        #expect(dialog.codes == [220, 250, line.code])
    }

    /// After EHLO and MAIL.
    static let inTransaction: [Line] = [
        Line("RCPT TO:<b@example.net>", 250), Line("rcpt to: <b@example.net>", 250), Line("RCPT TO:<Postmaster>", 250),
        Line("RCPT TO:<>", 501), Line("RCPT TO:<b@example.net> NOTIFY=NEVER", 555),
        Line("RCPT TO:<b@example.net>x", 501),
        Line("RCPT TO:<ä@example.net>", 553), Line("RCPT TO:<b>", 501), Line("RCPT FROM:<b@example.net>", 501),
        Line("MAIL FROM:<a@example.org>", 503), Line("DATA", 554), Line("VRFY b", 252), Line("NOOP", 250),
        Line("RSET", 250), Line("STARTTLS", 220), Line("EHLO again", 250),
    ]

    @Test(arguments: inTransaction) func `each command within a transaction`(_ line: Line) {
        var dialog = ServerDialog()
        dialog.sendLines("EHLO client.example", "MAIL FROM:<a@example.org>", line.text)
        #expect(dialog.codes == [220, 250, 250, line.code])
    }

    @Test func `the answer to EHLO lists what is offered`() {
        var dialog = ServerDialog()
        dialog.sendLines("EHLO client.example")
        #expect(
            dialog.text == """
                220 mx.example.org ESMTP Sluice\r
                250-mx.example.org\r
                250-PIPELINING\r
                250-SIZE 10000\r
                250-8BITMIME\r
                250-SMTPUTF8\r
                250-ENHANCEDSTATUSCODES\r
                250 STARTTLS\r\n
                """)
    }

    @Test func `STARTTLS is not offered where there is no certificate`() {
        var profile = ServerDialog.profile
        profile.offersTLS = false
        var dialog = ServerDialog(profile)
        dialog.sendLines("EHLO client.example", "STARTTLS")
        #expect(!dialog.text.contains("250 STARTTLS"))
        #expect(dialog.codes == [220, 250, 502])
    }

    @Test func `REQUIRETLS is offered and taken under TLS only`() {
        let command = "MAIL FROM:<a@example.org> REQUIRETLS"
        for isOffered in [true, false] {
            var profile = ServerDialog.profile
            profile.offersRequireTLS = isOffered
            var dialog = ServerDialog(profile)
            dialog.sendLines("EHLO client.example", command)
            #expect(!dialog.text.contains("REQUIRETLS"))
            dialog.sendLines("STARTTLS")
            dialog.machine.tlsEstablished()
            dialog.sendLines("EHLO client.example", command + "=1", command)
            #expect(dialog.text.contains("250 REQUIRETLS\r\n") == isOffered)
            #expect(dialog.codes == [220, 250, 555, 220, 250, 555, isOffered ? 250 : 555])
        }
    }

    @Test func `nothing but greetings works before EHLO`() {
        var dialog = ServerDialog()
        dialog.sendLines("MAIL FROM:<a@example.org>", "STARTTLS", "DATA", "NOOP", "HELO old.example", "STARTTLS")
        #expect(dialog.codes == [220, 503, 503, 503, 250, 250, 503])
    }

    @Test func `HELO and EHLO void a transaction, as does RSET`() {
        for line in ["HELO x", "EHLO x", "RSET"] {
            var dialog = ServerDialog()
            dialog.sendLines("EHLO x", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", line, "DATA")
            #expect(dialog.codes.suffix(2) == [250, 503])
        }
    }

    @Test func `too many errors end the session`() {
        var profile = ServerDialog.profile
        profile.maximumErrors = 3
        var dialog = ServerDialog(profile)
        dialog.send("X\r\nX\r\nX\r\nNOOP\r\n")
        #expect(dialog.codes == [220, 500, 500, 421])
        #expect(dialog.machine.isClosed)
    }

    @Test func `refused recipients are no errors`() {
        var profile = ServerDialog.profile
        profile.maximumErrors = 3
        var dialog = ServerDialog(profile)
        dialog.refusedRecipient = "gone"
        dialog.sendLines("EHLO x")
        for _ in 1...20 { dialog.send("MAIL FROM:<a@x.org>\r\nRCPT TO:<gone@x.org>\r\nDATA\r\nRSET\r\n") }
        #expect(dialog.codes.dropFirst(2).elementsEqual((1...20).flatMap { _ in [250, 550, 554, 250] }))
    }

    @Test func `a line that is too long is skipped to its end`() {
        var dialog = ServerDialog()
        dialog.send("NOOP " + String(repeating: "x", count: 5_000))
        #expect(dialog.codes == [220])
        dialog.send("QUIT\r\nNOOP\r\n")
        #expect(dialog.codes == [220, 500, 250])
    }

    @Test func `a line at the bound is read, one octet more is not`() {
        let limit = SMTPLimits.standard.commandLineOctets
        for (length, code) in [(limit, 250), (limit + 1, 500)] {
            var dialog = ServerDialog()
            dialog.send("NOOP " + String(repeating: "x", count: length - 7) + "\r\n")
            #expect(dialog.codes == [220, code])
        }
    }

    @Test func `a line without end closes the session`() {
        var dialog = ServerDialog()
        for _ in 1...100 { dialog.send([UInt8](repeating: 0x61, count: 1_024)) }
        #expect(dialog.codes == [220, 521])
    }

    @Test func `a line that ends in LF alone closes the session`() {
        var dialog = ServerDialog()
        dialog.send("EHLO x\nMAIL FROM:<a@x.org>\r\n")
        #expect(dialog.codes == [220, 521])
        #expect(dialog.machine.isClosed)
    }

    @Test func `the number of recipients is bounded`() {
        var profile = ServerDialog.profile
        profile.limits.recipients = 2
        var dialog = ServerDialog(profile)
        dialog.sendLines("EHLO x", "MAIL FROM:<a@x.org>", "RCPT TO:<b@x.org>", "RCPT TO:<c@x.org>", "RCPT TO:<d@x.org>")
        #expect(dialog.codes.suffix(3) == [250, 250, 452])
        #expect(dialog.recipients == ["b@x.org", "c@x.org"])
    }

    @Test func `paths keep what was meant and drop the route`() {
        var dialog = ServerDialog()
        dialog.sendLines(
            "EHLO x", "MAIL FROM:<> SMTPUTF8", "RCPT TO:<@a.example:Jane.Doe@Example.NET>",
            "RCPT TO:<\"j@d\"@example.net>", "RCPT TO:<jürgen@exämple.net>")
        #expect(dialog.recipients == ["Jane.Doe@Example.NET", "\"j@d\"@example.net", "jürgen@exämple.net"])
    }
}
