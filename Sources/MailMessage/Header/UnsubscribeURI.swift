/// Which URIs may stand in List-Unsubscribe: `https:` and `mailto:` ones (RFC 2369 §3.2), written as RFC 3986 §2 and
/// RFC 6068 §2 want them, so that no octet of them ends the field or the brackets around them.
enum UnsubscribeURI {
    /// What is wrong with a URI, in words that hold nothing of it; nil for a good one.
    static func fault(_ uri: some Collection<UInt8>) -> String? {
        let bytes = Array(uri)
        guard bytes.count <= MessageLimits.unfoldableOctets else {
            return "a URI has at most \(MessageLimits.unfoldableOctets) octets"
        }
        if let wrong = wrongCharacter(bytes) {
            return "a URI cannot hold \(wrong); percent-encode it"
        }
        guard let scheme = Scheme(bytes) else { return "a URI begins with https:// or mailto:" }
        let rest = bytes.dropFirst(scheme.start.count).prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        switch scheme {
        case .https:
            return rest.prefix { $0 != UInt8(ascii: "/") }.isEmpty ? "a https URI names a host" : nil
        case .mailto:
            let parts = rest.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
            return parts.count >= 2 && parts.allSatisfy { !$0.isEmpty } ? nil : "a mailto URI names an address"
        }
    }

    enum Scheme: CaseIterable {
        case https, mailto

        var start: String {
            switch self {
            case .https: "https://"
            case .mailto: "mailto:"
            }
        }

        /// That of a URI, in any case (RFC 3986 §3.1).
        init?(_ uri: some Collection<UInt8>) {
            let found = Self.allCases.first { scheme in
                uri.count >= scheme.start.utf8.count
                    && zip(uri, scheme.start.utf8).allSatisfy { ((0x41...0x5A).contains($0) ? $0 | 0x20 : $0) == $1 }
            }
            guard let found else { return nil }
            self = found
        }
    }

    private static func wrongCharacter(_ bytes: [UInt8]) -> String? {
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x20: return "a blank"
            case ..<0x20, 0x7F: return "a control character"
            case 0x80...: return "a character that is not ASCII"
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "^"),
                UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
                return "\(Character(Unicode.Scalar(byte)))"
            case UInt8(ascii: "%"):
                let digits = bytes[(index + 1)...].prefix(2)
                guard digits.count == 2, digits.allSatisfy(isHexadecimal) else {
                    return "a % without two digits behind it"
                }
            default: break
            }
        }
        return nil
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
