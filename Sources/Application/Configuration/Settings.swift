import Configuration
import Foundation
import Logging

/// Where a setting comes from, strongest first: flag, `SLUICE_…` environment variable, YAML file.
struct Settings: Sendable {
    private let reader: ConfigReader

    /// Only these values: what demos and benchmarks run on, whatever the operator's environment says.
    init(isolated values: [Setting: String]) {
        reader = ConfigReader(provider: InMemoryProvider(name: "flags", values: Self.values(values)))
    }

    /// - Parameters:
    ///   - flags: those that were given.
    ///   - file: the YAML file; nil for the one that the environment names, if any.
    init(flags: [Setting: String], file: String?) async throws {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: Self.values(flags)),
            EnvironmentVariablesProvider().prefixKeys(with: "sluice"),
        ]
        if let file = file ?? ProcessInfo.processInfo.environment["SLUICE_CONFIG"] {
            providers.append(InMemoryProvider(name: "file", values: Self.values(try SettingsFile.read(file))))
        }
        reader = ConfigReader(providers: providers)
    }

    private static func values(_ values: [Setting: String]) -> [AbsoluteConfigKey: ConfigValue] {
        values.reduce(into: [:]) {
            $0[AbsoluteConfigKey([$1.key.key])] = ConfigValue(.string($1.value), isSecret: $1.key == .masterKey)
        }
    }

    /// What was given.
    func text(_ setting: Setting) -> String? { reader.string(forKey: ConfigKey([setting.key])) }

    /// What was given, or the default of a setting that has one; else empty.
    func value(_ setting: Setting) -> String { text(setting) ?? setting.defaultValue ?? "" }

    func flag(_ setting: Setting) throws(SettingError) -> Bool {
        let text = value(setting)
        switch text.lowercased() {
        case "true", "yes", "1", "on": return true
        case "false", "no", "0", "off", "": return false
        default: throw SettingError(setting: setting, problem: "\(text) is neither true nor false")
        }
    }

    /// - Parameter range: a default below it is raised to its lower bound.
    func number(_ setting: Setting, in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let text = text(setting) else {
            return max(setting.defaultValue.flatMap { Int($0) } ?? 0, range.lowerBound)
        }
        guard let number = Int(text), range.contains(number) else {
            throw SettingError(
                setting: setting, problem: "\(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `host:port`, `[v6]:port` or a bare port.
    func endpoint(_ setting: Setting) throws(SettingError) -> Endpoint {
        let text = value(setting)
        guard let endpoint = Endpoint(text) else {
            throw SettingError(setting: setting, problem: "\(text) is not host:port")
        }
        return endpoint
    }

    /// Writes to standard error in the format of the settings.
    func logger(_ label: String) throws(SettingError) -> Logger {
        let format = value(.logFormat)
        guard format == "text" || format == "json" else {
            throw SettingError(setting: .logFormat, problem: "\(format) is neither text nor json")
        }
        return try logger(label) { label in
            guard format == "json" else { return StreamLogHandler.standardError(label: label) }
            return JSONLogHandler(label: label, output: JSONLogHandler.standardError)
        }
    }

    /// - Parameter handler: where lines go, whatever the format.
    func logger(_ label: String, _ handler: (String) -> any LogHandler) throws(SettingError) -> Logger {
        var logger = Logger(label: label, factory: handler)
        let name = value(.logLevel)
        guard let level = Logger.Level(rawValue: name) else {
            throw SettingError(setting: .logLevel, problem: "\(name) is not a log level")
        }
        logger.logLevel = level
        return logger
    }
}
