import MailTypes

/// Writes JSON (RFC 8259) as octets, members in the order they are given.
struct JSONOctets: Sendable {
    private(set) var octets: [UInt8] = []
    private var needsComma = false

    var text: String { String(decoding: octets, as: UTF8.self) }

    mutating func reserve(_ count: Int) { octets.reserveCapacity(count) }

    mutating func beginObject(_ name: String? = nil) { open(name, UInt8(ascii: "{")) }
    mutating func endObject() { close(UInt8(ascii: "}")) }
    mutating func beginArray(_ name: String? = nil) { open(name, UInt8(ascii: "[")) }
    mutating func endArray() { close(UInt8(ascii: "]")) }

    mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { append(quoted: value) } else { append("null") }
        needsComma = true
    }

    mutating func member(_ name: String, _ value: Int64?) {
        key(name)
        append(value.map(String.init) ?? "null")
        needsComma = true
    }

    /// - Parameter members: complete members, at least one.
    mutating func members(raw members: String) {
        separate()
        append(members)
        needsComma = true
    }

    private mutating func key(_ name: String) {
        separate()
        octets.append(UInt8(ascii: "\""))
        append(name)
        octets.append(UInt8(ascii: "\""))
        octets.append(UInt8(ascii: ":"))
    }

    private mutating func open(_ name: String?, _ bracket: UInt8) {
        if let name { key(name) } else { separate() }
        octets.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        octets.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { octets.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func append(_ text: String) { octets.append(contentsOf: text.utf8) }

    private mutating func append(quoted value: String) {
        var value = value
        octets.append(UInt8(ascii: "\""))
        value.withUTF8 { text in
            guard text.contains(where: Self.isEscaped) else { return octets.append(contentsOf: text) }
            for octet in text { append(escaped: octet) }
        }
        octets.append(UInt8(ascii: "\""))
    }

    private static func isEscaped(_ octet: UInt8) -> Bool {
        octet < 0x20 || octet == UInt8(ascii: "\"") || octet == UInt8(ascii: "\\")
    }

    private mutating func append(escaped octet: UInt8) {
        guard Self.isEscaped(octet) else { return octets.append(octet) }
        octets.append(UInt8(ascii: "\\"))
        guard octet < 0x20 else { return octets.append(octet) }
        append("u00")
        octets.append(hexadecimalDigit(octet >> 4))
        octets.append(hexadecimalDigit(octet & 15))
    }
}
