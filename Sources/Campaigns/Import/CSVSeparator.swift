/// What stands between the columns of a CSV upload.
package enum CSVSeparator: String, Sendable, Hashable, CaseIterable {
    case comma = ","
    case semicolon = ";"
    case tab = "\t"
    case pipe = "|"

    /// By its character or its English name.
    package init?(named text: some StringProtocol) {
        switch text.lowercased() {
        case "comma": self = .comma
        case "semicolon": self = .semicolon
        case "tab", "\\t": self = .tab
        case "pipe": self = .pipe
        default: self.init(rawValue: String(text))
        }
    }

    var octet: UInt8 { rawValue.utf8.first ?? UInt8(ascii: ",") }

    static func isOne(_ octet: UInt8) -> Bool {
        octet == UInt8(ascii: ",") || octet == UInt8(ascii: ";") || octet == 0x09 || octet == UInt8(ascii: "|")
    }
}
