/// `type/subtype` and parameters, as in Content-Type (RFC 2045 §5.1).
struct MediaType: Hashable {
    /// In lower case.
    let type: String
    /// In lower case.
    let subtype: String
    /// Each as written, `name=value`, the value a token or a quoted string.
    let parameters: [String]

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= MessageLimits.contentTypeOctets else { return nil }
        var position = 0

        func skipBlanks() {
            while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        }
        func skip(_ sign: Character) -> Bool {
            guard position < bytes.count, bytes[position] == sign.asciiValue else { return false }
            position += 1
            return true
        }
        func token() -> String? {
            let start = position
            while position < bytes.count, MIMEParameter.isToken(bytes[position]) { position += 1 }
            return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
        }
        func quotedString() -> String? {
            let start = position
            guard skip("\"") else { return nil }
            while position < bytes.count, (0x20...0x7E).contains(bytes[position]), bytes[position] != UInt8(ascii: "\\")
            {
                position += 1
                if bytes[position - 1] == UInt8(ascii: "\"") {
                    return String(decoding: bytes[start..<position], as: UTF8.self)
                }
            }
            return nil
        }

        guard let type = token(), skip("/"), let subtype = token() else { return nil }
        var parameters: [String] = []
        skipBlanks()
        while skip(";") {
            skipBlanks()
            guard let name = token(), skip("="), let value = token() ?? quotedString() else { return nil }
            parameters.append("\(name)=\(value)")
            skipBlanks()
        }
        guard position == bytes.count else { return nil }
        self.type = type.lowercased()
        self.subtype = subtype.lowercased()
        self.parameters = parameters
    }

    /// For a field body: each parameter on a line of its own.
    var folded: String { (["\(type)/\(subtype)"] + parameters).joined(separator: ";\r\n ") }
}
