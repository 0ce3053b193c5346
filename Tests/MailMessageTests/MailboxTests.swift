import MailMessage
import MailTypes
import Testing

struct MailboxTests {
    @Test(
        arguments: [
            ("jane@example.org", nil, "jane@example.org"),
            ("  jane@example.org  ", nil, "jane@example.org"),
            ("<jane@example.org>", nil, "jane@example.org"),
            ("Jane Doe <jane@example.org>", "Jane Doe", "jane@example.org"),
            ("Jane Doe<jane@example.org>", "Jane Doe", "jane@example.org"),
            ("Acme, Inc. <jane@example.org>", "Acme, Inc.", "jane@example.org"),
            ("\"Doe, Jane\" <jane@example.org>", "Doe, Jane", "jane@example.org"),
            ("\"a \\\"b\\\" \\\\\" <jane@example.org>", "a \"b\" \\", "jane@example.org"),
            ("\"x <y@z.example>\" <jane@example.org>", "x <y@z.example>", "jane@example.org"),
            ("Jürgen 🌻 <Jürgen@Bücher.example>", "Jürgen 🌻", "Jürgen@xn--bcher-kva.example"),
            ("\"a b\"@example.org", nil, "\"a b\"@example.org"),
            ("\"\" <jane@example.org>", nil, "jane@example.org"),
        ] as [(String, String?, String)])
    func `mailboxes are read`(_ text: String, _ name: String?, _ address: String) throws {
        let mailbox = try Mailbox.parse(text)
        #expect(mailbox.name == name)
        #expect(mailbox.address.text == address)
    }

    @Test(arguments: [
        ("", MessageError.Code.invalidAddress), ("Jane", .invalidAddress), ("Jane <>", .invalidAddress),
        ("Jane <jane>", .invalidAddress), ("Jane jane@example.org>", .invalidAddress),
        ("Jane <jane@example.org", .invalidAddress), ("Jane <jane@example.org> x", .invalidAddress),
        ("a@example.org, b@example.org", .invalidAddress), ("A <a@example.org>, B <b@example.org>", .invalidAddress),
        ("<a@example.org> <b@example.org>", .invalidAddress), ("Jane <jane@[127.0.0.1]>", .invalidAddress),
        ("Jane <jane@127.0.0.1>", .invalidAddress),
        ("\"Jane <jane@example.org>", .invalidDisplayName), ("\"Jane\\\" <jane@example.org>", .invalidDisplayName),
        ("Ja\"ne <jane@example.org>", .invalidDisplayName), ("\"Jane\" Doe <jane@example.org>", .invalidDisplayName),
        (String(repeating: "a", count: 257) + " <jane@example.org>", .invalidDisplayName),
    ])
    func `what is no mailbox is refused without being quoted`(_ text: String, _ code: MessageError.Code) throws {
        let error = #expect(throws: MessageError.self) { try Mailbox.parse(text) }
        #expect(error?.code == code)
        #expect(error?.description.contains("jane@") == false)
    }

    @Test func `a description hides name and address`() throws {
        #expect("\(try Mailbox.parse("Jane <jane@example.org>"))" == "<redacted>@example.org")
    }
}
