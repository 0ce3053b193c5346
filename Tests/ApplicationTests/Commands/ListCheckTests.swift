import Campaigns
import Foundation
import MailMessage
import TestSupport
import Testing

@testable import Application

/// What `sluice send` finds in a list before it makes a draft.
@Suite struct ListCheckTests {
    private static func check(_ list: String, _ text: String, charset: String? = nil) throws -> ListCheck {
        let path = NSTemporaryDirectory() + "/list-\(UInt32.random(in: 0 ..< .max))"
        try list.write(toFile: path, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try RecipientFile(path, charset: charset)
        let content = MessageContent(from: try Mailbox.parse("a@shop.example"), subject: "s", text: text)
        return try ListCheck(try #require(try file.again()), file.form, for: CompiledMessage(content))
    }

    @Test func `variables that recipients lack are told with how many lack them`() throws {
        let check = try Self.check(
            "email,name\na@example.org,Ada\nb@example.org,\n", "{{Name}} {{name}} {{city|here}} {{town}}")
        #expect(check.recipients == 2)
        #expect(check.lack == "2 of 2 recipients have no value for {{Name}} (2), {{town}} (2), {{name}} (1)")
    }

    @Test func `what nobody lacks is not told`() throws {
        #expect(try Self.check("E-Mail,Name\na@example.org,Ada\n", "{{Name}} {{E-Mail}} {{email}}").lack == nil)
        #expect(try Self.check(#"{"email": "a@example.org", "vars": {"a": 1}}"#, "{{a}}{{b|x}}").lack == nil)
    }

    @Test func `lines that cannot be taken are told as the server tells them`() throws {
        let check = try Self.check("email\na@example.org\nno address\n", "x")
        #expect((check.recipients, check.invalid) == (1, 1))
        #expect(check.errors.map(\.line) == [3] && check.errors[0].reason == "column 1: the address has no domain")
    }

    @Test func `a list that cannot be taken as a whole is refused in words`() {
        let error = #expect(throws: CommandFailure.self) { try Self.check("name\nAda\n", "x") }
        #expect(error?.description.contains("not named email") == true)
        #expect(throws: CommandFailure.self) { try Self.check("email\na@example.org\n", "x", charset: "utf-9") }
    }

    @Test func `a pipe is not read twice`() throws {
        let path = NSTemporaryDirectory() + "/pipe-\(UInt32.random(in: 0 ..< .max))"
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let writer = Thread { try? "email\na@example.org\n".write(toFile: path, atomically: false, encoding: .utf8) }
        writer.start()
        let file = try RecipientFile(path, charset: nil)
        #expect(try file.again() == nil)
    }
}
