import Glibc

/// How an upload writes its characters: UTF-8, UTF-16, or one of the charsets with one octet a character that
/// spreadsheets and older systems still export.
package struct Charset: Sendable, Hashable {
    /// In lower case, such as `windows-1252`.
    package let name: String

    package static let utf8 = Charset(name: "utf-8")
    package static let utf16LittleEndian = Charset(name: "utf-16le")
    package static let utf16BigEndian = Charset(name: "utf-16be")
    /// UTF-16 whose order its mark, or else its first octets, tell.
    static let utf16 = Charset(name: "utf-16")

    /// The charset of a label of the IANA's registry, in any case; nil for one that is not read.
    ///
    /// As the WHATWG's encoding standard has it, what calls itself ASCII is UTF-8, and what calls itself ISO-8859-1 is
    /// windows-1252: where the two differ, the former has controls that no list means.
    package init?(label: some StringProtocol) {
        let label = label.lowercased()
        switch label {
        case "utf-8", "utf8", "us-ascii", "ascii": self = .utf8
        case "utf-16", "unicode", "ucs-2", "iso-10646-ucs-2": self = .utf16
        case "utf-16le": self = .utf16LittleEndian
        case "utf-16be": self = .utf16BigEndian
        case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "cp1252", "x-cp1252":
            self.init(name: "windows-1252")
        case "iso_8859-15", "iso8859-15", "latin9", "latin-9", "l9": self.init(name: "iso-8859-15")
        case "x-mac-roman", "mac", "macroman": self.init(name: "macintosh")
        case _ where label.hasPrefix("cp125") && Self.oneOctet.contains("windows-" + label.dropFirst(2)):
            self.init(name: "windows-" + label.dropFirst(2))
        case _ where Self.oneOctet.contains(label): self.init(name: label)
        default: return nil
        }
    }

    private init(name: String) {
        self.name = name
    }

    private static let oneOctet: Set<String> = Set(
        [2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16].map { "iso-8859-\($0)" }
            + (1_250...1_258).map { "windows-\($0)" } + ["koi8-r", "koi8-u", "macintosh", "ibm850", "ibm437"])

    /// For each octet its character in UTF-8, empty where the charset has none; nil for UTF-8 and UTF-16, and where the
    /// C library lacks the charset.
    func table() -> [[UInt8]]? {
        guard Self.oneOctet.contains(name) else { return nil }
        let converter = iconv_open("UTF-8", name)
        guard let converter, converter != iconv_t(bitPattern: -1) else { return nil }
        defer { iconv_close(converter) }
        return (0...255).map { octet in
            var input = CChar(bitPattern: UInt8(octet))
            var output = [CChar](repeating: 0, count: 8)
            var inputLeft = 1
            var outputLeft = output.count
            let isKnown = withUnsafeMutablePointer(to: &input) { input in
                output.withUnsafeMutableBufferPointer { output in
                    var from: UnsafeMutablePointer<CChar>? = input
                    var to = output.baseAddress
                    return iconv(converter, &from, &inputLeft, &to, &outputLeft) != Int(bitPattern: UInt.max)
                }
            }
            // A refusal leaves the converter in its first state: these charsets have no other.
            return isKnown ? output.prefix(output.count - outputLeft).map { UInt8(bitPattern: $0) } : []
        }
    }
}
