import MailMessage
import MailTypes
import TestSupport
import Testing

/// The text part that is made from html.
struct TextOfHTMLTests {
    static func text(_ html: String, _ variables: MergeVariables = [:]) throws -> String {
        let message = try Samples.render(
            Samples.content(html: html, text: nil, textPart: .automatic), Samples.recipient(variables))
        #expect(try message.root.outline == "multipart/alternative(text/plain text/html)")
        return try message.root.parts[0].text
    }

    static let fixtures: [LanguageFixture] = [
        LanguageFixture(
            "<p>Hello <a href=\"https://example.com/x\">you</a></p>", [:], "Hello you [https://example.com/x]\n"),
        LanguageFixture("<p>One</p><p>Two</p>", [:], "One\n\nTwo\n"),
        LanguageFixture("<div>One</div><div>Two</div>", [:], "One\nTwo\n"),
        LanguageFixture("One<br>Two<br/><br />Three", [:], "One\nTwo\n\nThree\n"),
        LanguageFixture("  <b> One </b>\n  two  <i>three</i>. ", [:], "One two three.\n"),
        LanguageFixture("<h1>Title</h1>text", [:], "Title\n\ntext\n"),
        LanguageFixture("a<hr>b", [:], "a\n---\nb\n"),
        LanguageFixture("Tom &amp; J&eacute;r&#244;me &#x2014; &euro; 5&nbsp;&lt;6", [:], "Tom & Jérôme — € 5 <6\n"),
        LanguageFixture("a &unknown; &b & c", [:], "a &unknown; &b & c\n"),
        LanguageFixture(
            "<ul><li>One</li><li>Two<ul><li>Inner</li></ul></li></ul>End", [:], "- One\n- Two\n  - Inner\n\nEnd\n"),
        LanguageFixture("<ol><li>One<li><p>Two</p></ol>", [:], "1. One\n2. Two\n"),
        LanguageFixture(
            "<table><tr><th>Item</th><th>Price</th></tr><tr><td>Lamp</td><td>9</td></tr></table>", [:],
            "Item  Price\nLamp  9\n"),
        LanguageFixture("<style>p{color:red}</style><script>x<y</script><title>T</title>Hi", [:], "Hi\n"),
        LanguageFixture("<!-- no --><!--[if mso]><p>no</p><![endif]--><![if !mso]>yes<![endif]>", [:], "yes\n"),
        LanguageFixture("<div style='display:none;max-height:0'><div>preview</div>x</div>Hi", [:], "Hi\n"),
        LanguageFixture("<img src='a.png' alt='A lamp'> Hi", [:], "A lamp Hi\n"),
        LanguageFixture("<a href='https://example.com/'><img src='a.png'></a>Hi", [:], "https://example.com/Hi\n"),
        LanguageFixture("<a href='https://example.com/'>example.com</a>", [:], "example.com\n"),
        LanguageFixture("<a href='https://example.com/a'>https://example.com/a</a>", [:], "https://example.com/a\n"),
        LanguageFixture("<a href='mailto:a@example.com?subject=x'>Write</a>", [:], "Write [a@example.com]\n"),
        LanguageFixture("<a href='mailto:a@example.com'>a@example.com</a>", [:], "a@example.com\n"),
        LanguageFixture(
            "<a href='#top'>Top</a> <a name=x>Here</a> <a href='javascript:x()'>Run</a>", [:], "Top Here Run\n"),
        LanguageFixture("<a href='https://e.com/?a=1&amp;b=2'>x</a>", [:], "x [https://e.com/?a=1&b=2]\n"),
        LanguageFixture("<a href=https://e.com/y>x</a> z", [:], "x [https://e.com/y] z\n"),
        LanguageFixture("<pre>a\n  b</pre>c", [:], "a\n  b\n\nc\n"),
        LanguageFixture("1 < 2 > 0", [:], "1 < 2 > 0\n"),
        // The template's tags.
        LanguageFixture("<p>Hi {{name|friend}},</p>", [:], "Hi friend,\n"),
        LanguageFixture("<p>{{a}}</p>", ["a": "R&D <b>"], "R&D <b>\n"),
        LanguageFixture("<p>{{{a}}}</p>", ["a": "<b>R&amp;D</b><br>x"], "R&D\nx\n"),
        LanguageFixture("<ul>{{#l}}<li>{{.}}</li>{{/l}}</ul>End", ["l": ["1", "2"]], "\n- 1\n- 2\n\nEnd\n"),
        LanguageFixture("Items:<ol>{{#l}}<li>{{.}}</li>{{/l}}</ol>", ["l": ["1", "2"]], "Items:\n\n- 1\n- 2\n"),
        LanguageFixture("Hello {{#a}}<b>{{a}}</b>{{/a}}{{^a}}you{{/a}}!", [:], "Hello you!\n"),
        LanguageFixture("<p>A</p>{{#a}}<p>B</p>{{/a}}<p>C</p>", [:], "A\n\nC\n"),
        LanguageFixture("<p>A</p>{{#a}}<p>B</p>{{/a}}<p>C</p>", ["a": true], "A\n\nB\n\nC\n"),
        LanguageFixture("<a href=\"{{url}}\">x</a>", ["url": "https://e.com/?a=1&b=2"], "x [https://e.com/?a=1&b=2]\n"),
        LanguageFixture(
            "<a href='https://e.com/?e={{e}}'>x</a>", ["e": "k+t@e.org"], "x [https://e.com/?e=k%2Bt%40e.org]\n"),
        LanguageFixture("x<!-- {{#a}} --> y <!-- {{/a}} -->", ["a": true], "x y \n"),
        LanguageFixture("x{{! note }}y", [:], "xy\n"),
        LanguageFixture("&#123;&#123;a}} &lt;%= x %&gt;", [:], "{ {a}} <%= x %>\n"),
        LanguageFixture("<p class=\"{{c}}\" {{#a}}hidden{{/a}}>Hi</p>", ["c": "x"], "Hi\n"),
    ]

    @Test(arguments: fixtures) func `html becomes readable text`(_ fixture: LanguageFixture) throws {
        #expect(try Self.text(fixture.template, fixture.variables) == fixture.text)
    }

    @Test func `a text of the customer's own, or the wish for none, is kept`() throws {
        let own = try Samples.render(Samples.content(html: "<p>a</p>", text: "own", textPart: .automatic))
        #expect(try own.root.parts[0].text == "own\n")
        let none = try Samples.render(Samples.content(html: "<p>a</p>", text: nil, textPart: .none))
        #expect(try none.root.outline == "text/html")
        let image = try Samples.render(Samples.content(html: "<img src='x'>", text: nil, textPart: .automatic))
        #expect(try image.root.outline == "text/html")
    }

    /// Whatever markup comes, the html goes out as it was, and the text part is there or not.
    @Test(arguments: 0..<40) func `markup in any disorder never traps`(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let tokens = [
            "<", ">", "</", "/>", "<!--", "-->", "<p", "<a href=", "'", "\"", "=", " ", "\n", "</a>", "<li>", "</ul>",
            "<ul>",
            "{{a|b}}", "{{#l}}", "{{/l}}", "{{{h}}}", "{{! x }}", "&", "&amp;", "&#x7B;", "{", "}", "x", "ü", "<style>",
            "</style>", "<td>", "<br>", "<pre>", "</pre>", "<div hidden>", "</div>", "<svg>", "<img alt='", ";", "?",
        ]
        for _ in 0..<200 {
            var html = "x"
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                html += tokens[Int.random(in: tokens.indices, using: &random)]
            }
            do {
                let content = try Samples.content(html: html, text: nil, textPart: .automatic)
                _ = try Samples.render(content, Samples.recipient(["a": "1", "l": ["1", "2"], "h": "<b>&"]))
            } catch is MessageError {
            } catch is RenderError {}
        }
    }
}
