/// One form of line end inside, LF; CRLF comes back when a part is encoded.
enum LineEnds {
    /// CRLF and lone CR become LF.
    static func normalised(_ text: String) -> [UInt8] {
        guard text.utf8.contains(UInt8(ascii: "\r")) else { return Array(text.utf8) }
        var normalised: [UInt8] = []
        normalised.reserveCapacity(text.utf8.count)
        var afterCR = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\r") {
                normalised.append(UInt8(ascii: "\n"))
            } else if byte != UInt8(ascii: "\n") || !afterCR {
                normalised.append(byte)
            }
            afterCR = byte == UInt8(ascii: "\r")
        }
        return normalised
    }
}
