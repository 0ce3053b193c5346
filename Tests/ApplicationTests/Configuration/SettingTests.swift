import ArgumentParser
import Delivery
import Foundation
import Testing

@testable import Application

/// One name for a setting wherever operators meet it.
struct SettingTests {
    private struct Row: Hashable {
        let flag: String
        let variable: String
        let key: String
        let value: String?

        init(flag: Substring, variable: Substring, key: Substring, value: String?) {
            self.flag = String(flag)
            self.variable = String(variable)
            self.key = String(key)
            self.value = value
        }

        init(_ setting: Setting) {
            flag = setting.flag.map { "`--\($0)`" } ?? "–"
            variable = setting.variable
            key = setting.key
            value = setting.defaultValue
        }
    }

    /// The tables of docs/operators/configuration.md.
    private static func documented() throws -> [Row] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/operators/configuration.md"), encoding: .utf8)
        let pattern = /\n\| ([^ |]+) \| `(SLUICE_[A-Z_]+)` \| `([A-Za-z_]+)` \|([^|]*)\|/
        return page.matches(of: pattern).map { match in
            let text = match.4.replacing(/[` ]/, with: "").replacing(/(\d),(\d{3})\b/) { "\($0.1)\($0.2)" }
            let hasValue = Setting(rawValue: String(match.3))?.defaultValue != nil
            return Row(flag: match.1, variable: match.2, key: match.3, value: hasValue ? String(text) : nil)
        }
    }

    @Test func `the page for operators has each setting with its names and its default`() throws {
        let rows = try Self.documented()
        #expect(rows.count == Setting.allCases.count)
        #expect(Set(rows).symmetricDifference(Setting.allCases.map(Row.init)) == [])
    }

    /// A value that the option of the setting takes.
    private static func sample(_ setting: Setting) -> [String] {
        guard let flag = setting.flag else { return [] }
        return switch setting.fallback {
        case .value("false"): ["--\(flag)"]
        case .value(let text): ["--\(flag)", text]
        case .words, .nothing: ["--\(flag)", "text"]
        }
    }

    @Test(arguments: Setting.allCases.filter { $0.flag != nil })
    func `its flag sets it, and nothing else`(setting: Setting) throws {
        let arguments = Self.sample(setting)
        let command = try #require(try SluiceCommand.parseAsRoot(["serve"] + arguments) as? ServeCommand)
        let given = command.data.values.merging(command.server.values) { $1 }
        #expect(given == [setting: arguments.count == 1 ? "true" : arguments[1]])
    }

    @Test func `the master key has no flag, and without flags nothing is set`() throws {
        #expect(Setting.allCases.filter { $0.flag == nil } == [.masterKey])
        let command = try #require(try SluiceCommand.parseAsRoot(["serve"]) as? ServeCommand)
        #expect(command.data.values.isEmpty && command.server.values.isEmpty)
    }

    @Test func `the help names the variable and the default`() {
        let help = ServeCommand.helpMessage(columns: 4_000)
        for setting in Setting.allCases {
            guard let flag = setting.flag else { continue }
            #expect(help.contains("\n  --\(flag)") && help.contains("[\(setting.variable)"), "\(setting)")
        }
        #expect(help.contains("[SLUICE_LEASE, 30]") && help.contains("[SLUICE_FORCE]"))
    }

    @Test func `each can stand in the file and in isolation`() async throws {
        for setting in Setting.allCases {
            #expect(try SettingsFile.values(of: "\(setting.key): text", named: "x.yaml") == [setting: "text"])
            #expect(Settings(isolated: [setting: "text"]).text(setting) == "text")
            #expect(Settings(isolated: [:]).text(setting) == nil)
        }
    }

    /// What a default says must be what the setting reads.
    @Test func `defaults are sound`() throws {
        let logger = try Settings(isolated: [:]).logger("test")
        let configuration = try ServerConfiguration(
            Settings(isolated: [.helo: "mail.example.net", .data: "/tmp"]), descriptors: .init(limit: 20_000),
            logger: logger)
        #expect(configuration.http.description == Setting.http.defaultValue)
        #expect(configuration.roles == [.api, .delivery])
        #expect(configuration.usesMTASTS && configuration.draftDays == 30)
        #expect(configuration.delivery.leaseSeconds == 30 && configuration.delivery.connections == 4_096)
        for setting in Setting.allCases {
            guard let value = setting.defaultValue, let number = Int(value) else { continue }
            #expect(try Settings(isolated: [:]).number(setting, in: 0...1_000_000) == number)
        }
    }
}
