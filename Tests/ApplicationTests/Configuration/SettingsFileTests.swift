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
        let settings = try await read("helo: mail.example.net\nsmtp_port: 2525\nmta_sts: no\nroles: 'api,delivery'\n")
        #expect(settings.text(.helo) == "mail.example.net")
        #expect(try settings.number(.smtpPort, in: 1...65_535) == 2_525)
        #expect(try settings.flag(.mtaSTS) == false)
        #expect(settings.text(.roles) == "api,delivery")
        #expect(try await read("# nothing yet\n").text(.helo) == nil)
    }

    @Test(
        arguments: [
            ("data: /srv\nhelo_name: x\n", "x.yaml:2:1: unknown key helo_name"),
            ("publicURL: https://x\n", "x.yaml:1:1: unknown key publicURL; did you mean public_url?"),
            ("publicUrl: https://x\n", "x.yaml:1:1: unknown key publicUrl; did you mean public_url?"),
            ("http: 8025\nhttps: 1\n", "x.yaml:2:1: unknown key https; did you mean http?"),
            ("retry-base: 5\n", "x.yaml:1:1: unknown key retry-base; did you mean retry_base?"),
            ("zzzzzz: 5\n", "x.yaml:1:1: unknown key zzzzzz"),
            ("roles: [api, delivery]\n", "x.yaml:1:8: roles: expected one value"),
            ("http: {host: a}\n", "x.yaml:1:7: http: expected one value"),
            ("node:\n", "x.yaml:1:6: node: expected one value"),
            ("just words\n", "x.yaml:1:1: expected `key: value` lines"),
            ("node: a\nnode: b\n", "x.yaml:1:1: given twice: node"),
            (
                "node: &n a\nhelo: *n\n",
                "x.yaml:1:7: anchors and aliases (&name, *name) are not taken here: write the value out"
            ),
            ("node: [a\n", "x.yaml:2:1: not YAML: did not find expected ',' or ']'"),
        ])
    func `mistakes are refused with their place`(text: String, problem: String) throws {
        let error = #expect(throws: SettingError.self) { try SettingsFile.values(of: text, named: "x.yaml") }
        #expect(error?.description == "setting config: \(problem)")
    }

    /// Files of before 1.0 had keys such as `publicUrl`.
    @Test(arguments: Setting.allCases.filter { $0.key.contains("_") })
    func `the old spelling is refused with the new one`(setting: Setting) throws {
        let words = setting.key.split(separator: "_")
        let old = words[0] + words.dropFirst().map(\.capitalized).joined()
        let error = #expect(throws: SettingError.self) { try SettingsFile.values(of: "\(old): x", named: "x.yaml") }
        let problem = "x.yaml:1:1: unknown key \(old); did you mean \(setting.key)?"
        #expect(error?.description == "setting config: \(problem)")
    }

    @Test func `no value is repeated`() throws {
        let error = #expect(throws: SettingError.self) {
            try SettingsFile.values(of: "master_key: [topsecret]\n", named: "x.yaml")
        }
        #expect(error?.description.contains("topsecret") == false)
    }
}
