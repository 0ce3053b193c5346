import Configuration
import Foundation
import Logging

/// Where a setting comes from, strongest first: flag, `SLUICE_…` environment variable, YAML file.
struct Settings: Sendable {
    private let reader: ConfigReader

    /// Only these values: what demos and benchmarks run on, whatever the operator's environment says.
    init(isolated values: [String: String]) {
        let flags = values.reduce(into: [AbsoluteConfigKey: ConfigValue]()) {
            $0[AbsoluteConfigKey([$1.key])] = ConfigValue(.string($1.value), isSecret: false)
        }
        reader = ConfigReader(provider: InMemoryProvider(name: "flags", values: flags))
    }

    init(flags: [AbsoluteConfigKey: ConfigValue], file: String?) async throws {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: flags),
            EnvironmentVariablesProvider().prefixKeys(with: "sluice"),
        ]
        if let file = file ?? ProcessInfo.processInfo.environment["SLUICE_CONFIG"] {
            providers.append(InMemoryProvider(name: "file", values: try SettingsFile.read(file)))
        }
        reader = ConfigReader(providers: providers)
    }

    func text(_ key: String) -> String? { reader.string(forKey: ConfigKey([key])) }

    func text(_ key: String, default fallback: String) -> String { text(key) ?? fallback }

    func flag(_ key: String, default fallback: Bool = false) throws -> Bool {
        guard let text = text(key) else { return fallback }
        switch text.lowercased() {
        case "true", "yes", "1", "on": return true
        case "false", "no", "0", "off", "": return false
        default: throw SettingError(setting: key, problem: "\(text) is neither true nor false")
        }
    }

    func number(_ key: String, default fallback: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = text(key) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw SettingError(
                setting: key, problem: "\(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `host:port`, `[v6]:port` or a bare port.
    func endpoint(_ key: String, default fallback: String) throws -> Endpoint {
        let text = text(key, default: fallback)
        guard let endpoint = Endpoint(text) else {
            throw SettingError(setting: key, problem: "\(text) is not host:port")
        }
        return endpoint
    }

    func logger(_ label: String) throws -> Logger {
        var logger = Logger(label: label)
        let name = text("logLevel", default: "notice")
        guard let level = Logger.Level(rawValue: name) else {
            throw SettingError(setting: "logLevel", problem: "\(name) is not a log level")
        }
        logger.logLevel = level
        return logger
    }
}

/// A setting that cannot be used; its description is meant for the operator.
struct SettingError: Error, CustomStringConvertible {
    let setting: String
    let problem: String

    var description: String { "setting \(setting): \(problem)" }
}

struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else {
            guard let port = Int(text), (0...65_535).contains(port) else { return nil }
            self.init(host: "127.0.0.1", port: port)
            return
        }
        guard let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port) else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        self.init(host: host, port: port)
    }

    /// Whether only this machine can reach the endpoint.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
