import MailMessage
import MailTypes
import Testing

struct HeaderEncodingTests {
    static let texts: [String] = [
        "Plain subject",
        "Grüße aus Köln",
        "日本語の件名",
        "👩‍👩‍👧‍👦 family",
        String(repeating: "🌻", count: 100),
        String(repeating: "ü", count: 400),
        "a" + String(repeating: "日本", count: 60),
        String(repeating: "word ", count: 80) + "end",
        String(repeating: "x", count: 998),
        String(repeating: "y", count: 67) + " " + String(repeating: "z", count: 75),
        String(repeating: "y", count: 68),
        "=?utf-8?Q?not_one?=",
        "a =? b",
        "double  blanks   inside",
        String(repeating: "a" + String(repeating: " ", count: 100), count: 3) + "b",
        "\"quoted\" (and) <angled>, [bracketed]; _under_ ?=",
        "C:\\path",
        "100 % = all",
    ]

    @Test(arguments: texts) func `subjects survive, fixed and merged`(_ text: String) throws {
        for template in [text, "{{s}}"] {
            let message = try Samples.render(Samples.content(subject: template), Samples.recipient(["s": .text(text)]))
            #expect(try message.header("Subject") == (template == text ? text : SimpleDecoders.collapsed(text)))
            for line in ReadMessage.lines(message.rawHeader.utf8) { #expect(line.count <= 76) }
            #expect(message.rawHeader.utf8.allSatisfy { $0 < 0x80 })
        }
    }

    @Test(arguments: texts.filter { $0.utf8.count < 900 }) func `custom headers survive`(_ text: String) throws {
        let name = "X-" + String(repeating: "Long-", count: 14) + "Ab"
        let message = try Samples.render(
            Samples.content(headers: [(name, text), ("X-B", "{{s}}")]),
            Samples.recipient(["s": .text(text)]))
        #expect(try message.header(name) == text)
        #expect(try message.header("X-B") == SimpleDecoders.collapsed(text))
    }

    @Test(arguments: [
        ("Jane Doe", "Jane Doe <jane@example.org>"),
        ("Doe, Jane", "\"Doe, Jane\" <jane@example.org>"),
        ("J. Doe", "\"J. Doe\" <jane@example.org>"),
        ("Jane \"JD\" Doe", "\"Jane \\\"JD\\\" Doe\" <jane@example.org>"),
        ("a\\b", "\"a\\\\b\" <jane@example.org>"),
        ("evil@example.net", "\"evil@example.net\" <jane@example.org>"),
        ("<x@y.example>", "\"<x@y.example>\" <jane@example.org>"),
        ("Zoë", "=?utf-8?Q?Zo=C3=AB?= <jane@example.org>"),
        ("=?utf-8?Q?x?=", "=?utf-8?B?PT91dGYtOD9RP3g/PQ==?= <jane@example.org>"),
        ("李雷", "=?utf-8?B?5p2O6Zu3?= <jane@example.org>"),
        ("  Jane  ", "Jane <jane@example.org>"),
        ("   ", "jane@example.org"),
        ("", "jane@example.org"),
    ])
    func `display names are quoted or encoded as they need`(_ name: String, _ field: String) throws {
        let message = try Samples.render(Samples.content(), Samples.recipient(name: name))
        #expect(try message.root.header("To") == field)
        var content = try Samples.content()
        content.replyTo = [try Mailbox(name: name, address: EmailAddress("jane@example.org"))]
        #expect(try Samples.render(content).root.header("Reply-To") == field)
    }

    @Test func `long names and addresses fold`() throws {
        let local = String(repeating: "l", count: 64)
        let domain = (0..<3).map { _ in String(repeating: "d", count: 60) }.joined(separator: ".") + ".org"
        let address = try EmailAddress("\(local)@\(domain)")
        for name in [
            "Jane", String(repeating: "Jane ", count: 40) + "Doe", String(repeating: "n", count: 256),
            String(repeating: "é", count: 128), String(repeating: "👩‍👩‍👧‍👦", count: 10),
        ] {
            let recipient = MergeRecipient(address: address, name: name)
            let message = try Samples.render(Samples.content(), recipient)
            let field = try message.root.header("To")
            #expect(field.hasSuffix(" <\(address.text)>"))
            #expect(try SimpleDecoders.encodedWords(String(field.dropLast(address.text.utf8.count + 3))) == name)
            for line in ReadMessage.lines(message.rawHeader.utf8) where !line.contains(UInt8(ascii: "@")) {
                #expect(line.count <= 76)
            }
        }
    }

    @Test func `several Reply-To addresses each keep their line`() throws {
        var content = try Samples.content()
        content.replyTo = try ["One <a@acme.example>", "b@acme.example", "Zoë Ångström <c@acme.example>"]
            .map { try Mailbox.parse($0) }
        #expect(
            try Samples.render(content).root.header("Reply-To")
                == "One <a@acme.example>, b@acme.example, =?utf-8?B?Wm/DqyDDhW5nc3Ryw7Zt?= <c@acme.example>")
    }

    @Test(arguments: [
        "report.pdf", "Jahresbericht 2025.pdf", "Übersicht.pdf",
        "日本語のとても長いファイル名" + String(repeating: "です", count: 30) + ".pdf",
        String(repeating: "a", count: 200) + ".txt", "a\"b.txt", "100%*'.txt", "🌻.png", "semi;colon=.txt", ".hidden",
    ])
    func `file names survive`(_ name: String) throws {
        let message = try Samples.render(
            Samples.content(attachments: [Attachment(filename: name, contentType: "text/plain", content: [1])]))
        let disposition = try message.root.parts[1].header("Content-Disposition")
        #expect(disposition.hasPrefix("attachment;"))
        // The simple reader splits at semicolons, so it cannot see one inside quotes.
        if name.contains(";") {
            #expect(disposition == "attachment; filename=\"\(name)\"")
        } else {
            #expect(try SimpleDecoders.parameters(disposition)["filename"] == name)
        }
        for line in ReadMessage.lines(message.bytes) { #expect(line.count <= 76) }
    }

    @Test func `file names are written in the plainest form`() throws {
        func disposition(_ name: String) throws -> String {
            let attachment = Attachment(filename: name, contentType: "text/plain", content: [])
            return try Samples.render(Samples.content(attachments: [attachment])).root.parts[1]
                .header("Content-Disposition")
        }
        #expect(try disposition("a.pdf") == "attachment; filename=a.pdf")
        #expect(try disposition("a b.pdf") == "attachment; filename=\"a b.pdf\"")
        #expect(try disposition("a'b.pdf") == "attachment; filename=\"a'b.pdf\"")
        #expect(try disposition("ä b.pdf") == "attachment; filename*=utf-8''%C3%A4%20b.pdf")
        let long = try disposition(String(repeating: "ä", count: 40))
        #expect(long.contains("filename*0*=utf-8''") && long.contains("filename*1*=%C3%A4"))
    }
}
