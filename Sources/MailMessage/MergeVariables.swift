/// A value that a recipient brings along. Numbers are text as the customer wrote them, so that `1.50` stays `1.50`.
///
/// Its description hides the value.
package enum MergeValue: Sendable, Hashable, CustomStringConvertible {
    case text(String)
    /// Text that says no, as a cell of a table can: `false`, `no`. It is shown as text, and false for sections.
    case falseText(String)
    case flag(Bool)
    /// Counts as missing.
    case null
    case list([MergeValue])
    case object(MergeVariables)

    package var description: String {
        switch self {
        case .text, .falseText: "text"
        case .flag: "flag"
        case .null: "null"
        case .list(let items): "list of \(items.count)"
        case .object(let variables): variables.description
        }
    }
}

extension MergeValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral {
    package init(stringLiteral value: String) { self = .text(value) }
    package init(booleanLiteral value: Bool) { self = .flag(value) }
    package init(arrayLiteral elements: MergeValue...) { self = .list(elements) }
}

/// The variables of one recipient, or of an object inside them, in the order given.
///
/// An array rather than a dictionary: it is built once per recipient and read once per name, a campaign's recipients
/// mostly share one order of keys, and rendering makes use of that. When a key stands twice, the first counts.
package struct MergeVariables: Sendable, Hashable, CustomStringConvertible {
    package struct Field: Sendable, Hashable {
        package var key: String
        package var value: MergeValue

        package init(key: String, value: MergeValue) {
            self.key = key
            self.value = value
        }
    }

    package var fields: [Field]

    package init(_ fields: [Field] = []) { self.fields = fields }

    package subscript(key: String) -> MergeValue? { fields.first { $0.key == key }?.value }

    package var description: String { "\(fields.count) fields" }
}

extension MergeVariables: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, MergeValue)...) {
        fields = elements.map { Field(key: $0.0, value: $0.1) }
    }
}
