import Foundation
import Testing

@testable import Application

/// The YAML file of settings: read as it is, or refused with the place of the mistake.
struct SettingsFileTests {
    private func read(_ text: String) async throws -> Settings {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        try text.write(to: file, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await Settings(flags: [:], file: file.path)
    }

    @Test func `values are taken as they stand`() async throws {
        let settings = try await read("helo: mail.example.net\nsmtpPort: 2525\nmtaSts: no\nroles: 'api,delivery'\n")
        #expect(settings.text("helo") == "mail.example.net")
        #expect(try settings.number("smtpPort", default: 25, in: 1...65_535) == 2_525)
        #expect(try settings.flag("mtaSts", default: true) == false)
        #expect(settings.text("roles") == "api,delivery")
        #expect(try await read("# nothing yet\n").text("helo") == nil)
    }

    @Test(
        arguments: [
            ("data: /srv\nhelo_name: x\n", "x.yaml:2: unknown key helo_name"),
            ("publicURL: https://x\n", "x.yaml:1: unknown key publicURL; did you mean publicUrl?"),
            ("public_url: https://x\n", "x.yaml:1: unknown key public_url; did you mean publicUrl?"),
            ("http: 8025\nhttps: 1\n", "x.yaml:2: unknown key https; did you mean http?"),
            ("retry-base: 5\n", "x.yaml:1: unknown key retry-base; did you mean retryBase?"),
            ("zzzzzz: 5\n", "x.yaml:1: unknown key zzzzzz"),
            ("roles: [api, delivery]\n", "x.yaml:1: roles takes one value"),
            ("http: {host: a}\n", "x.yaml:1: http takes one value"),
            ("node:\n", "x.yaml:1: node takes one value"),
            ("just words\n", "x.yaml:1: expected `key: value` lines"),
            ("node: a\nnode: b\n", "x.yaml is not YAML: line 1: given twice: node"),
            ("node: [a\n", "x.yaml is not YAML: line 2: did not find expected ',' or ']'"),
        ])
    func `mistakes are refused with their place`(text: String, problem: String) throws {
        let error = #expect(throws: SettingError.self) { try SettingsFile.values(of: text, named: "x.yaml") }
        #expect(error?.description == "setting config: \(problem)")
    }

    @Test func `no value is repeated`() throws {
        let error = #expect(throws: SettingError.self) {
            try SettingsFile.values(of: "masterKey: [topsecret]\n", named: "x.yaml")
        }
        #expect(error?.description.contains("topsecret") == false)
    }

    /// The tables for operators name the same settings as the file takes.
    @Test func `documented keys are the known ones`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("docs/operators/configuration.md"), encoding: .utf8)
        let rows = page.matches(of: /\n\| [^|]+ \| `SLUICE_[A-Z_]+` \| `([A-Za-z]+)` \|/).map { String($0.1) }
        #expect(Set(rows) == SettingsFile.keys)
    }
}
