import Foundation
import Yams

/// A YAML file of its own that a setting names, read strictly: a misspelt key is an error with its place.
struct StrictYAML<Content: Decodable> {
    let content: Content
    private let root: Node
    private let file: String
    private let setting: String

    init(_ file: String, setting: String) throws {
        guard let text = YAMLText.read(file) else {
            throw SettingError(
                setting: setting,
                problem: "the file \(file) cannot be read as UTF-8 of at most \(YAMLText.maximumOctets) octets")
        }
        let root: Node
        do {
            root = try Yams.compose(yaml: text) ?? Node("")
        } catch {
            let place = YAMLText.line(of: error).map { "\(file):\($0)" } ?? file
            // The parser's own words may quote the file, and with it a password.
            throw SettingError(setting: setting, problem: "\(place): this is not the YAML that is expected here")
        }
        (self.root, self.file, self.setting) = (root, file, setting)
        func error(_ path: [any CodingKey], _ problem: String) -> SettingError {
            Self.error(at: path, of: root, file, setting, problem)
        }
        do {
            content = try YAMLDecoder().decode(Content.self, from: root)
        } catch DecodingError.keyNotFound(let key, let context) {
            throw error(context.codingPath, "lacks \(key.stringValue)")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            throw error(context.codingPath, "has the wrong form")
        } catch let unknown as UnknownKey {
            throw error(unknown.path, "is an unknown key")
        } catch DecodingError.dataCorrupted(let context) {
            guard let unknown = context.underlyingError as? UnknownKey else {
                throw error(context.codingPath, "is not the YAML that is expected here")
            }
            throw error(unknown.path, "is an unknown key")
        } catch {
            throw SettingError(setting: setting, problem: "\(file): this is not the YAML that is expected here")
        }
    }

    /// What is wrong with the value at a place of the file, such as `routes`, 0, `weight`.
    func error(at path: [any CodingKey], _ problem: String) -> SettingError {
        Self.error(at: path, of: root, file, setting, problem)
    }

    private static func error(
        at path: [any CodingKey], of root: Node, _ file: String, _ setting: String, _ problem: String
    ) -> SettingError {
        let line = YAMLText.line(of: path, in: root).map { ":\($0)" } ?? ""
        let name = path.last.map { $0.intValue == nil ? $0.stringValue : "the entry" } ?? "the file"
        return SettingError(setting: setting, problem: "\(file)\(line): \(name) \(problem)")
    }
}

enum YAMLText {
    static let maximumOctets = 256 << 10

    static func read(_ file: String) -> String? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8), text.utf8.count <= maximumOctets else {
            return nil
        }
        return text
    }

    /// The first line of a file, without the line end that editors leave.
    static func secret(_ file: String) -> String? {
        guard let text = read(file) else { return nil }
        return String(text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)[0])
            .trimmingCharacters(in: ["\r"])
    }

    /// Where the YAML breaks.
    static func line(of error: any Error) -> Int? {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: nil
        }
    }

    /// The line of a key, or of an entry of a list; of the nearest place around it that is there.
    static func line(of path: [any CodingKey], in root: Node) -> Int? {
        var (node, line) = (root, root.mark?.line)
        for key in path {
            if let mapping = node.mapping, let entry = mapping.first(where: { $0.key.string == key.stringValue }) {
                (node, line) = (entry.value, entry.key.mark?.line ?? line)
            } else if let list = node.sequence, let index = key.intValue, list.indices.contains(index) {
                (node, line) = (list[index], list[index].mark?.line ?? line)
            } else {
                return line
            }
        }
        return line
    }
}

extension Decoder {
    /// - Parameter keys: all that may stand at the decoder's place.
    func refuseUnknownKeys<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) throws {
        let known = Set(keys.allCases.map(\.stringValue))
        for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw UnknownKey(path: codingPath + [key])
        }
    }
}

private struct UnknownKey: Error {
    let path: [any CodingKey]
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
