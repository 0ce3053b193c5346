import MailMessage
import MailTypes
import TestSupport
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

    /// Tables, whose values are texts, and values with lists and objects, whose fields come first inside sections.
    @Test(arguments: Seed.range(400..<408))
    func `what is found agrees with the rendering of random templates`(seed: Seed) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed))
        for _ in 0..<150 {
            let source = "x" + generator.templates().map(\.source).joined()
            let message = try CompiledMessage(Samples.content(text: source))
            guard var check = VariableCheck(message) else { continue }
            var variables = generator.variables()
            if generator.pick([true, false]) {
                for index in variables.fields.indices {
                    variables.fields[index].value = generator.pick(["text", "", .falseText("0"), true, .null])
                }
            }
            let recipient = try Samples.recipient(variables)
            let lacking = try Self.lacking(recipient, in: message)
            let missing = check.missing(for: recipient)
            #expect(missing.isEmpty == (lacking == nil), "\(source): \(missing)")
            if let lacking { #expect(missing.contains(lacking)) }
        }
    }

    /// The variable that fails the rendering.
    private static func lacking(_ recipient: MergeRecipient, in message: CompiledMessage) throws -> String? {
        var rendered = RenderedMessage()
        do throws(RenderError) {
            try message.render(recipient, Samples.envelope, into: &rendered)
            return nil
        } catch {
            guard case .missingVariable(let name) = error else { throw error }
            return name
        }
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
