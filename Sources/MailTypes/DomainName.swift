/// A domain that mail can be addressed to: two or more labels, in lower case, internationalised labels as A-labels
/// (RFC 5890 §2.3.2.1), without the final dot.
package struct DomainName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    package init(_ text: some StringProtocol) throws(AddressError) {
        try self.init(utf8: Array(text.utf8)[...])
    }

    package init(utf8 bytes: ArraySlice<UInt8>) throws(AddressError) {
        guard let first = bytes.first else { throw .noDomain }
        // An A-label is never shorter than its U-label in characters, which take four octets at most. The bound keeps
        // Punycode, whose time grows with the square of the length, away from long texts.
        guard bytes.count <= 4 * MailLimits.domainOctets else { throw .domainTooLong }
        guard first != UInt8(ascii: "[") else { throw .domainIsAddressLiteral }
        if let plain = Self.plainASCII(bytes) {
            text = plain
        } else {
            text = try Self.internationalised(bytes)
        }
        try Self.check(text)
    }

    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }

    /// Lower-cased text if all bytes are letters, digits, hyphens and dots: nearly every domain.
    private static func plainASCII(_ bytes: ArraySlice<UInt8>) -> String? {
        var hasUpperCase = false
        for byte in bytes {
            switch byte {
            case 0x61...0x7A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "."): break
            case 0x41...0x5A: hasUpperCase = true
            default: return nil
            }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return hasUpperCase ? text.lowercased() : text
    }

    private static func internationalised(_ bytes: ArraySlice<UInt8>) throws(AddressError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        var labels: [String] = []
        // IDNA accepts the ideographic full stop and its width variants as label separators (RFC 5895 §2). They are
        // compared as scalars: a combining mark after a dot would make one Character of both.
        for label in text.unicodeScalars.split(omittingEmptySubsequences: false, whereSeparator: isSeparator) {
            labels.append(try aLabel(String(String.UnicodeScalarView(label))))
        }
        return labels.joined(separator: ".")
    }

    private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case ".", "\u{3002}", "\u{FF0E}", "\u{FF61}": true
        default: false
        }
    }

    /// Maps case, width and composition as RFC 5895 §2 does, checks the result (RFC 5891 §4.2.3) and encodes it.
    private static func aLabel(_ label: String) throws(AddressError) -> String {
        // Composing may leave upper case behind, and lowering may leave a decomposed letter behind.
        let mapped = label.compatibilityComposed.lowercased().compatibilityComposed
        if let plain = plainASCII(Array(mapped.utf8)[...]) {
            // A dot may come out of a compatibility character such as U+2488; it was no separator.
            guard !plain.utf8.contains(UInt8(ascii: ".")) else { throw culprit(label) }
            return plain
        }
        let scalars = mapped.unicodeScalars
        guard scalars.allSatisfy(isLabelScalar) else { throw culprit(label) }
        if let first = scalars.first, isMark(first) { throw .character(first, .domain) }
        // "--" in the third place marks an encoded label.
        guard scalars.first != "-", scalars.last != "-",
            scalars.count < 4 || scalars.dropFirst(2).prefix(2).contains(where: { $0 != "-" })
        else { throw .character("-", .domain) }
        guard let encoded = Punycode.encode(scalars) else { throw .domainTooLong }
        return "xn--" + encoded
    }

    /// The first character, as written, that comes out as none of a label.
    private static func culprit(_ label: String) -> AddressError {
        let scalar = label.unicodeScalars.first { scalar in
            !String(scalar).compatibilityComposed.lowercased().unicodeScalars.allSatisfy(isLabelScalar)
        }
        return .character(scalar ?? label.unicodeScalars.first ?? "-", .domain)
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    /// A conservative reading of RFC 5892: letters, marks and digits, and ASCII letters, digits and hyphen.
    private static func isLabelScalar(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return scalar == "-" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        }
        guard !scalar.isInvisible else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark,
            .decimalNumber:
            return true
        default:
            return false
        }
    }

    private static func check(_ text: String) throws(AddressError) {
        guard text.utf8.count <= MailLimits.domainOctets else { throw .domainTooLong }
        var labels = 1
        var label = Label()
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") {
                try label.check()
                labels += 1
                label = Label()
            } else {
                label.add(byte)
            }
        }
        try label.check()
        // A numeric last label makes it an IPv4 address without brackets, not a domain.
        guard !label.isNumeric else { throw .domainIsAddressLiteral }
        guard labels >= 2 else { throw .domainHasOneLabel }
    }

    /// A label, read octet by octet: every recipient's domain comes by here.
    private struct Label {
        private var octets = 0
        private var beginsWithHyphen = false
        private var endsWithHyphen = false
        private(set) var isNumeric = true

        mutating func add(_ byte: UInt8) {
            endsWithHyphen = byte == UInt8(ascii: "-")
            if octets == 0 { beginsWithHyphen = endsWithHyphen }
            isNumeric = isNumeric && (0x30...0x39).contains(byte)
            octets += 1
        }

        func check() throws(AddressError) {
            guard octets > 0 else { throw .emptyLabel }
            guard octets <= MailLimits.labelOctets else { throw .domainTooLong }
            guard !beginsWithHyphen, !endsWithHyphen else { throw .character("-", .domain) }
        }
    }
}
