import MailMessage
import MailTypes
import Testing

struct TransferEncodingTests {
    private func body(_ template: String, _ variables: MergeVariables = [:]) throws -> String {
        let message = try Samples.render(Samples.content(text: template), Samples.recipient(variables))
        return String(decoding: message.root.rawBody, as: UTF8.self)
    }

    /// Known texts, so that an encoder and a decoder with the same mistake do not agree.
    @Test(arguments: [
        ("plain text", "plain text\r\n"),
        ("a=b", "a=3Db\r\n"),
        ("Grüße, this is mostly ASCII", "Gr=C3=BC=C3=9Fe, this is mostly ASCII\r\n"),
        ("blank \nand tab\t\n", "blank=20\r\nand tab=09\r\n"),
        ("blank at the end ", "blank at the end=20\r\n"),
        ("  \n", " =20\r\n"),
        (".\n..x\na.b", "=2E\r\n=2E.x\r\na.b\r\n"),
        ("From here\nFromage\n>From", "=46rom here\r\nFromage\r\n>From\r\n"),
        ("", ""),
        ("\n\n", "\r\n\r\n"),
        ("a\u{7F}b", "a=7Fb\r\n"),
    ])
    func `quoted-printable is that of RFC 2045`(_ text: String, _ encoded: String) throws {
        if text.contains(where: { !$0.isWhitespace }) { #expect(try body(text) == encoded) }
        #expect(try body("{{t}}", ["t": .text(text)]) == encoded)
    }

    @Test func `lines break where a value ends too far right`() throws {
        let a = { (count: Int) in String(repeating: "a", count: count) }
        #expect(try body(a(75)) == a(75) + "\r\n")
        #expect(try body(a(76)) == a(75) + "=\r\na\r\n")
        #expect(try body("{{v}}bb", ["v": .text(a(73))]) == a(73) + "bb\r\n")
        #expect(try body("{{v}}bbb", ["v": .text(a(73))]) == a(73) + "=\r\nbbb\r\n")
        #expect(try body("bb{{v}}", ["v": .text(a(74))]) == "bb" + a(73) + "=\r\na\r\n")
        #expect(try body("{{v}}=", ["v": .text(a(72))]) == a(72) + "=3D\r\n")
        #expect(try body("{{v}}=", ["v": .text(a(73))]) == a(73) + "=\r\n=3D\r\n")
        // A blank that only the next piece turns into the last of its line.
        #expect(try body("{{v}}\nb", ["v": .text(a(72) + " ")]) == a(72) + "=20\r\nb\r\n")
        #expect(try body("{{v}}\nb", ["v": .text(a(74) + " ")]) == a(74) + "=\r\n=20\r\nb\r\n")
        #expect(try body("{{v}} {{w}}", ["v": .text(a(74)), "w": "\nb"]) == a(74) + "=\r\n=20\r\nb\r\n")
        #expect(try body("a {{v}}", ["v": ""]) == "a=20\r\n")
        // Dots that come to stand at the start of a line.
        #expect(try body("{{v}}.b", ["v": .text(a(75))]) == a(75) + "=\r\n=2Eb\r\n")
        #expect(try body("{{v}}", ["v": .text(a(75) + ".b")]) == a(75) + "=\r\n=2Eb\r\n")
        #expect(try body("{{v}}{{w}}", ["v": "", "w": "."]) == "=2E\r\n")
        // An entity stays whole.
        let html = try Samples.render(
            Samples.content(html: "{{v}}", text: nil), Samples.recipient(["v": .text(a(72) + "&b")]))
        #expect(String(decoding: html.root.rawBody, as: UTF8.self) == a(72) + "=\r\n&amp;b\r\n")
    }

    @Test func `a line of 2,000 characters in html is wrapped`() throws {
        let line = "<p>" + String(repeating: "lorem <b>ipsum</b> ", count: 110) + "</p>"
        #expect(try Samples.html(line + "\n" + line) == line + "\n" + line + "\n")
        #expect(try Samples.html(String(repeating: "x", count: 2_000)) == String(repeating: "x", count: 2_000) + "\n")
        #expect(
            try Samples.html("{{{v}}}", ["v": .text(String(repeating: "y", count: 2_000))])
                == String(repeating: "y", count: 2_000) + "\n")
    }

    @Test func `the encoding follows the script of the template`() throws {
        func encoding(_ text: String) throws -> String {
            try Samples.render(Samples.content(text: text)).root.header("Content-Transfer-Encoding")
        }
        #expect(try encoding("plain") == "quoted-printable")
        #expect(try encoding(String(repeating: "Viele Grüße aus Köln. ", count: 20)) == "quoted-printable")
        #expect(try encoding(String(repeating: "Добрый день. ", count: 20)) == "base64")
        #expect(try encoding(String(repeating: "こんにちは", count: 20)) == "base64")
        #expect(try encoding("<table width=\"100%\"><tr><td>Добрый день</td></tr></table>") == "quoted-printable")
    }

    @Test(arguments: 0..<120) func `base64 text of every length survives`(_ count: Int) throws {
        let text = "日本語" + String(repeating: "語", count: count) + String(repeating: "\n", count: count % 3)
        #expect(try Samples.text(text) == text + (count % 3 == 0 ? "\n" : ""))
        let known = try body("日本語")
        #expect(known == "5pel5pys6KqeDQo=\r\n")
    }

    @Test func `an empty body ends with the header's empty line`() throws {
        let message = try Samples.render(Samples.content(text: "{{t}}"), Samples.recipient(["t": ""]))
        #expect(message.root.rawBody.isEmpty)
        #expect(message.bytes.suffix(4).elementsEqual("\r\n\r\n".utf8))
    }

    @Test func `equal input gives equal octets, in fresh and in used memory`() throws {
        let content = try Samples.content(
            subject: "Für {{name}}", html: "<p>{{name}} {{#l}}{{.}}{{/l}}", text: "Привет {{name}}, как дела?",
            attachments: [MIMEStructureTests.file])
        let compiled = try CompiledMessage(content)
        let again = try CompiledMessage(MessageContent(decoding: content.encoded()))
        var used = RenderedMessage()
        for name in ["Jane", "Zoë", String(repeating: "n", count: 200), "J"] {
            let recipient = try Samples.recipient(["l": ["1", "2"]], name: name)
            try compiled.render(recipient, Samples.envelope, into: &used)
            var fresh = RenderedMessage()
            try again.render(recipient, Samples.envelope, into: &fresh)
            #expect(used.bytes == fresh.bytes)
            #expect(used.bodyOffset == fresh.bodyOffset)
        }
    }
}
