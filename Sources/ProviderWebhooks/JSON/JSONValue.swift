/// JSON as a provider sent it. Of a name that stands twice in an object the last value counts.
enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// As it is written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    subscript(_ name: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members[name] ?? .null
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// A string to be compared.
    var exact: ExactText? { text.map { ExactText($0) } }

    /// A string or a number, as it is written.
    var word: String? {
        switch self {
        case .string(let text), .number(let text): text
        default: nil
        }
    }

    /// Whole; what stands behind a dot is left out.
    var integer: Int64? {
        word.flatMap { Int64($0.prefix { $0 != "." }) }
    }

    var isTrue: Bool { self == .bool(true) || ["1", "true"].contains(word.map { ExactText($0) }) }

    var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// The elements of an array; else the value alone, unless it is null.
    var each: [JSONValue] {
        switch self {
        case .array(let elements): elements
        case .null: []
        default: [self]
        }
    }

    var isObject: Bool {
        guard case .object = self else { return false }
        return true
    }
}
