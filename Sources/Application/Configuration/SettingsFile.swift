import Configuration
import Foundation
import Yams

/// The operator's YAML file of settings: one `key: value` a line. All of it is checked, so that a misspelt key stops the
/// start and is not passed over.
enum SettingsFile {
    /// Every setting, as flags, environment variables and this file name it. See docs/operators/configuration.md.
    static let keys: Set<String> = [
        "accountingHours", "accountingKept", "accountingLog", "accountingPersonalData", "accountingSize",
        "allowPrivateDestinations", "allowUnsafeDatabase",
        "blockAttempts", "blockShare", "connections", "data", "databaseUrl", "dns",
        "draftDays", "feedbackIdSender", "force",
        "helo", "http", "inDoubtResends", "lease",
        "logLevel", "masterKey", "masterKeyFile", "maxConnections", "mtaSts", "node", "operator", "operatorSocket",
        "providers", "publicUrl", "resultsFor", "retryBase", "retryMaximum", "roles", "route", "routes", "smtpPort",
        "softBounce",
        "sources", "suppressDeadAfter", "tls",
        "tlsCertificate", "tlsKey", "tlsReportFrom", "trustAnchor", "trustDomains", "trustRoots", "vaultDatabaseUrl",
    ]

    static func read(_ file: String) throws -> [AbsoluteConfigKey: ConfigValue] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw error("the file \(file) cannot be read as UTF-8")
        }
        return try values(of: text, named: file)
    }

    /// - Parameter file: what errors call it. They name keys and never values, which may be secret.
    static func values(of text: String, named file: String) throws -> [AbsoluteConfigKey: ConfigValue] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Self.error("\(file) is not YAML\(problem(error))")
        }
        guard let root else { return [:] }
        guard let mapping = root.mapping else { throw error("\(place(root, file)): expected `key: value` lines") }
        return try mapping.reduce(into: [:]) { values, entry in
            let key = entry.key.scalar?.string ?? ""
            guard keys.contains(key) else {
                let hint = nearest(to: key).map { "; did you mean \($0)?" } ?? ""
                throw error("\(place(entry.key, file)): unknown key \(key)\(hint)")
            }
            guard let value = entry.value.scalar, entry.value.tag != Tag(.null) else {
                throw error("\(place(entry.key, file)): \(key) takes one value")
            }
            values[AbsoluteConfigKey([key])] = ConfigValue(.string(value.string), isSecret: key == "masterKey")
        }
    }

    /// The known key that differs least: in case and separators only, or by up to two letters.
    static func nearest(to key: String) -> String? {
        let plain = plain(key)
        let (nearest, distance) =
            keys.sorted().map { ($0, Self.distance(plain, Self.plain($0))) }
            .min { $0.1 < $1.1 } ?? ("", .max)
        return distance <= min(2, plain.count / 2) ? nearest : nil
    }

    private static func plain(_ key: String) -> [Character] {
        key.lowercased().filter { $0 != "_" && $0 != "-" }.map { $0 }
    }

    /// Letters to insert, delete or replace (Levenshtein).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                (diagonal, row[j + 1]) = (
                    row[j + 1], min(diagonal + (letter == other ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                )
            }
        }
        return row[right.count]
    }

    private static func place(_ node: Node, _ file: String) -> String {
        node.mark.map { "\(file):\($0.line)" } ?? file
    }

    /// Where the YAML breaks, without the text there.
    private static func problem(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ": line \(mark.line): \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            ": line \(context.mark.line): given twice: \(keys.joined(separator: ", "))"
        default: ""
        }
    }

    private static func error(_ problem: String) -> SettingError { SettingError(setting: "config", problem: problem) }
}
