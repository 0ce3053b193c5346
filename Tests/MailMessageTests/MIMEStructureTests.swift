import MailMessage
import MailTypes
import Testing

struct MIMEStructureTests {
    static let image = Attachment(
        filename: "logo.png", contentType: "image/png", content: [1, 2, 3], contentID: "logo")
    static let file = Attachment(filename: "a.pdf", contentType: "application/pdf", content: Array(0...255))

    @Test(
        arguments: [
            (nil, "t", [], "text/plain"),
            ("h", nil, [], "text/html"),
            ("h", "t", [], "multipart/alternative(text/plain text/html)"),
            ("h", "", [], "text/html"),
            ("", "t", [], "text/plain"),
            (" ", "t", [], "text/plain"),
            ("h", " \n\u{200B}", [], "text/html"),
            (nil, "t", [file], "multipart/mixed(text/plain application/pdf)"),
            ("h", nil, [image], "multipart/related(text/html image/png)"),
            (nil, "t", [image], "multipart/mixed(text/plain image/png)"),
            ("h", "t", [image], "multipart/alternative(text/plain multipart/related(text/html image/png))"),
            (
                "h", "t", [file, image, file],
                "multipart/mixed(multipart/alternative(text/plain multipart/related(text/html image/png)) "
                    + "application/pdf application/pdf)"
            ),
        ] as [(String?, String?, [Attachment], String)])
    func `the structure follows the content`(
        _ html: String?, _ text: String?, _ attachments: [Attachment], _ outline: String
    ) throws {
        let message = try Samples.render(Samples.content(html: html, text: text, attachments: attachments))
        #expect(try message.root.outline == outline)
    }

    @Test func `each part holds what was given`() throws {
        let message = try Samples.render(
            Samples.content(html: "<img src='cid:logo'>", text: "t", attachments: [Self.file, Self.image]))
        let body = message.root.parts[0]
        #expect(try body.parts[0].text == "t\n")
        #expect(try body.parts[1].parts[0].text == "<img src='cid:logo'>\n")
        let image = body.parts[1].parts[1]
        #expect(image.content == [1, 2, 3])
        #expect(try image.header("Content-ID") == "<logo>")
        #expect(try image.header("Content-Disposition") == "inline; filename=logo.png")
        #expect(try SimpleDecoders.parameters(body.parts[1].header("Content-Type"))["type"] == "text/html")
        let file = message.root.parts[1]
        #expect(file.content == Array(0...255))
        #expect(try file.header("Content-Disposition") == "attachment; filename=a.pdf")
        #expect(!file.has("Content-ID"))
    }

    @Test func `an attachment of 5 MB survives`() throws {
        let content = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        let message = try Samples.render(
            Samples.content(
                attachments: [
                    Attachment(filename: "big.bin", contentType: "application/octet-stream", content: content)
                ]))
        #expect(message.root.parts[1].content == content)
    }

    @Test func `attachments of every length around a line survive`() throws {
        for count in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115] {
            let content = (0..<count).map { UInt8($0) }
            let message = try Samples.render(
                Samples.content(
                    attachments: [Attachment(filename: "a", contentType: "a/b", content: content), Self.file]))
            #expect(message.root.parts[1].content == content)
        }
    }

    @Test func `boundaries depend on the template alone and cannot occur in a part`() throws {
        func boundaries(_ text: String, _ name: String) throws -> [String] {
            let content = try Samples.content(
                html: "{{name}}", text: text, attachments: [Self.file, Self.image])
            let message = try Samples.render(content, Samples.recipient(name: name))
            return [message.root, message.root.parts[0], message.root.parts[0].parts[1]].compactMap {
                try? SimpleDecoders.parameters($0.header("Content-Type"))["boundary"]
            }
        }
        let first = try boundaries("a", "Jane")
        #expect(Set(first).count == 3)
        #expect(first.allSatisfy { $0.hasPrefix("=_") && $0.utf8.count <= 70 })
        #expect(try boundaries("a", "Joe") == first)
        #expect(try boundaries("b", "Jane") != first)
        // Text that repeats the delimiter stays text.
        let attack = "\r\n--\(first[1])--\r\n--\(first[1])\r\nContent-Type: text/plain\r\n\r\nx\r\n"
        let message = try Samples.render(
            Samples.content(html: "h", text: "{{a}}"), Samples.recipient(["a": .text(attack)]))
        #expect(try message.root.parts[0].text == attack.replacing("\r\n", with: "\n"))
    }

    @Test(
        arguments: [
            ("", "image/png", nil), ("a/b", "image/png", nil), ("a\\b", "image/png", nil),
            (String(repeating: "a", count: 256), "image/png", nil),
            ("a", "", nil), ("a", "image", nil), ("a", "image/", nil), ("a", "/png", nil), ("a", "image/png;", nil),
            ("a", "image/png; x", nil), ("a", "image/png; x=\"y", nil), ("a", "im age/png", nil), ("a", "bild/ü", nil),
            ("a", "multipart/mixed", nil), ("a", "Message/RFC822", nil),
            ("a", "image/png", ""), ("a", "image/png", "a b"), ("a", "image/png", "<a>"), ("a", "image/png", "ü"),
        ] as [(String, String, String?)])
    func `faulty attachments are refused`(_ name: String, _ type: String, _ contentID: String?) throws {
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(
                Samples.content(
                    html: "h",
                    attachments: [Attachment(filename: name, contentType: type, content: [], contentID: contentID)]))
        }
        #expect(error?.code == .invalidAttachment)
        #expect(error?.detail.hasPrefix("attachment 1: ") == true)
    }

    @Test func `a content ID is used once`() throws {
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(html: "h", attachments: [Self.image, Self.image]))
        }
        #expect(error?.code == .invalidAttachment)
    }

    @Test func `content types keep their parameters`() throws {
        let message = try Samples.render(
            Samples.content(
                attachments: [
                    Attachment(
                        filename: "i.ics", contentType: "Text/Calendar; charset=utf-8;  method=\"REQUEST\"",
                        content: [0x41])
                ]))
        #expect(try message.root.parts[1].header("Content-Type") == "text/calendar; charset=utf-8; method=\"REQUEST\"")
    }
}
