import Foundation
import Yams

/// A YAML file of its own that a setting names, read strictly: a misspelt key is an error with its place.
enum StrictYAML {
    static let maximumOctets = 256 << 10

    static func read<Content: Decodable>(_ type: Content.Type, _ file: String, setting: String) throws -> Content {
        guard let text = text(file) else {
            throw SettingError(
                setting: setting, problem: "the file \(file) cannot be read as UTF-8 of at most \(maximumOctets) octets"
            )
        }
        func error(_ context: DecodingError.Context, _ problem: String) -> SettingError {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return SettingError(setting: setting, problem: path.isEmpty ? "the file \(problem)" : "\(path) \(problem)")
        }
        do {
            return try YAMLDecoder().decode(Content.self, from: text)
        } catch DecodingError.keyNotFound(let key, let context) {
            throw error(context, "lacks \(key.stringValue)")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            throw error(context, "has the wrong form")
        } catch DecodingError.dataCorrupted(let context) where context.underlyingError is UnknownKey {
            throw error(context, "has an unknown key: \((context.underlyingError as? UnknownKey)?.key ?? "")")
        } catch let unknown as UnknownKey {
            throw SettingError(setting: setting, problem: "unknown key \(unknown.key)")
        } catch {
            // The parser's own words may quote the file, and with it a password.
            throw SettingError(setting: setting, problem: "\(file) is not the YAML that is expected here")
        }
    }

    /// - Parameter keys: all that may stand at the decoder's place.
    static func refuseUnknownKeys<Keys: CodingKey & CaseIterable>(_ decoder: any Decoder, _ keys: Keys.Type) throws {
        let known = Set(keys.allCases.map(\.stringValue))
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw UnknownKey(key: key.stringValue)
        }
    }

    /// Without the line end that editors leave.
    static func secret(_ file: String) -> String? {
        guard let text = text(file) else { return nil }
        return String(text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)[0])
            .trimmingCharacters(in: ["\r"])
    }

    private static func text(_ file: String) -> String? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8), text.utf8.count <= maximumOctets else {
            return nil
        }
        return text
    }

    private struct UnknownKey: Error {
        let key: String
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
