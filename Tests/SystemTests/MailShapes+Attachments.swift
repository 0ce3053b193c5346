import Foundation
import TestSupport

extension MailShapes {
    /// The smallest GIF there is.
    private static let pixel = Data([
        0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x21, 0xF9, 4, 1, 0, 0,
        0,
        0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B,
    ])

    private static func expected(
        _ attachment: CampaignDraft.Attachment, _ disposition: String
    ) throws -> MailExpectation.Attachment {
        // Hashed by a program that shares nothing with Sluice.
        let directory = try TemporaryDirectory()
        let file = directory.path + "/content"
        try attachment.content.write(to: URL(fileURLWithPath: file))
        let digest = try Programs.run("/usr/bin/env", ["sha256sum", file]).prefix(64)
        let type = attachment.contentType.split(separator: ";").first.map(String.init) ?? ""
        return MailExpectation.Attachment(
            filename: attachment.filename, type: type, disposition: disposition,
            contentID: attachment.contentID ?? "", octets: attachment.content.count, sha256: String(digest))
    }

    static func inlineImage(_ sender: Sender) throws -> MailShape {
        let image = CampaignDraft.Attachment(
            filename: "Punkt größer.gif", contentType: "image/gif", content: pixel, contentID: "dot@news.example.com")
        let paper = CampaignDraft.Attachment(
            filename: "terms.txt", contentType: "text/plain; charset=utf-8",
            content: Data("no line end at the end, and a\n.dot\r\nin mixed lines".utf8))
        let draft = CampaignDraft(
            from: "", subject: "Picture", html: "<img src=\"cid:dot@news.example.com\" alt=\"{{mark}}\">",
            text: "A picture of {{mark}}", attachments: [image, paper])
        let attachments = try [expected(image, "inline"), expected(paper, "attachment")]
        return MailShape("inline", from: sender, count: 20, draft) { number, expected in
            expected.html = "<img src=\"cid:dot@news.example.com\" alt=\"№\(number)\">"
            expected.text = "A picture of №\(number)"
            expected.structure = "mixed(alternative(plain,related(html,gif)),plain)"
            expected.attachments = attachments
            return RecipientLine(email: "inline\(number)@example.net", vars: ["mark": "№\(number)"])
        }
    }

    /// Names and sizes at their edges: nothing in it, one octet, lines of exactly 57 octets, which fill encoded lines.
    static func attachments(_ sender: Sender) throws -> MailShape {
        func file(_ name: String, _ type: String, _ content: Data) -> CampaignDraft.Attachment {
            CampaignDraft.Attachment(filename: name, contentType: type, content: content)
        }
        let files = [
            file("empty.bin", "application/octet-stream", Data()),
            file("one.bin", "application/octet-stream", Data([0])),
            file("exact.bin", "application/octet-stream", Data((0..<114).map { UInt8($0) })),
            file("all octets.bin", "application/x-octets", Data((0...255).map { UInt8($0) })),
            file("Rechnung für März – 第一.pdf", "application/pdf", Data("%PDF-1.4\n".utf8)),
            file(String(repeating: "überlang", count: 25) + ".txt", "text/plain", Data("x".utf8)),
            file("quote\"semi;colon='.csv", "text/csv; charset=\"utf-8\"", Data("a,b\r\n".utf8)),
            file("😀.png", "image/png", pixel),
        ]
        let draft = CampaignDraft(from: "", subject: "Eight files", text: "See below.", attachments: files)
        let attachments = try files.map { try expected($0, "attachment") }
        let structure = "mixed(plain,octet-stream,octet-stream,octet-stream,x-octets,pdf,plain,csv,png)"
        return MailShape("files", from: sender, count: 15, draft) { number, expected in
            expected.text = "See below."
            expected.structure = structure
            expected.attachments = attachments
            return RecipientLine(email: "files\(number)@example.net")
        }
    }

    static func largeAttachment(_ sender: Sender) throws -> MailShape {
        var generator = SeededGenerator(seed: 5)
        let octets = Data((0..<5 << 17).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } })
        let file = CampaignDraft.Attachment(
            filename: "Jahresübersicht 2026 – 年報.zip", contentType: "application/zip", content: octets)
        let draft = CampaignDraft(
            from: "", subject: "Five megabytes", html: "<p>Heavy</p>", text: "Heavy", attachments: [file])
        let attachment = try expected(file, "attachment")
        return MailShape("large", from: sender, count: 3, draft) { number, expected in
            expected.html = "<p>Heavy</p>"
            expected.text = "Heavy"
            expected.structure = "mixed(alternative(plain,html),zip)"
            expected.attachments = [attachment]
            return RecipientLine(email: "large\(number)@example.net")
        }
    }
}
