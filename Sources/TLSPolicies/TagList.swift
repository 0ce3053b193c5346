/// `v=…; name=value; …`, as MTA-STS and TLS-RPT records are written.
struct TagList {
    private let fields: [(name: String, value: String)]

    /// Whether the text is meant for the reader of `version`. Others may share the name.
    static func starts(_ text: String, with version: String) -> Bool {
        guard text.hasPrefix("v=\(version)") else { return false }
        let rest = text.utf8.dropFirst(version.utf8.count + 2)
        return rest.drop(while: \.isBlank).first.map { $0 == UInt8(ascii: ";") } ?? true
    }

    init?(_ text: String) {
        var fields: [(name: String, value: String)] = []
        for part in text.split(separator: ";", omittingEmptySubsequences: false) {
            let field = part.trimmingBlanks
            if field.isEmpty { continue }
            guard let equals = field.firstIndex(of: "="), equals != field.startIndex else { return nil }
            fields.append((String(field[..<equals]), String(field[field.index(after: equals)...])))
        }
        self.fields = fields
    }

    /// The first value of a name.
    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}

extension UInt8 {
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isLetterOrDigit: Bool { isDigit || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) }
}

extension Substring {
    /// Without spaces and tabs at either end.
    var trimmingBlanks: Substring {
        var text = self
        while let first = text.utf8.first, first.isBlank { text = text.dropFirst() }
        while let last = text.utf8.last, last.isBlank { text = text.dropLast() }
        return text
    }
}
