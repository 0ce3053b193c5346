import MailMessage
import MailTypes
import Testing

/// Values of recipients inside header fields: never an injection, never a lost recipient.
struct HeaderValueTests {
    @Test(arguments: [
        ("Oslo\n", "News from Oslo"), ("Oslo\r\n", "News from Oslo"), ("\nOslo", "News from  Oslo"),
        ("Oslo\r\nBcc: x@example.com", "News from Oslo Bcc: x@example.com"), ("a\t\tb", "News from a b"),
        ("a\u{85}b", "News from a b"), ("a\u{2028}b", "News from a b"), ("a\u{2029}\n b", "News from a b"),
        ("a\u{A0}b", "News from a b"), ("a\u{3000}b", "News from a b"), ("a  b", "News from a b"),
        ("a\u{0B}\u{0C}b", "News from a b"), ("a\u{7F}b", "News from a b"), ("a\0b", "News from a b"),
        ("日\n本", "News from 日 本"), ("a\u{200B}b", "News from a\u{200B}b"), ("a\u{202E}b", "News from a\u{202E}b"),
    ])
    func `a run of white space in a value is one blank`(_ value: String, _ subject: String) throws {
        #expect(try Samples.subject("News from {{city}}", ["city": .text(value)]) == subject)
        let message = try Samples.render(
            Samples.content(headers: [("X-City", "News from {{city}}")]), Samples.recipient(["city": .text(value)]))
        #expect(try message.header("X-City") == subject)
    }

    static func content(from: String, replyTo: [String] = []) throws -> MessageContent {
        MessageContent(
            from: try Mailbox.parse(from), replyTo: try replyTo.map { try Mailbox.parse($0) }, subject: "Hello",
            text: "Hi\n")
    }

    @Test(arguments: [
        ("{{shop}} News <a@news.example>", "Lamp", "Lamp News <a@news.example>"),
        ("{{shop|Our}} News <a@news.example>", "", "Our News <a@news.example>"),
        ("{{shop}} <a@news.example>", "Lamp, Ltd.", "\"Lamp, Ltd.\" <a@news.example>"),
        ("{{shop}} <a@news.example>", "\"Q\" <evil@example.net>", "\"\\\"Q\\\" <evil@example.net>\" <a@news.example>"),
        ("{{shop}} <a@news.example>", "A\r\nBcc: x@example.com", "\"A Bcc: x@example.com\" <a@news.example>"),
        ("{{shop}} <a@news.example>", " ", "a@news.example"),
        ("{{shop}} <a@news.example>", "Grüße", "Grüße <a@news.example>"),
        ("{{#shop}}{{shop}} of {{/shop}}Acme <a@news.example>", "Lamp", "Lamp of Acme <a@news.example>"),
        ("\"{{shop}}, News\" <a@news.example>", "Lamp", "\"Lamp, News\" <a@news.example>"),
    ])
    func `tags work in the display names of From and Reply-To`(
        _ mailbox: String, _ value: String, _ expected: String
    ) throws {
        let variables: MergeVariables = ["shop": .text(value)]
        let message = try Samples.render(Self.content(from: mailbox), Samples.recipient(variables))
        #expect(try message.header("From") == expected)
        let reply = try Samples.render(
            Self.content(from: "b@news.example", replyTo: [mailbox, "c@news.example"]), Samples.recipient(variables))
        #expect(try reply.header("Reply-To") == expected + ", c@news.example")
    }

    @Test func `a missing variable of a display name fails its recipient`() throws {
        #expect(throws: RenderError.missingVariable("shop")) {
            try Samples.render(Self.content(from: "{{shop}} <a@news.example>"))
        }
    }

    @Test func `tags in an address or a file name are refused`() throws {
        for content in [
            try Self.content(from: "{{a}}@news.example"),
            try Self.content(from: "a@news.example", replyTo: ["{{a}}@b.example"]),
        ] {
            let error = #expect(throws: MessageError.self) { try CompiledMessage(content) }
            #expect(error?.code == .invalidTag)
            #expect(error?.field == (content.replyTo.isEmpty ? "from" : "reply_to"))
        }
        for name in ["{{name}}.pdf", "a{{{x}}}.pdf", "{{"] {
            let file = Attachment(filename: name, contentType: "application/pdf", content: [1])
            let error = #expect(throws: MessageError.self) {
                try CompiledMessage(Samples.content(attachments: [file]))
            }
            #expect(error?.code == .invalidAttachment)
            #expect(error?.field == "attachments.0.filename")
        }
        #expect(throws: MessageError.self) { try CompiledMessage(Self.content(from: "{{else}} <a@news.example>")) }
    }

    @Test(arguments: [256, 257, 300, 512, 5_000])
    func `a display name that is too long is shortened`(_ octets: Int) throws {
        for unit in ["n", "é", "👩‍👩‍👧‍👦"] {
            let name = String(repeating: unit, count: octets / unit.utf8.count)
            let message = try Samples.render(Samples.content(), Samples.recipient(name: name))
            let shown = try message.header("To").replacing(" <jane@example.org>", with: "")
            #expect(shown.utf8.count <= 256 && name.hasPrefix(shown))
            #expect(shown == name || shown.utf8.count > 256 - unit.utf8.count)
            let from = try Samples.render(
                Self.content(from: "{{name}} <a@news.example>"), Samples.recipient(name: name))
            #expect(try from.header("From") == shown + " <a@news.example>")
        }
    }

    @Test func `one field in two spellings is refused`() throws {
        for names in [["In-Reply-To", "in-reply-to"], ["X-A", "X-B", "x-a"], ["X-A", "X-A"]] {
            let error = #expect(throws: MessageError.self) {
                try CompiledMessage(Samples.content(headers: names.map { ($0, "<a@example.com>") }))
            }
            #expect(error?.code == .duplicateHeader)
            #expect(error?.field == "headers.\(names.last ?? "")")
        }
    }

    @Test(arguments: ["", " ", "\u{A0}\u{200B}", "{{! note }}", "{{#a}} {{/a}}"])
    func `an empty subject is refused`(_ subject: String) throws {
        let error = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(subject: subject)) }
        #expect(error?.code == .noSubject)
        #expect(error?.field == "subject")
    }

    @Test(arguments: [
        "", " \r\n\t", "\u{FEFF}", "{{! note }}", "{{#a}}\n{{/a}}",
    ])
    func `empty text is refused`(_ text: String) throws {
        for html in [nil, text, "<p>&nbsp;</p>"] {
            let error = #expect(throws: MessageError.self) {
                try CompiledMessage(Samples.content(html: html, text: text))
            }
            #expect(error?.code == .noBody)
        }
    }

    @Test(arguments: [
        "<html><head><title>News</title><style>p{}</style></head><body> <p></p>\n</body></html>", "<br><br>",
        "<!-- a comment --><p>&#8203;&zwnj;</p>", "<div style='display: none'>preview</div>", "<script>x()</script>",
        "<table><tr><td>&nbsp;</td></tr></table>", "{{#a}}<p> </p>{{/a}}",
    ])
    func `html with nothing to see is refused`(_ html: String) throws {
        let error = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(html: html, text: nil)) }
        #expect(error?.code == .noBody)
        #expect(error?.field == "html")
    }

    @Test(arguments: [
        "<img src='cid:a'>", "<p>{{a}}</p>", "{{{html}}}", "<svg></svg>", "<td background='x.png'></td>",
        "<div style='background-image:url(x.png)'></div>", "x", "<a href='https://example.com/'></a>", "{{#a}}x{{/a}}",
    ])
    func `html with something to see is taken`(_ html: String) throws {
        _ = try CompiledMessage(Samples.content(html: html, text: nil))
    }
}
