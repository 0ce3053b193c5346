/// A DNS record that a domain's owner is asked to publish.
package struct DNSRecordAdvice: Sendable, Hashable {
    package enum Purpose: String, Sendable, Hashable {
        /// The public key that signatures are checked with.
        case dkim
        /// Who may send mail that returns to the return-path domain.
        case spf
        /// Where bounces go.
        case returnPath = "return_path"
        /// What receivers do with mail that proves neither.
        case dmarc
    }

    package let purpose: Purpose
    /// The full name without a final dot.
    package let name: String
    /// `TXT` or `MX`.
    package let type: String
    /// What a web form of a DNS provider takes: for TXT the text in one piece without quotes.
    package let value: String

    /// A line for a zone file (RFC 1035 §5.1), absolute and complete. Text longer than 255 octets stands there as several
    /// strings, which readers join (RFC 6376 §3.6.2.2, RFC 7208 §3.3).
    package var zoneFileLine: String {
        guard type == "TXT" else { return "\(name). 3600 IN \(type) \(value)" }
        return "\(name). 3600 IN TXT " + strings.map { "\"\($0)\"" }.joined(separator: " ")
    }

    /// The text in pieces of at most 255 octets, with quotes and backslashes escaped.
    private var strings: [String] {
        var strings: [String] = []
        var rest = Array(value.utf8)[...]
        repeat {
            var escaped: [UInt8] = []
            for byte in rest.prefix(255) {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { escaped.append(UInt8(ascii: "\\")) }
                escaped.append(byte)
            }
            strings.append(String(decoding: escaped, as: UTF8.self))
            rest = rest.dropFirst(255)
        } while !rest.isEmpty
        return strings
    }
}
