import MailMessage
import MailTypes
import Testing

/// The customer's own URIs in List-Unsubscribe.
struct UnsubscribeURITests {
    private static let ours = "https://mail.example.net/u/t1"

    private static func field(
        _ uris: [String], _ variables: MergeVariables = [:], ours: [String] = [], oneClick: Bool = true,
        missingVariables: MissingVariablePolicy = .invalid
    ) throws -> ReadMessage {
        var content = try Samples.content(missingVariables: missingVariables)
        content.listUnsubscribe = uris
        let envelope = MessageEnvelopeFields(
            messageID: "1@acme.example", date: 0, listUnsubscribe: ours, oneClick: oneClick)
        return try Samples.render(content, Samples.recipient(variables), envelope)
    }

    @Test func `ours comes first, and the one click is promised for ours alone`() throws {
        let own = ["mailto:leave@acme.example", "https://acme.example/leave"]
        let both = try Self.field(own, ours: [Self.ours])
        #expect(
            try both.header("List-Unsubscribe")
                == "<\(Self.ours)>, <mailto:leave@acme.example>, <https://acme.example/leave>")
        #expect(try both.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click")
        #expect(both.fieldNames.count { $0 == "List-Unsubscribe" } == 1)
        let alone = try Self.field(own)
        #expect(try alone.header("List-Unsubscribe") == "<mailto:leave@acme.example>, <https://acme.example/leave>")
        #expect(!alone.fieldNames.contains("List-Unsubscribe-Post"))
    }

    @Test(arguments: [
        ("https://acme.example/u?e={{a}}&b=1", "k+t@e.org", "https://acme.example/u?e=k%2Bt%40e.org&b=1"),
        ("https://acme.example/{{a}}/u", "ü /", "https://acme.example/%C3%BC%20%2F/u"),
        ("https://{{a}}/u", "acme.example:8443", "https://acme.example:8443/u"),
        ("{{a}}", "https://acme.example/u?x=1", "https://acme.example/u?x=1"),
        ("{{a}}", "  mailto:leave@acme.example\r\n", "mailto:leave@acme.example"),
        ("mailto:{{a}}?subject=leave", "leave@acme.example", "mailto:leave@acme.example?subject=leave"),
        ("mailto:leave+{{a}}@acme.example", "7 >", "mailto:leave+7%20%3E@acme.example"),
        (
            "mailto:leave@acme.example?subject={{a}}", "no more\r\nBcc: x",
            "mailto:leave@acme.example?subject=no%20more%0D%0ABcc%3A%20x"
        ),
        ("MAILTO:leave@acme.example?body={{a|please}}", "", "MAILTO:leave@acme.example?body=please"),
        ("https://acme.example/u?e={{{a}}}", "a%40b", "https://acme.example/u?e=a%40b"),
    ])
    func `values are encoded as parts of the URI`(template: String, value: String, expected: String) throws {
        #expect(try Self.field([template], ["a": .text(value)]).header("List-Unsubscribe") == "<\(expected)>")
    }

    @Test(arguments: [
        "not a URI", "http://acme.example/", "https://", "mailto:", "https://acme.example/>,<https://evil.example/",
        "https://acme.example/\r\nBcc: x@y.example", "javascript:alert(1)", "https://acme.example/ü", "mailto:nobody",
    ])
    func `a value that makes no URI fails its recipient alone`(value: String) throws {
        for template in ["{{a}}", "{{{a}}}"] {
            #expect(throws: RenderError.invalidField(field: "List-Unsubscribe")) {
                try Self.field([template], ["a": .text(value)])
            }
        }
    }

    @Test func `one that is empty for a recipient is left out`() throws {
        let uris = ["{{#a}}{{a}}{{/a}}", "mailto:leave@acme.example"]
        let without = try Self.field(uris, ours: [Self.ours])
        #expect(try without.header("List-Unsubscribe") == "<\(Self.ours)>, <mailto:leave@acme.example>")
        let none = try Self.field(["{{a}}"], missingVariables: .empty)
        #expect(!none.fieldNames.contains { $0.hasPrefix("List-Unsubscribe") })
    }

    @Test(
        arguments: [
            (["http://acme.example/u"], "begins with https:// or mailto:"), ([""], "begins with https:// or mailto:"),
            (["acme.example/{{a}}"], "begins with https:// or mailto:"),
            (["ftp://acme.example/{{a}}"], "begins with https:// or mailto:"),
            (["https://acme.example/a b"], "a blank"), (["https://acme.example/ü"], "not ASCII"),
            (["<https://acme.example/>"], "cannot hold <"), (["https:///u"], "names a host"),
            (["https://acme.example/%4"], "two digits"), (["mailto:leave"], "names an address"),
            (["mailto:?subject=leave"], "names an address"), (["mailto:a@b.example, mailto:c@d.example"], "a blank"),
            (Array(repeating: "mailto:a@b.example", count: 5), "more than 4"),
        ] as [([String], String)])
    func `what is no URI is refused at submission`(uris: [String], words: String) throws {
        var content = try Samples.content()
        content.listUnsubscribe = uris
        let error = #expect(throws: MessageError.self) { try CompiledMessage(content) }
        #expect(error?.code == .invalidUnsubscribe)
        #expect(error?.detail.contains(words) == true, "\(error?.detail ?? "")")
        #expect(error?.field?.hasPrefix("list_unsubscribe") == true)
    }

    // MARK: In place of ours

    private static func own(
        _ uris: [String], _ variables: MergeVariables = [:], text: String = "{{unsubscribe_url}}"
    ) throws -> ReadMessage {
        var content = try Samples.content(subject: "{{unsubscribe_url|Hello}}", text: text)
        content.listUnsubscribe = uris
        content.unsubscribing = .own
        let envelope = MessageEnvelopeFields(
            messageID: "1@acme.example", date: 0, listUnsubscribe: [Self.ours], oneClick: true)
        return try Samples.render(content, Samples.recipient(variables), envelope)
    }

    @Test func `the customer's stand alone, and its https URI takes the one click and is the link in the text`() throws
    {
        let uris = ["mailto:leave+{{id}}@acme.example", "https://acme.example/leave?who={{id}}"]
        let mail = try Self.own(uris, ["id": "7 &"])
        #expect(
            try mail.header("List-Unsubscribe")
                == "<mailto:leave+7%20%26@acme.example>, <https://acme.example/leave?who=7%20%26>")
        #expect(try mail.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click")
        #expect(try mail.root.text == "https://acme.example/leave?who=7%20%26\n")
        #expect(try mail.header("Subject") == "https://acme.example/leave?who=7%20%26")
        #expect(mail.fieldNames.count { $0.hasPrefix("List-Unsubscribe") } == 2)
        // The order of fields is that of other mails.
        let names = mail.fieldNames
        #expect(names.firstIndex(of: "List-Unsubscribe") == names.firstIndex(of: "Message-ID").map { $0 + 1 })
    }

    @Test func `without a https URI there is no one click, and no link of ours either`() throws {
        let mail = try Self.own(["mailto:leave@acme.example"], text: "{{unsubscribe_url|none}}")
        #expect(try mail.header("List-Unsubscribe") == "<mailto:leave@acme.example>")
        #expect(!mail.fieldNames.contains("List-Unsubscribe-Post"))
        #expect(try mail.root.text == "none\n")
    }

    @Test(
        arguments: [
            // No way to unsubscribe is left, or two take the one click.
            (["{{#a}}{{a}}{{/a}}"], ["a": ""]),
            (["https://acme.example/leave", "{{a}}"], ["a": "HTTPS://acme.example/2"]),
            (["{{a}}"], ["a": "http://acme.example/"]),
        ] as [([String], MergeVariables)])
    func `a recipient without just one way fails alone`(uris: [String], variables: MergeVariables) throws {
        #expect(throws: RenderError.invalidField(field: "List-Unsubscribe")) {
            try Self.own(uris, variables, text: "Hi")
        }
    }

    @Test(
        arguments: [
            ([], "says how"), (["https://acme.example/1", "https://acme.example/{{a}}"], "not 2"),
            (["https://acme.example/?next={{unsubscribe_url}}"], "cannot stand in it"),
            (["http://acme.example/"], "begins with https:// or mailto:"),
        ] as [([String], String)])
    func `what cannot stand alone is refused at submission`(uris: [String], words: String) throws {
        var content = try Samples.content(text: "{{unsubscribe_url}}")
        content.listUnsubscribe = uris
        content.unsubscribing = .own
        let error = #expect(throws: MessageError.self) { try CompiledMessage(content) }
        #expect(error?.code == .invalidUnsubscribe && error?.field?.hasPrefix("list_unsubscribe") == true)
        #expect(error?.detail.contains(words) == true, "\(error?.detail ?? "")")
    }

    @Test func `a link that may be none for a recipient is told before the send`() throws {
        var content = try Samples.content(text: "{{unsubscribe_url}}")
        content.unsubscribing = .own
        content.listUnsubscribe = ["https://acme.example/leave"]
        var sure = try #require(VariableCheck(try CompiledMessage(content)))
        #expect(sure.missing(for: try Samples.recipient()) == [])
        content.listUnsubscribe = ["mailto:leave@acme.example"]
        var check = try #require(VariableCheck(try CompiledMessage(content)))
        #expect(check.missing(for: try Samples.recipient()) == ["unsubscribe_url"])
    }

    @Test func `who hears is stored with the content, and older content leaves it to the server`() throws {
        var content = try Samples.content()
        #expect(!String(decoding: content.encoded(), as: UTF8.self).contains("unsubscribing"))
        content.listUnsubscribe = ["mailto:leave@acme.example"]
        content.unsubscribing = .own
        let stored = try MessageContent(decoding: content.encoded())
        #expect(stored == content && stored.unsubscribing == .own)
    }

    @Test func `a control character is refused`() throws {
        var content = try Samples.content()
        content.listUnsubscribe = ["mailto:a@b.example", "https://acme.example/\r\nBcc: x"]
        let error = #expect(throws: MessageError.self) { try CompiledMessage(content) }
        #expect(error?.code == .headerInjection && error?.field == "list_unsubscribe.1")
    }

    @Test func `a tag without a value is told before the send`() throws {
        var content = try Samples.content()
        content.listUnsubscribe = ["https://acme.example/{{token}}"]
        var check = try #require(VariableCheck(try CompiledMessage(content)))
        #expect(check.missing(for: try Samples.recipient()) == ["token"])
        #expect(check.missing(for: try Samples.recipient(["token": "1"])) == [])
    }

    @Test func `they are stored with the content, and older content has none`() throws {
        var content = try Samples.content()
        let before = String(decoding: content.encoded(), as: UTF8.self)
        #expect(!before.contains("listUnsubscribe"))
        content.listUnsubscribe = ["mailto:leave@acme.example"]
        #expect(try MessageContent(decoding: content.encoded()) == content)
    }

    @Test func `the refusal of the custom header names the field to use`() throws {
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(headers: [("List-Unsubscribe", "<mailto:a@b.example>")]))
        }
        #expect(error?.code == .reservedHeader && error?.detail.contains("list_unsubscribe") == true)
    }
}
