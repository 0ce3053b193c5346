/// Upper-case digits, as quoted-printable (RFC 2045 §6.7) and percent-encoding (RFC 3986 §2.1) want them.
enum Hexadecimal {
    @inline(__always)
    static func upperDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "A")
    }
}
