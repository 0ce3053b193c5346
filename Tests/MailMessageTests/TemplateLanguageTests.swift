import MailMessage
import MailTypes
import Testing

/// One template, its variables and what comes out as text and, where it differs, as html.
struct LanguageFixture: Sendable, CustomTestStringConvertible {
    let template: String
    let variables: MergeVariables
    let text: String
    let html: String

    init(_ template: String, _ variables: MergeVariables, _ text: String, html: String? = nil) {
        self.template = template
        self.variables = variables
        self.text = text
        self.html = html ?? text
    }

    var testDescription: String { template }
}

struct TemplateLanguageTests {
    static let fixtures: [LanguageFixture] = [
        LanguageFixture("plain", [:], "plain\n"),
        LanguageFixture("{{a}}", ["a": ""], ""),
        LanguageFixture("Hi {{a}}!", ["a": "Jo"], "Hi Jo!\n"),
        LanguageFixture("{{a}}{{b}}", ["b": "2", "a": "1"], "12\n"),
        LanguageFixture("{{ a }}{{\ta\n}}", ["a": "1"], "11\n"),
        LanguageFixture("{{a}}", ["a": "<&>\"'"], "<&>\"'\n", html: "&lt;&amp;&gt;&quot;&#39;\n"),
        LanguageFixture("{{{a}}}{{&a}}{{& a }}", ["a": "<b>"], "<b><b><b>\n"),
        LanguageFixture("{{a}}", ["a": true], "true\n"),
        LanguageFixture("{{a}}", ["a": false], "false\n"),
        // Fallbacks.
        LanguageFixture("{{a|friend}}", [:], "friend\n"),
        LanguageFixture("{{a|friend}}", ["a": .null], "friend\n"),
        LanguageFixture("{{a|friend}}", ["a": ""], "friend\n"),
        LanguageFixture("{{a|friend}}", ["a": "Jo"], "Jo\n"),
        LanguageFixture("{{a|friend}}", ["a": ["x"]], "friend\n"),
        LanguageFixture("{{a|friend}}", ["a": .object(["x": "y"])], "friend\n"),
        LanguageFixture("{{a|friend}}", ["a": false], "false\n"),
        LanguageFixture("[{{a|}}]", [:], "[]\n"),
        LanguageFixture("{{ a | dear friend }}", [:], "dear friend\n"),
        LanguageFixture("{{a|you|me}}", [:], "you|me\n"),
        LanguageFixture("{{a|R&D}}", [:], "R&D\n", html: "R&amp;D\n"),
        LanguageFixture("{{{a|<i>}}}{{&a|<i>}}", [:], "<i><i>\n"),
        // Sections.
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": true], "x\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": false], "y\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", [:], "y\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": .null], "y\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": ""], "y\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": []], "y\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": "0"], "x\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": "false"], "x\n"),
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": .object([:])], "x\n"),
        // Cells of a table that say no are text all the same.
        LanguageFixture("{{#a}}x{{/a}}{{^a}}y{{/a}}", ["a": .falseText("No")], "y\n"),
        LanguageFixture("{{a}} {{a|none}}", ["a": .falseText("0")], "0 0\n"),
        LanguageFixture("{{^a}}{{a}} <{{a|none}}>{{/a}}", ["a": .falseText("")], " <none>\n"),
        LanguageFixture("{{a}}", ["a": .falseText("no <b>")], "no <b>\n", html: "no &lt;b&gt;\n"),
        LanguageFixture("{{#o}}{{#a}}x{{/a}}{{/o}}", ["o": true, "a": .falseText("off")], ""),
        LanguageFixture("{{#a}}<{{.}}>{{/a}}", ["a": ["1", "2", "3"]], "<1><2><3>\n"),
        LanguageFixture("{{#a}}{{.}}{{/a}}", ["a": ["&"]], "&\n", html: "&amp;\n"),
        LanguageFixture("{{#a}}{{#.}}{{.}}{{/.}};{{/a}}", ["a": [["1", "2"], ["3"]]], "12;3;\n"),
        LanguageFixture("{{#a}}at {{a}}{{/a}}", ["a": "Acme"], "at Acme\n"),
        LanguageFixture("{{#a}}at {{.}}{{/a}}", ["a": "Acme"], "at Acme\n"),
        LanguageFixture(
            "{{#items}}{{n}}:{{title}}{{sep}}{{/items}}",
            ["items": [.object(["n": "1", "title": "A"]), .object(["n": "2"])], "title": "T", "sep": ";"],
            "1:A;2:T;\n"),
        LanguageFixture(
            "{{#o}}{{#p}}{{x}}{{y}}{{/p}}{{/o}}",
            ["o": .object(["p": .object(["x": "1"]), "y": "2"]), "y": "3"], "12\n"),
        LanguageFixture("{{#o}}{{x|none}}{{/o}}", ["o": .object(["x": .null]), "x": "outer"], "none\n"),
        LanguageFixture("{{^a}}{{.|none}}{{/a}}", [:], "none\n"),
        LanguageFixture("{{#a}}{{#a}}x{{/a}}{{/a}}", ["a": true], "x\n"),
        // Dotted names.
        LanguageFixture("{{o.p.x}}", ["o": .object(["p": .object(["x": "1"])])], "1\n"),
        LanguageFixture("{{o.x|none}}", ["o": "text"], "none\n"),
        LanguageFixture("{{o.x}}", ["o.x": "column"], "column\n"),
        LanguageFixture("{{o.x}}", ["o": .object(["x": "object"]), "o.x": "column"], "object\n"),
        LanguageFixture("{{#o.list}}{{.}}{{/o.list}}", ["o": .object(["list": ["1", "2"]])], "12\n"),
        LanguageFixture("{{#s}}{{o.x}}{{/s}}", ["s": true, "o.x": "column"], "column\n"),
        // Names as CSV columns have them.
        LanguageFixture("{{First Name}}", ["First Name": "Jo"], "Jo\n"),
        LanguageFixture("{{größe}}", ["größe": "XL"], "XL\n"),
        LanguageFixture("{{1}}", ["1": "one"], "one\n"),
        // Comments, and braces that are none of ours.
        LanguageFixture("a{{! note }}b{{!}}c{{! two\nlines }}d{{!-- dashes --}}e{{!--}}", [:], "abcde\n"),
        LanguageFixture("@media x{a{color:red}}", [:], "@media x{a{color:red}}\n"),
        LanguageFixture("{ {a} }", [:], "{ {a} }\n"),
        // Tags alone on a line.
        LanguageFixture("a\n{{#l}}\n- {{.}}\n{{/l}}\nb\n", ["l": ["1", "2"]], "a\n- 1\n- 2\nb\n"),
        LanguageFixture("a\n  {{#l}}  \n- {{.}}\n\t{{/l}}", ["l": ["1"]], "a\n- 1\n"),
        LanguageFixture("{{! first line }}\nb", [:], "b\n"),
        LanguageFixture("a\r\n{{! c }}\r\nb\r\n", [:], "a\nb\n"),
        LanguageFixture("a {{! c }}\nb", [:], "a \nb\n"),
        LanguageFixture("{{#t}}{{/t}}\nb", [:], "\nb\n"),
        LanguageFixture("{{a}}\nb", ["a": ""], "\nb\n"),
        // Line ends.
        LanguageFixture("a\rb\r\nc\nd", [:], "a\nb\nc\nd\n"),
        LanguageFixture("{{a}}", ["a": "1\r2\r\n3\n4"], "1\n2\n3\n4\n"),
        LanguageFixture("{{a}}{{b}}", ["a": "1 ", "b": "\n2"], "1 \n2\n"),
    ]

    @Test(arguments: fixtures) func `renders as text`(_ fixture: LanguageFixture) throws {
        #expect(try Samples.text(fixture.template, fixture.variables) == fixture.text)
    }

    @Test(arguments: fixtures) func `renders as html`(_ fixture: LanguageFixture) throws {
        #expect(try Samples.html(fixture.template, fixture.variables) == fixture.html)
    }

    /// Mostly other scripts, so the part is base64; the language must not notice.
    @Test(arguments: fixtures) func `renders the same in base64`(_ fixture: LanguageFixture) throws {
        let before = String(repeating: "日本語テキスト", count: 40)
        let message = try Samples.render(
            Samples.content(html: before + "\n" + fixture.template, text: nil), Samples.recipient(fixture.variables))
        #expect(try message.root.header("Content-Transfer-Encoding") == "base64")
        #expect(try message.root.text == before + "\n" + fixture.html)
    }

    @Test func `a missing variable fails its recipient`() throws {
        for template in ["{{a}}", "{{{a}}}", "{{o.x}}", "{{#l}}{{a}}{{/l}}", "{{list}}", "{{null}}", "{{object}}"] {
            let name =
                ["{{a}}": "a", "{{{a}}}": "a", "{{#l}}{{a}}{{/l}}": "a", "{{o.x}}": "o.x"][template]
                ?? String(template.dropFirst(2).dropLast(2))
            #expect(throws: RenderError.missingVariable(name)) {
                try Samples.text(
                    template,
                    ["l": ["1"], "o": .object([:]), "list": ["1"], "null": .null, "object": .object(["x": "1"])])
            }
        }
        #expect(throws: RenderError.missingVariable("a")) { try Samples.subject("{{a}}") }
    }

    @Test func `policy empty renders nothing for a missing variable`() throws {
        let content = try Samples.content(
            subject: "[{{a}}]", text: "[{{a}}{{{o.x}}}]", missingVariables: .empty)
        let message = try Samples.render(content)
        #expect(try message.header("Subject") == "[]")
        #expect(try message.root.text == "[]\n")
    }

    @Test func `email is always the address`() throws {
        #expect(try Samples.text("{{email}}", ["email": "other"]) == "jane@example.org\n")
    }

    @Test func `an object's own email comes first inside its section`() throws {
        #expect(
            try Samples.text("{{#o}}{{email}}{{/o}}", ["o": .object(["email": "inner@example.org"])])
                == "inner@example.org\n")
    }

    @Test func `name is the variable, else the recipient's name`() throws {
        #expect(try Samples.text("{{name}}", ["name": "Variable"], name: "Recipient") == "Variable\n")
        #expect(try Samples.text("{{name}}", ["name": .null], name: "Recipient") == "Recipient\n")
        #expect(try Samples.text("{{name}}", name: "Recipient") == "Recipient\n")
        #expect(try Samples.text("{{name|friend}}", name: "") == "friend\n")
        #expect(throws: RenderError.missingVariable("name")) { try Samples.text("{{name}}") }
    }

    @Test func `unsubscribe_url is the https URI, else the variable`() throws {
        let content = try Samples.content(text: "{{unsubscribe_url}}")
        var envelope = Samples.envelope
        envelope.listUnsubscribe = ["mailto:u@acme.example", "https://acme.example/u?t=1"]
        let recipient = try Samples.recipient(["unsubscribe_url": "https://own.example/"])
        #expect(try Samples.render(content, recipient, envelope).root.text == "https://acme.example/u?t=1\n")
        envelope.listUnsubscribe = ["mailto:u@acme.example"]
        #expect(try Samples.render(content, recipient, envelope).root.text == "https://own.example/\n")
        #expect(throws: RenderError.missingVariable("unsubscribe_url")) {
            try Samples.render(content, Samples.recipient(), envelope)
        }
    }

    @Test func `the order of fields changes nothing`() throws {
        let compiled = try CompiledMessage(Samples.content(text: "{{a}} {{b}} {{c|-}} {{d.e}}"))
        var message = RenderedMessage()
        let fields: [MergeVariables] = [
            ["a": "1", "b": "2", "c": "3", "d": .object(["e": "4"])],
            ["d": .object(["e": "4"]), "c": "3", "b": "2", "a": "1"],
            ["x": "0", "b": "2", "d": .object(["e": "4"]), "a": "1", "c": "3"],
            ["a": "1", "b": "2", "d.e": "4"],
        ]
        var texts: [String] = []
        for variables in fields {
            try compiled.render(Samples.recipient(variables), Samples.envelope, into: &message)
            texts.append(try ReadMessage(message).root.text)
        }
        #expect(texts == ["1 2 3 4\n", "1 2 3 4\n", "1 2 3 4\n", "1 2 - 4\n"])
    }
}
