import MailMessage
import MailTypes
import Testing

/// No value that a customer or a recipient's data brings may start a header field or a line of its own.
struct HeaderInjectionTests {
    static let attacks = [
        "x\r\nBcc: victim@example.net", "x\nBcc: victim@example.net", "x\rBcc: victim@example.net", "x\0y", "x\u{7F}y",
        "x\u{1B}[2Jy", "x\ty", "x\u{85}y", "x\u{0B}y", "\r\n\r\nbody", "\n", "x\r\n .\r\n",
    ]

    private func code(_ build: () throws -> Void) -> String? {
        do {
            try build()
            return nil
        } catch let error as MessageError {
            return error.code.rawValue
        } catch let error as RenderError {
            return error.code
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: attacks) func `templates and names are refused at submission`(_ attack: String) throws {
        let address = try EmailAddress("jane@example.org")
        let attachment = Attachment(filename: "a.txt", contentType: "text/plain", content: [], contentID: "c")
        #expect(code { _ = try CompiledMessage(Samples.content(subject: attack)) } == "header_injection")
        #expect(code { _ = try CompiledMessage(Samples.content(subject: "{{a|\(attack)}}")) } == "header_injection")
        #expect(code { _ = try CompiledMessage(Samples.content(headers: [("X-A", attack)])) } == "header_injection")
        #expect(code { _ = try CompiledMessage(Samples.content(headers: [(attack, "a")])) } == "header_injection")
        #expect(code { _ = try Mailbox(name: attack, address: address) } == "header_injection")
        #expect(code { _ = try Mailbox.parse("\(attack) <jane@example.org>") } == "header_injection")
        #expect(code { _ = try Mailbox.parse("Jane <\(attack)@example.org>") } == "header_injection")
        for change: (inout Attachment) -> Void in [
            { $0.filename = attack }, { $0.contentType = "text/plain; x=\(attack)" }, { $0.contentID = attack },
        ] {
            var changed = attachment
            change(&changed)
            #expect(code { _ = try CompiledMessage(Samples.content(attachments: [changed])) } == "header_injection")
        }
    }

    @Test(arguments: attacks) func `values stay inside their field, with blanks for what breaks lines`(
        _ attack: String
    ) throws {
        let expected = SimpleDecoders.collapsed(attack).trimmingCharacters(" ")
        let message = try Samples.render(
            Samples.content(subject: "{{a}}{{#l}}{{{.}}}{{/l}}", headers: [("X-A", "{{a}}")]),
            Samples.recipient(["a": .text(attack), "l": [.text("")]], name: attack))
        #expect(try message.header("Subject") == expected)
        #expect(try message.header("X-A") == expected)
        #expect(message.fieldNames.filter { ["Bcc", "bcc"].contains($0) }.isEmpty)
        #expect(message.fieldNames.count == 9)
        #expect(try message.header("To").contains(expected.prefix { $0 != ":" }) || expected.isEmpty)
    }

    @Test(arguments: attacks) func `envelope fields are refused`(_ attack: String) throws {
        for (field, envelope) in [
            ("Message-ID", MessageEnvelopeFields(messageID: "a\(attack)@acme.example", date: 0)),
            (
                "List-Unsubscribe",
                MessageEnvelopeFields(messageID: "a@b.c", date: 0, listUnsubscribe: ["https://a/\(attack)"])
            ),
            ("Feedback-ID", MessageEnvelopeFields(messageID: "a@b.c", date: 0, feedbackID: attack)),
            ("CFBL-Address", MessageEnvelopeFields(messageID: "a@b.c", date: 0, complaintAddress: attack)),
            (
                "CFBL-Feedback-ID",
                MessageEnvelopeFields(messageID: "a@b.c", date: 0, complaintAddress: "a@b.c", complaintID: attack)
            ),
        ] {
            #expect(throws: RenderError.headerInjection(field: field)) {
                try Samples.render(Samples.content(), nil, envelope)
            }
        }
    }

    @Test func `envelope fields of another syntax are refused`() throws {
        let long = String(repeating: "a", count: 900)
        for id in ["", "a", "a@", "@b", "a@b@c", "a@b>", "<a@b", "a b@c", "ä@b", long.prefix(320) + "@b"] {
            #expect(throws: RenderError.invalidField(field: "Message-ID"), "\(id)") {
                try Samples.render(Samples.content(), nil, MessageEnvelopeFields(messageID: id, date: 0))
            }
        }
        for uri in ["", "https://a/ b", "https://a/>,<b", "https://ä/", "https://a/" + long] {
            #expect(throws: RenderError.invalidField(field: "List-Unsubscribe"), "\(uri)") {
                try Samples.render(
                    Samples.content(), nil,
                    MessageEnvelopeFields(messageID: "a@b.c", date: 0, listUnsubscribe: [uri]))
            }
        }
    }

    @Test(arguments: attacks) func `in bodies they stay text`(_ attack: String) throws {
        let message = try Samples.render(
            Samples.content(html: "{{a}}", text: "{{a}}"), Samples.recipient(["a": .text(attack)]))
        #expect(message.fieldNames.filter { $0 == "Bcc" }.isEmpty)
        let expected = attack.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        #expect(try message.root.parts[0].text == expected + (expected.hasSuffix("\n") ? "" : "\n"))
    }

    @Test func `after an error nothing of the recipient is left`() throws {
        let compiled = try CompiledMessage(Samples.content(subject: "{{a}}{{b}}", text: "{{a}}"))
        var message = RenderedMessage()
        try compiled.render(Samples.recipient(["a": "secret", "b": ""]), Samples.envelope, into: &message)
        #expect(!message.bytes.isEmpty)
        #expect(throws: RenderError.missingVariable("b")) {
            try compiled.render(Samples.recipient(["a": "secret"]), Samples.envelope, into: &message)
        }
        #expect(message.bytes.isEmpty && message.bodyOffset == 0)
        #expect("\(try Samples.recipient(["a": "secret"], name: "Jane"))" == "<redacted>@example.org")
        #expect("\(MergeVariables([.init(key: "a", value: "secret")]))" == "1 fields")
    }
}
