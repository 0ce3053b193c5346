/// A statement with its bound values.
///
/// Interpolated values never become part of the text: each turns into a parameter, sent beside it in binary.
///
/// ```swift
/// let sql: SQL = "SELECT name FROM accounts WHERE account_id = \(id) AND state = ANY(\(states))"
/// ```
///
/// A parameter has the type of its Swift value (`String` is `text`, `Int` is `int8`, `[UInt8]` is `bytea`, and so on);
/// where the statement needs another, cast it: `\(json)::jsonb`.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    /// The text with `$1`, `$2`, … in place of the values.
    package private(set) var text: String
    var parameters: PostgresParameters

    package init(stringLiteral value: String) {
        text = value
        parameters = PostgresParameters()
    }

    package init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        parameters = stringInterpolation.parameters
    }

    /// A statement from trusted text without values.
    package init(unescaped text: String) {
        self.text = text
        parameters = PostgresParameters()
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text: String
        fileprivate var parameters: PostgresParameters

        package init(literalCapacity: Int, interpolationCount: Int) {
            text = ""
            text.reserveCapacity(literalCapacity + interpolationCount * 3)
            parameters = PostgresParameters()
            parameters.reserve(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        /// Binds a value.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            parameters.append(value)
            text += "$"
            text += String(parameters.count)
        }

        /// Inserts text that the program itself has made. Never pass text from outside.
        package mutating func appendInterpolation(unescaped trusted: String) { text += trusted }

        /// Inserts a quoted identifier.
        package mutating func appendInterpolation(identifier: String) { text += SQL.quoted(identifier: identifier) }
    }

    /// An identifier in double quotes, its own ones doubled.
    package static func quoted(identifier: String) -> String {
        var result = "\""
        for scalar in identifier.unicodeScalars where scalar != "\0" {
            if scalar == "\"" { result += "\"" }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }
}
