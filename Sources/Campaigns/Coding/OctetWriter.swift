import MailTypes

/// Writes the compact form of journal groups and results: variable-length integers (LEB128) and counted text.
package struct OctetWriter {
    package private(set) var bytes: [UInt8] = []

    package init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func octet(_ value: UInt8) { bytes.append(value) }

    package mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func index(_ value: Int32) { number(UInt64(UInt32(bitPattern: value))) }

    mutating func text(_ value: String) {
        number(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func reply(_ reply: RecipientReply) {
        number(UInt64(reply.code))
        octet(reply.enhanced?.statusClass ?? 0)
        if let enhanced = reply.enhanced {
            number(UInt64(enhanced.subject))
            number(UInt64(enhanced.detail))
        }
        text(reply.text)
    }
}
