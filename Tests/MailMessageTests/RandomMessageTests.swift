import MailMessage
import MailTypes
import TestSupport
import Testing

/// Random templates and values against the plainest evaluation of them. `ReadMessage` and `SimpleDecoders` check the
/// line lengths, the line ends and the syntax of every octet on the way.
struct RandomMessageTests {
    @Test(arguments: Seed.range(60)) func `a body decodes to what the model says`(_ seed: Seed) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed))
        generator.foreignShare = [0, 10, 90][Int(seed.value % 3)]
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

    @Test(arguments: Seed.range(60)) func `headers decode to what the model says`(_ seed: Seed) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed))
        generator.foreignShare = [0, 10, 90][Int(seed.value % 3)]
        for _ in 0..<20 {
            let first = line(&generator)
            let value = line(&generator)
            let name = line(&generator)
            let content = try Samples.content(subject: first + "{{a}}" + first, headers: [("X-Test", "{{a}}")])
            let recipient = try Samples.recipient(["a": .text(value)], name: name)
            let subject = trimmed(first + SimpleDecoders.collapsed(value) + first)
            let shown = trimmed(SimpleDecoders.collapsed(name))
            do {
                let message = try Samples.render(content, recipient)
                #expect(try message.header("Subject") == subject)
                #expect(try message.header("X-Test") == trimmed(SimpleDecoders.collapsed(value)))
                // HeaderValueTests is about longer ones, and those in quotation marks.
                if shown.utf8.contains(where: { $0 >= 0x80 }), shown.utf8.count <= 256 {
                    let field = try message.root.header("To")
                    let read = try SimpleDecoders.encodedWords(String(field.dropLast(19)))
                    #expect(read == shown)
                }
            } catch RenderError.fieldTooLong(let field) {
                #expect(field != "To" && subject.utf8.count > 900)
            }
        }
    }

    /// Whatever is typed, the answer is a message or an error.
    @Test(arguments: Seed.range(40)) func `tags in any disorder never trap`(_ seed: Seed) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed))
        let tokens = [
            "{{", "}}", "{{{", "}}}", "{", "}", "#", "^", "/", "!", "&", ">", "=", "|", ".", " ", "\n", "\r\n", "\r",
            "a", "list", "object", "ü", "\"", "<", "{{#list}}", "{{/list}}", "{{^a}}", "{{/a}}", "{{.}}", "{{a|b}}",
        ]
        let address = try EmailAddress("jane@example.org")
        var message = RenderedMessage()
        var compiledCount = 0
        for _ in 0..<100 {
            let template = (0..<Int.random(in: 0...8, using: &generator.random)).map { _ in generator.pick(tokens) }
                .joined()
            do throws(MessageError) {
                let content = try MessageContent(
                    from: Mailbox.parse("news@acme.example"), subject: "s", html: template, text: template,
                    headers: [("X-Test", template.filter { !$0.isNewline })], missingVariables: .empty)
                let compiled = try CompiledMessage(content)
                compiledCount += 1
                do throws(RenderError) {
                    try compiled.render(
                        MergeRecipient(address: address, variables: generator.variables()), Samples.envelope,
                        into: &message)
                } catch {
                    #expect(error.code == "header_injection" || error.code == "header_too_long")
                    continue
                }
            } catch {
                #expect(!error.detail.isEmpty)
                continue
            }
            _ = try ReadMessage(message)
        }
        #expect(compiledCount > 10)
    }

    @Test(arguments: Seed.range(10)) func `mailboxes in any disorder never trap`(_ seed: Seed) throws {
        var generator = RandomTemplateGenerator(random: SeededGenerator(seed))
        let tokens = ["\"", "\\", "<", ">", "@", "a", "b.example", " ", ",", "ü", "\n", "<a@b.example>", "a@b.example"]
        for _ in 0..<500 {
            let text = (0..<Int.random(in: 0...6, using: &generator.random)).map { _ in generator.pick(tokens) }
                .joined()
            guard let mailbox = try? Mailbox.parse(text) else { continue }
            #expect(text.contains(mailbox.address.localPart))
            #expect(mailbox.name?.isEmpty != true)
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
