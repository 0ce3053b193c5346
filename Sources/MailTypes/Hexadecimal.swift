extension Sequence<UInt8> {
    /// Two lower-case digits an octet: `[0x0A, 0xFF]` is `0aff`.
    package var hexadecimal: String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * underestimatedCount)
        for octet in self {
            text.append(hexadecimalDigit(octet >> 4))
            text.append(hexadecimalDigit(octet & 15))
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// - Parameter value: 0 ..< 16
package func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
}
