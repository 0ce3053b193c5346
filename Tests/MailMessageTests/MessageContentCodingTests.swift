import MailMessage
import MailTypes
import Testing

struct MessageContentCodingTests {
    @Test func `content survives`() throws {
        var content = try Samples.content(
            subject: "Für {{name|dich}} 🌻", html: "<a href=\"x\">\r\n", text: nil,
            headers: [("X-A", "1"), ("X-A", "2")], attachments: [MIMEStructureTests.file, MIMEStructureTests.image],
            missingVariables: .empty)
        content.replyTo = [try Mailbox.parse("Jürgen <jürgen@bücher.example>"), try Mailbox.parse("b@acme.example")]
        let decoded = try MessageContent(decoding: content.encoded())
        #expect(decoded == content)
        #expect(decoded.encoded() == content.encoded())
        let plain = try Samples.content()
        #expect(try MessageContent(decoding: plain.encoded()) == plain)
        #expect(plain != content)
    }

    @Test func `what was not encoded here is refused`() throws {
        let encoded = String(decoding: try Samples.content().encoded(), as: UTF8.self)
        for text in [
            "", "{}", "null", String(encoded.dropLast()), encoded.replacing("\"version\":1", with: "\"version\":2"),
            encoded.replacing("news@acme.example", with: "news"),
        ] {
            #expect(text != encoded)
            let error = #expect(throws: MessageError.self) { try MessageContent(decoding: Array(text.utf8)) }
            #expect(error?.code == .undecodable)
        }
    }
}
