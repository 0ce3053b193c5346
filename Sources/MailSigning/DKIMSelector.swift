import MailTypes

enum DKIMSelector {
    /// Labels of letters, digits and inner hyphens, joined by dots (RFC 6376 §3.1).
    static func isValid(_ selector: String) -> Bool {
        guard selector.utf8.count <= MailLimits.domainOctets else { return false }
        return selector.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...MailLimits.labelOctets).contains(label.count) && label.first != UInt8(ascii: "-")
                && label.last != UInt8(ascii: "-")
                && label.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
                    default: false
                    }
                }
        }
    }
}
