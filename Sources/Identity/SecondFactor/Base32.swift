/// Base 32 as apps want secrets (RFC 4648 §6), without the padding that none of them needs.
enum Base32 {
    static let rfc4648 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
    /// Without I, L, O and U, which people take for others (Crockford's).
    static let crockford = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    static func text(_ octets: some Sequence<UInt8>, digits: [UInt8] = rfc4648) -> String {
        var text = ""
        var (rest, bits) = (0, 0)
        for octet in octets {
            (rest, bits) = (rest << 8 | Int(octet), bits + 8)
            while bits >= 5 {
                bits -= 5
                text.unicodeScalars.append(Unicode.Scalar(digits[rest >> bits & 31]))
            }
            rest &= 1 << bits - 1
        }
        if bits > 0 { text.unicodeScalars.append(Unicode.Scalar(digits[rest << (5 - bits) & 31])) }
        return text
    }
}
