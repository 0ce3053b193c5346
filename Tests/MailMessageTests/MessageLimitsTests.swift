import MailMessage
import MailTypes
import Testing

struct MessageLimitsTests {
    private func code(_ content: MessageContent, _ limits: MessageLimits = .standard) -> MessageError.Code? {
        do {
            _ = try CompiledMessage(content, limits: limits)
            return nil
        } catch { return error.code }
    }

    @Test func `what is just within passes and one more is refused`() throws {
        func text(_ count: Int) -> String { String(repeating: "a", count: count) }
        #expect(code(try Samples.content(subject: text(998))) == nil)
        #expect(code(try Samples.content(subject: text(999))) == .subjectTooLong)
        #expect(code(try Samples.content(html: text(2 << 20))) == nil)
        #expect(code(try Samples.content(html: text(2 << 20 + 1))) == .bodyTooLarge)
        #expect(code(try Samples.content(text: text(2 << 20 + 1))) == .bodyTooLarge)
        #expect(code(try Samples.content(headers: [("X-A", text(998))])) == nil)
        #expect(code(try Samples.content(headers: [("X-A", text(999))])) == .headerTooLong)
        let headers = { (count: Int) in (0..<count).map { (name: "X-\($0)", value: "a") } }
        #expect(code(try Samples.content(headers: headers(50))) == nil)
        #expect(code(try Samples.content(headers: headers(51))) == .tooManyHeaders)
        let empty = Attachment(filename: "a", contentType: "a/b", content: [])
        #expect(code(try Samples.content(attachments: Array(repeating: empty, count: 20))) == nil)
        #expect(code(try Samples.content(attachments: Array(repeating: empty, count: 21))) == .tooManyAttachments)
        var replies = try Samples.content()
        replies.replyTo = Array(repeating: replies.from, count: 10)
        #expect(code(replies) == nil)
        replies.replyTo.append(replies.from)
        #expect(code(replies) == .tooManyReplyTo)
    }

    @Test func `attachments over the limit are a clear error`() throws {
        let half = Attachment(filename: "a", contentType: "a/b", content: Array(repeating: 0, count: 5 << 20))
        let one = Attachment(filename: "b", contentType: "a/b", content: [0])
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(attachments: [half, half, one]))
        }
        #expect(error?.code == .attachmentTooLarge)
        #expect(error?.detail == "the attachments have 10485761 octets together; 10485760 are allowed")
        // An operator who allows more still meets the bound on the encoded message.
        var limits = MessageLimits.standard
        limits.attachmentOctets = 25 << 20
        #expect(code(try Samples.content(attachments: [half, half, half, half]), limits) == .messageTooLarge)
    }

    @Test func `the bounds on attachments and message are exact`() throws {
        var limits = MessageLimits.standard
        limits.attachmentOctets = 1_000
        let file = { (count: Int) in
            Attachment(filename: "a", contentType: "a/b", content: Array(repeating: 0, count: count))
        }
        #expect(code(try Samples.content(attachments: [file(400), file(600)]), limits) == nil)
        #expect(code(try Samples.content(attachments: [file(400), file(601)]), limits) == .attachmentTooLarge)
        limits = .standard
        let content = try Samples.content(text: String(repeating: "a\n", count: 1_000), attachments: [file(2_000)])
        let octets = try Samples.render(content).bytes.count
        limits.messageOctets = octets
        #expect(code(content, limits) == nil)
        #expect(throws: RenderError.tooLarge) {
            limits.messageOctets = octets - 1
            _ = try Samples.render(content, limits: limits)
        }
        limits.messageOctets = octets - 1_000
        #expect(code(content, limits) == .messageTooLarge)
    }

    @Test func `a message without body and NUL in a body are refused`() throws {
        #expect(code(try Samples.content(html: nil, text: nil)) == .noBody)
        #expect(code(try Samples.content(html: "a\0b")) == .invalidCharacter)
        #expect(code(try Samples.content(text: "\0")) == .invalidCharacter)
    }

    @Test func `merged values meet the same limits`() throws {
        let long = MergeValue.text(String(repeating: "a", count: 600))
        #expect(throws: RenderError.fieldTooLong(field: "Subject")) { try Samples.subject("{{a}}{{a}}", ["a": long]) }
        #expect(throws: RenderError.fieldTooLong(field: "X-A")) {
            try Samples.render(Samples.content(headers: [("X-A", "{{a}}{{a}}")]), Samples.recipient(["a": long]))
        }
    }

    /// Lists in lists: without bounds, 1,000 items to the fourth power.
    @Test func `a template cannot grow or run without end`() throws {
        let list = MergeValue.list(Array(repeating: "x", count: 1_000))
        var limits = MessageLimits.standard
        limits.messageOctets = 100_000
        let nested = "{{#l}}{{#l}}{{#l}}{{#l}}BODY{{/l}}{{/l}}{{/l}}{{/l}}"
        let body = String(repeating: "text ", count: 200)
        for filler in [body, body + "{{l|x}}"] {
            for part in ["text", "html"] {
                let template = nested.replacing("BODY", with: filler)
                let content = try Samples.content(
                    html: part == "html" ? template : nil, text: part == "html" ? nil : template)
                #expect(throws: RenderError.tooLarge) {
                    try Samples.render(content, Samples.recipient(["l": list]), limits: limits)
                }
            }
        }
        #expect(throws: RenderError.tooManyRepetitions) {
            try Samples.text(nested.replacing("BODY", with: "{{e|}}"), ["l": list])
        }
        #expect(throws: RenderError.fieldTooLong(field: "Subject")) {
            try Samples.subject("{{#l}}{{#l}}a{{/l}}{{/l}}", ["l": list])
        }
    }
}
