/// The fields of a report (RFC 3464 §2, RFC 5965 §3), in their order, whatever stands between them.
package struct ReportFields: Sendable {
    package struct Field: Sendable {
        /// In small letters
        package let name: String
        /// Unfolded
        package let value: [UInt8]
        /// A blank line stands before it.
        package let beginsGroup: Bool
    }

    package private(set) var fields: [Field] = []

    /// Lines that are no field are passed over, and so are blank ones; a line that begins with a blank goes on with the
    /// field before it.
    package init(_ text: [UInt8]) {
        var name = ""
        var value: [UInt8] = []
        var begins = false
        var isBlank = true
        func flush(_ fields: inout [Field]) {
            if !name.isEmpty { fields.append(Field(name: name, value: value, beginsGroup: begins)) }
            name = ""
        }
        for line in OctetLines(text, in: 0..<text.count) {
            guard fields.count < ReadingLimits.headerFields else { break }
            let content = text.trimmed(line)
            if content.isEmpty {
                flush(&fields)
                isBlank = true
            } else if text[line.lowerBound].isBlank, !name.isEmpty {
                if value.count < ReadingLimits.fieldOctets { value += [0x20] + text[content] }
            } else if let colon = Self.colon(text, content) {
                flush(&fields)
                name = String(
                    decoding: text[text.trimmed(content.lowerBound..<colon)].map(\.inLowerCase), as: UTF8.self)
                value = Array(text[text.trimmed((colon + 1)..<content.upperBound)])
                begins = isBlank
                isBlank = false
            } else {
                flush(&fields)
            }
        }
        flush(&fields)
    }

    package func first(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }

    package func all(_ name: String) -> [[UInt8]] { fields.filter { $0.name == name }.map(\.value) }

    /// Of a field's name: letters, digits and hyphens, then perhaps blanks.
    private static func colon(_ text: [UInt8], _ line: Range<Int>) -> Int? {
        var index = line.lowerBound
        while index < line.upperBound, isNameOctet(text[index]) { index += 1 }
        guard index > line.lowerBound else { return nil }
        while index < line.upperBound, text[index].isBlank { index += 1 }
        return index < line.upperBound && text[index] == UInt8(ascii: ":") ? index : nil
    }

    private static func isNameOctet(_ octet: UInt8) -> Bool {
        (0x61...0x7A).contains(octet.inLowerCase) || (0x30...0x39).contains(octet) || octet == UInt8(ascii: "-")
    }
}
