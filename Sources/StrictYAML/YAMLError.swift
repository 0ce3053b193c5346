/// Why a YAML file is refused, with the place.
package struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        /// Not YAML, too large or too deep.
        case unreadable
        case unknownKey
        case missingKey
        /// A list where one value is expected, or the like.
        case wrongKind
        case invalidValue
        /// The same key twice, or the same thing in two places.
        case duplicate
    }

    package let code: Code
    /// As the caller named it.
    package let file: String
    /// From 1.
    package let line: Int?
    /// From 1, in characters.
    package let column: Int?
    /// Where the value stands, such as `providers.gmail.replies[0].action`; empty for the file as a whole.
    package let path: String
    package let detail: String

    init(
        _ code: Code, file: String, line: Int? = nil, column: Int? = nil, path: String = "", detail: String
    ) {
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.detail = detail
    }

    /// Such as `shaping.yaml:12:18: providers.gmail.connections: 0 is not a number from 1 to 10000`.
    package var description: String {
        let place = [line, column].compactMap(\.self).map { ":\($0)" }.joined()
        return [file + place, path, detail].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
