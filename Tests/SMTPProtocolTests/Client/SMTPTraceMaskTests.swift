import MailTypes
import SMTPProtocol
import Testing

/// What an operator may read of a conversation.
struct SMTPTraceMaskTests {
    private static func mask(_ recipient: String, from path: String = "b-abc123@bounce.shop.example") throws
        -> SMTPTraceMask
    {
        SMTPTraceMask(
            hiding: SMTPEnvelope(
                reversePath: path, recipient: try EmailAddress(recipient), needsSMTPUTF8: false, is8Bit: false,
                size: 100))
    }

    @Test(arguments: [
        ("bob@example.org", "250 2.1.5 <bob@example.org> ok", "250 2.1.5 <***@example.org> ok"),
        ("bob@example.org", "550 5.1.1 BOB: no such user", "550 5.1.1 ***: no such user"),
        ("bob@example.org", "550 bobby and b.bob@x.example", "550 bobby and ***@x.example"),
        ("bob@example.org", "550 https://h.example/?to=bob%40example.org", "550 https:***%40example.org"),
        ("bob@example.org", "450 bob=example.org is greylisted", "450 ***=example.org is greylisted"),
        ("bob+news@example.org", "550 user bob, not bob+news", "550 user ***, not ***"),
        ("bob@example.org", "250 b-abc123@bounce.shop.example sender ok", "250 ***@bounce.shop.example sender ok"),
        (
            "bob@example.org", "550 \"ann lee\"@example.org or ann.lee@example.org",
            "550 ***@example.org or ***@example.org"
        ),
        ("bob@example.org", "550 a@b@c and <@d>", "550 ***@c and <@d>"),
        ("jürgen@example.org", "550 jürgen unknown", "550 *** unknown"),
        ("bob@example.org", "250 \u{1B}[2Jok\u{7}\u{9B}1m\u{202E}", "250 ?[2Jok??1m?"),
        ("bob@example.org", "", ""), ("bob@example.org", "@", "@"), ("bob@example.org", "\"@", "***@"),
    ]) func `masked replies`(_ recipient: String, _ line: String, _ expected: String) throws {
        #expect(try Self.mask(recipient).masked(line) == expected)
    }

    @Test func `commands show neither local parts nor credentials`() throws {
        let secret = Redacted("c2VjcmV0")
        let commands: [(SMTPClientCommand, String)] = [
            (.ehlo("out.example.net"), "EHLO out.example.net"),
            (.authPlain(secret), "AUTH PLAIN ***"), (.authResponse(secret), "***"), (.authLogin, "AUTH LOGIN"),
            (
                .mail(from: "b-abc@bounce.shop.example", SMTPClientMailParameters(size: 12)),
                "MAIL FROM:<***@bounce.shop.example> SIZE=12"
            ),
            (.mail(from: "", SMTPClientMailParameters()), "MAIL FROM:<>"),
            (.rcpt(to: try EmailAddress("bob@example.org")), "RCPT TO:<***@example.org>"),
            (.data, "DATA"), (.quit, "QUIT"),
        ]
        for (command, expected) in commands { #expect(command.traceText == expected) }
    }
}
