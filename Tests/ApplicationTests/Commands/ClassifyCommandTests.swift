import ArgumentParser
import Foundation
import Testing

@testable import Application

@Suite struct ClassifyCommandTests {
    private static let mail = """
        From: MAILER-DAEMON@mx.example
        Subject: failure notice

        <kim@example.org>: no such user

        """

    @Test(arguments: ["\n", "\r\n"])
    func `replies are parted at line ends of both kinds`(lineEnd: String) {
        let lines = ["550 No such user", "", "452 4.2.2 Mailbox full", "  ", "550 5.7.1 Refused"]
        let text = lines.joined(separator: lineEnd)
        let found = ClassifyCommand.replies(in: Array(text.utf8))
        #expect(found.map(\.line) == [1, 3, 5])
        #expect(found.map { $0.recipients[0].smtpCode } == [550, 452, 550])
        #expect(found[0].recipients[0].phrase == "no such user")
    }

    @Test func a_reply_in_octets_that_are_no_text_is_one_line() {
        #expect(ClassifyCommand.replies(in: Array("550 ".utf8) + [0xFF, 0x0D, 0x0A, 0x0A]).map(\.line) == [1])
    }

    @Test func an_unreadable_file_is_told_at_the_end_and_the_others_are_read() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "classify-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "mail.eml").path
        try Data(Self.mail.utf8).write(to: URL(filePath: file))
        var read: [String] = []
        let command = try ClassifyCommand.parse([folder.appending(path: "none").path, file, folder.path, file])
        #expect(throws: CommandFailure.self) { try command.classifyFiles { read.append($0.kind) } }
        #expect(read == ["bounce", "bounce"])
        try ClassifyCommand.parse([file]).classifyFiles { _ in }
    }

    @Test func every_key_is_there_and_null_where_the_mail_does_not_say() throws {
        let recipient = try #require(ClassifyCommand.replies(in: Array("refused".utf8)).first?.recipients.first)
        let text = try ClassifyCommand.encoded(recipient)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let keys = [
            "address", "class", "consequence", "enhanced_status", "hard", "phrase", "provenance", "reason", "rule",
            "smtp_code",
        ]
        #expect(object.keys.sorted() == keys)
        for key in ["address", "enhanced_status", "smtp_code"] { #expect(object[key] is NSNull, "\(key)") }
    }
}
