/// What a domain's `_mta-sts` TXT record says: that there is a policy, and which (RFC 8461 §3.1).
package struct MTASTSRecord: Sendable, Hashable {
    /// 1 to 32 letters and digits; another one means that the policy changed.
    package let id: String

    package init(id: String) {
        self.id = id
    }

    /// - Parameter texts: all TXT records of `_mta-sts.<domain>`.
    /// - Returns: nil unless exactly one is a record of this version, and well-formed.
    package init?(texts: [String]) {
        let records = texts.filter { TagList.starts($0, with: "STSv1") }
        guard records.count == 1, let tags = TagList(records[0]), let id = tags["id"],
            (1...32).contains(id.utf8.count), id.utf8.allSatisfy(\.isLetterOrDigit)
        else { return nil }
        self.init(id: id)
    }
}

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
