import MailTypes

/// An MX record (RFC 1035 §3.3.9).
struct MailExchange: Hashable {
    enum Host: Hashable {
        /// The root, which stands for "no host" (RFC 7505).
        case none
        case name(String)
        /// A name that no host can have: other characters, or an IPv4 address.
        case unusable
    }

    let preference: Int
    let host: Host

    /// - Parameter data: two octets of preference and a name in wire form.
    init?(_ data: [UInt8]) {
        guard data.count >= 3, let labels = HostName.labels(wire: data[2...]) else { return nil }
        preference = Int(data[0]) << 8 | Int(data[1])
        // A dot inside a label would make a boundary in the text where there is none.
        if labels.isEmpty {
            host = .none
        } else if labels.allSatisfy({ !$0.contains(UInt8(ascii: ".")) }),
            let name = HostName.checked(labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
        {
            host = .name(name)
        } else {
            host = .unusable
        }
    }
}

enum TextRecord {
    /// The strings of a TXT record (RFC 1035 §3.3.14) joined without anything between them, as SPF and DKIM read them.
    static func joined(_ data: [UInt8]) -> String? {
        var bytes: [UInt8] = []
        var rest = data[...]
        while let length = rest.popFirst() {
            guard rest.count >= Int(length) else { return nil }
            bytes += rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

enum AnswerPacket {
    /// The number of CNAME records in the answer section of a packet (RFC 1035 §4.1), or nil if it cannot be read.
    static func aliases(_ packet: Span<UInt8>) -> Int? {
        guard packet.count >= 12 else { return nil }
        func number(_ offset: Int) -> Int { Int(packet[offset]) << 8 | Int(packet[offset + 1]) }
        var offset = 12
        func skipName() -> Bool {
            while offset < packet.count {
                let length = Int(packet[offset])
                if length == 0 {
                    offset += 1
                    return true
                }
                if length & 0xC0 == 0xC0 {
                    offset += 2
                    return true
                }
                guard length <= MailLimits.labelOctets else { return false }
                offset += 1 + length
            }
            return false
        }
        for _ in 0..<number(4) {
            guard skipName() else { return nil }
            offset += 4
        }
        var aliases = 0
        for _ in 0..<number(6) {
            guard skipName(), offset + 10 <= packet.count else { return nil }
            if number(offset) == 5 { aliases += 1 }
            offset += 10 + number(offset + 8)
        }
        return offset <= packet.count ? aliases : nil
    }
}
