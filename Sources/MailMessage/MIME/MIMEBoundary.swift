import MailTypes

/// Boundaries that no part can hold (RFC 2046 §5.1.1): all parts are quoted-printable or base64, and neither ever has
/// an `=` before a `_`. RFC 2045 §6.7 suggests just that.
///
/// The rest is a hash of the template, so that a campaign always has the same boundaries and two campaigns differ.
struct MIMEBoundary {
    private let hash: UInt64

    init(_ content: MessageContent) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ text: String?) {
            // FNV-1a; an octet that UTF-8 never has ends each field.
            for byte in (text ?? "").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        mix(content.from.address.text)
        mix(content.subject)
        mix(content.html)
        mix(content.text)
        for attachment in content.attachments { mix(attachment.filename) }
        self.hash = hash
    }

    /// All of one length and different at their end, so that none is the start of another.
    var mixed: String { boundary("m") }
    var alternative: String { boundary("a") }
    var related: String { boundary("r") }

    private func boundary(_ level: String) -> String {
        var digits: [UInt8] = []
        for shift in stride(from: 60, through: 0, by: -4) {
            digits.append(Hexadecimal.upperDigit(UInt8(truncatingIfNeeded: hash >> UInt64(shift)) & 15))
        }
        return "=_\(String(decoding: digits, as: UTF8.self))_\(level)"
    }
}
