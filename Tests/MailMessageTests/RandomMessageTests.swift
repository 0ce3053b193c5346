import MailMessage
import MailTypes
import Testing

/// Random templates and values against the plainest evaluation of them. `ReadMessage` and `SimpleDecoders` check the
/// line lengths, the line ends and the syntax of every octet on the way.
struct RandomMessageTests {
    @Test(arguments: 0..<60) func `a body decodes to what the model says`(_ seed: Int) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed: UInt64(seed)))
        generator.foreignShare = [0, 10, 90][seed % 3]
        for _ in 0..<5 {
            let html = generator.templates()
            let text = generator.templates()
            var content = try Samples.content(
                html: "x" + html.map(\.source).joined(), text: "x" + text.map(\.source).joined(),
                missingVariables: .empty)
            if generator.pick([true, false]) { content.attachments = [MIMEStructureTests.file] }
            let compiled = try CompiledMessage(content)
            var message = RenderedMessage()
            for _ in 0..<3 {
                let variables = generator.variables()
                try compiled.render(Samples.recipient(variables), Samples.envelope, into: &message)
                let read = try ReadMessage(message)
                let body = content.attachments.isEmpty ? read.root : read.root.parts[0]
                #expect(try body.parts[0].text == expected(text, variables, escaping: false))
                #expect(try body.parts[1].text == expected(html, variables, escaping: true))
            }
        }
    }

    @Test(arguments: 0..<60) func `headers decode to what the model says`(_ seed: Int) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed: UInt64(1_000 + seed)))
        generator.foreignShare = [0, 10, 90][seed % 3]
        for _ in 0..<20 {
            let first = line(&generator)
            let value = line(&generator)
            let name = line(&generator)
            let content = try Samples.content(subject: first + "{{a}}" + first, headers: [("X-Test", "{{a}}")])
            let recipient = try Samples.recipient(["a": .text(value)], name: name)
            let subject = trimmed(first + value + first)
            do {
                let message = try Samples.render(content, recipient)
                #expect(try message.header("Subject") == subject)
                #expect(try message.header("X-Test") == trimmed(value))
                for (text, longest) in [(message.rawHeader, 998)] {
                    for line in ReadMessage.lines(text.utf8) { #expect(line.count <= longest) }
                }
                if name.utf8.contains(where: { $0 >= 0x80 }) {
                    let field = try message.root.header("To")
                    #expect(try SimpleDecoders.encodedWords(String(field.dropLast(19))) == trimmed(name))
                }
            } catch RenderError.fieldTooLong(let field) {
                #expect(field == "To" ? name.utf8.count > 256 : subject.utf8.count > 900)
            }
        }
    }

    private func line(_ generator: inout RandomTemplateGenerator) -> String {
        generator.text(words: 0...8, lines: false).replacing("\t", with: " ").replacing("{", with: "(")
            .replacing("}", with: ")")
    }

    private func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    private func expected(_ template: [RandomTemplate], _ variables: MergeVariables, escaping: Bool) -> String {
        let text = ("x" + template.map { $0.evaluate([.object(variables)], escaping: escaping) }.joined())
            .replacing("\r\n", with: "\n")
        return text.hasSuffix("\n") ? text : text + "\n"
    }
}
