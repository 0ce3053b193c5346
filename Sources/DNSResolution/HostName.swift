import MailTypes

/// Names as they stand in MX records and as they may stand in a question.
enum HostName {
    /// The name in lower case if it is made of letters, digits, hyphens and underscores in labels of lawful length, and
    /// is no IPv4 address; RFC 1123 §2.1 does not allow underscores, but mail hosts have them.
    static func checked(_ text: String) -> String? {
        guard text.utf8.count <= MailLimits.domainOctets else { return nil }
        var lastIsNumeric = false
        for label in text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...MailLimits.labelOctets).contains(label.count), label.allSatisfy(isAllowed) else { return nil }
            lastIsNumeric = label.allSatisfy { (0x30...0x39).contains($0) }
        }
        return lastIsNumeric ? nil : text.lowercased()
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// A name in wire form without compression (RFC 1035 §3.1), which must fill `bytes`: its labels.
    static func labels(wire bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        guard bytes.count <= 255 else { return nil }
        var labels: [ArraySlice<UInt8>] = []
        var rest = bytes
        while let length = rest.popFirst() {
            if length == 0 { return rest.isEmpty ? labels : nil }
            guard length <= MailLimits.labelOctets, rest.count >= Int(length) else { return nil }
            labels.append(rest.prefix(Int(length)))
            rest = rest.dropFirst(Int(length))
        }
        return nil
    }
}
