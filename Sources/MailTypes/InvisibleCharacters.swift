/// Characters that people do not see, and so cannot have meant: they come with text copied from web pages, documents and
/// chats.
package enum InvisibleCharacters {
    /// The UTF-8 text without white space (Unicode White_Space) and format characters at its ends. What is left of a lost
    /// character, other controls and octets that are not UTF-8 stay, for the text may not be what was meant.
    package static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, !isPrintableASCII(first), let scalar = leading(bytes), isDropped(scalar) {
            bytes = bytes.dropFirst(UTF8.width(scalar))
        }
        while let last = bytes.last, !isPrintableASCII(last), let scalar = trailing(bytes), isDropped(scalar) {
            bytes = bytes.dropLast(UTF8.width(scalar))
        }
        return bytes
    }

    private static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar.properties.isDefaultIgnorableCodePoint
    }

    private static func isPrintableASCII(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }

    private static func leading(_ bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
        String(validating: bytes.prefix(width(bytes[bytes.startIndex])), as: UTF8.self)?.unicodeScalars.first
    }

    private static func trailing(_ bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
        let lead = bytes.suffix(4).lastIndex { $0 & 0xC0 != 0x80 }
        guard let lead, bytes.endIndex - lead == width(bytes[lead]) else { return nil }
        return String(validating: bytes[lead...], as: UTF8.self)?.unicodeScalars.first
    }

    private static func width(_ lead: UInt8) -> Int {
        switch lead {
        case 0xC0...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xFF: 4
        default: 1
        }
    }
}

extension Unicode.Scalar {
    /// Whether a reader sees nothing or a mere gap here, or no two readers see the same: blanks, controls, format
    /// characters (soft hyphen, joiners, direction marks, byte order mark), fillers, characters that Unicode has not
    /// assigned or leaves to private agreement, and what stands for a lost one.
    package var isInvisible: Bool {
        if isASCII { return value <= 0x20 || value == 0x7F }
        switch properties.generalCategory {
        case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
            .unassigned:
            return true
        default:
            return properties.isDefaultIgnorableCodePoint || value == 0x2800 || value == 0xFFFC || value == 0xFFFD
        }
    }

    /// For people: `U+00A0 (NO-BREAK SPACE)`.
    package var codePoint: String {
        let digits = String(value, radix: 16, uppercase: true)
        let padded = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        guard let name = properties.name ?? properties.nameAlias else { return "U+\(padded)" }
        return "U+\(padded) (\(name))"
    }
}
