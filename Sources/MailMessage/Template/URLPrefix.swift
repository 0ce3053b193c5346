/// What of a URL stands before a variable: it tells whether the variable is the URL, or a part of one.
struct URLPrefix: Sendable {
    /// Stands for a variable.
    private static let variable: UInt8 = 0x01
    /// Longer ones have had their path by then, or are none.
    private static let longest = 2_048

    private var bytes: [UInt8] = []
    private var isLatched = false

    mutating func append(_ byte: UInt8) {
        // From the first ? or # on, all is query or fragment (RFC 3986 §3).
        if byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { isLatched = true }
        if !isLatched, bytes.count < Self.longest { bytes.append(byte) }
    }

    mutating func appendVariable() { append(Self.variable) }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        isLatched = false
    }

    /// Whether it starts as a URL of the web does.
    var isOfTheWeb: Bool {
        let start = String(decoding: bytes.prefix(8), as: UTF8.self).lowercased()
        return start.hasPrefix("https://") || start.hasPrefix("http://")
    }

    /// Whether it is a `mailto:` URI that has begun its address. What stands right behind the colon may be a whole address.
    var isInMailto: Bool {
        let start = "mailto:"
        guard String(decoding: bytes.prefix(start.utf8.count), as: UTF8.self).lowercased() == start else {
            return false
        }
        return bytes.count > start.utf8.count || isLatched
    }

    /// Whether what comes next belongs to a path, a query or a fragment. Before, it may be a whole URL, a scheme, or a
    /// host with its port; and what follows `mailto:` or `tel:` is an address rather than a path.
    var isBeforeComponent: Bool {
        if isLatched { return true }
        let text = bytes.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x09 }
        guard let first = text.first else { return false }
        let slash = UInt8(ascii: "/")
        if text.starts(with: [slash, slash]) { return text.dropFirst(2).contains(slash) }
        if let colon = text.firstIndex(of: UInt8(ascii: ":")), !text[..<colon].contains(slash) {
            let rest = text[(colon + 1)...]
            return rest.starts(with: [slash, slash]) && rest.dropFirst(2).contains(slash)
        }
        return first == Self.variable ? text.contains(slash) : true
    }
}
