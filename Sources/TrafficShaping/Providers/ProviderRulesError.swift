/// Why a providers file is refused, with the place.
package struct ProviderRulesError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        /// Not YAML, or too large.
        case unreadable
        case unknownKey
        case missingKey
        /// A list where a word is expected, or the like.
        case wrongKind
        case invalidValue
        /// The same pattern twice in one file.
        case overlap
    }

    package let code: Code
    /// As the caller named it.
    package let file: String
    /// From 1.
    package let line: Int?
    package let provider: String?
    package let key: String?
    package let detail: String

    /// Such as `shaping.yaml:12: gmail: connections: 0 is not a number from 1 to 10000`.
    package var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return [place, provider, key, detail].compactMap(\.self).joined(separator: ": ")
    }
}
