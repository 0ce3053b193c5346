import Foundation
import StrictYAML

/// The files that settings name. They are small; what is larger is some other file.
enum OperatorFile {
    /// What is wrong where ``text(_:)`` gives nothing.
    static let cannotBeRead = "cannot be read as UTF-8 of at most \(YAMLDocument.largestOctets) octets"

    static func text(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? handle.close() }
        let most = YAMLDocument.largestOctets
        guard let data = try? handle.read(upToCount: most + 1) ?? Data(), data.count <= most else { return nil }
        return String(validating: data, as: UTF8.self)
    }

    /// The first line of a file, without the line end that editors leave.
    static func secret(_ path: String) -> String? {
        guard let text = text(path) else { return nil }
        return String(text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)[0])
            .trimmingCharacters(in: ["\r"])
    }

    /// Reads a file of YAML.
    ///
    /// - Parameter read: takes what it wants of the file.
    /// - Throws: ``SettingError`` with the place in the file.
    static func read<Content>(
        _ path: String, of setting: Setting, _ read: (YAMLValue) throws -> Content
    ) throws -> Content {
        guard let text = text(path) else {
            throw SettingError(setting: setting, problem: "the file \(path) \(cannotBeRead)")
        }
        do {
            return try read(try YAMLDocument.read(text, named: path))
        } catch let error as YAMLError {
            throw SettingError(setting: setting, problem: error.description)
        }
    }
}
