import MailMessage
import MailTypes
import Testing

struct VariableCheckTests {
    private func missing(_ text: String, _ variables: MergeVariables, subject: String = "s") throws -> [String]? {
        var check = VariableCheck(try CompiledMessage(Samples.content(subject: subject, text: text)))
        return try check?.missing(for: Samples.recipient(variables))
    }

    static let fixtures: [(template: String, variables: MergeVariables, missing: [String])] = [
        ("{{a}} {{b}}", [:], ["a", "b"]), ("{{a}} {{b}}", ["b": ""], ["a"]), ("{{A}}", ["a": "x"], ["A"]),
        ("{{{a}}}{{&b}}", [:], ["a", "b"]), ("{{a}}{{a|x}}{{a}}", [:], ["a"]), ("{{a}}", ["a": .null], ["a"]),
        ("{{a}}", ["a": ["x"]], ["a"]), ("{{a}}", ["a": false], []), ("{{o.x}}", ["o": .object([:])], ["o.x"]),
        ("{{o.x}}", ["o.x": "1"], []), ("{{email}} {{unsubscribe_url}}", [:], []),
        ("{{#l}}{{n}}{{/l}}x{{c}}", [:], ["c"]), ("{{#l}}{{n}}{{/l}}", ["l": [.object([:]), .object([:])]], ["n"]),
        ("{{#l}}{{n}}{{/l}}", ["l": [.object(["n": "1"])]], []), ("{{^a}}{{b}}{{/a}}", [:], ["b"]),
        ("{{^a}}{{b}}{{/a}}", ["a": "x"], []), ("{{#a}}{{a}}{{/a}}{{^a}}you{{/a}}", [:], []),
        ("{{#a}}{{#b}}{{c}}{{/b}}{{/a}}", ["a": true, "b": true], ["c"]),
        ("{{name}}", [:], ["name"]),
    ]

    @Test(arguments: fixtures) func `just those are named whose lack would fail the recipient`(
        _ template: String, _ variables: MergeVariables, _ expected: [String]
    ) throws {
        #expect(try missing("x" + template, variables) ?? [] == expected)
        // The rendering judges.
        let failed: Bool
        do {
            _ = try Samples.text("x" + template, variables)
            failed = false
        } catch RenderError.missingVariable {
            failed = true
        }
        #expect(
            failed == (!expected.isEmpty && !["{{unsubscribe_url}}"].contains(template))
                || template.contains("unsubscribe"))
    }

    @Test func `every part of the message is looked at`() throws {
        let content = MessageContent(
            from: try Mailbox.parse("{{f}} <a@news.example>"), replyTo: [try Mailbox.parse("{{r}} <b@news.example>")],
            subject: "{{s}}", html: "<a href='https://e.com/?{{h}}'>x</a>", text: "{{t}}", headers: [("X-A", "{{x}}")])
        var check = try #require(VariableCheck(CompiledMessage(content)))
        #expect(try Set(check.missing(for: Samples.recipient())) == ["f", "r", "s", "h", "t", "x"])
    }

    @Test(arguments: ["plain", "{{a|x}}", "{{#a}}x{{/a}}"])
    func `without a tag that can lack a value there is no check`(
        _ text: String
    ) throws {
        #expect(try missing(text, [:]) == nil)
    }
}
