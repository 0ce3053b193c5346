import NIOCore

/// Finds the Message-ID in the header of a received message (RFC 5322 §3.6.4).
enum MessageIDField {
    /// - Parameter message: at least the header, with CRLF line ends.
    /// - Returns: what stands between the brackets, at most 998 octets, controls as `?`; nil where there is none.
    static func value(in message: ByteBuffer) -> [UInt8]? {
        let bytes = message.readableBytesView
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            if bytes[start] == UInt8(ascii: "\r") { return nil }
            if isField(bytes[start..<end]) { return value(bytes, from: start + name.count) }
            start = end < bytes.endIndex ? end + 1 : end
        }
        return nil
    }

    private static let name = Array("message-id:".utf8)

    private static func isField(_ line: ByteBufferView) -> Bool {
        guard let first = line.first, first | 0x20 == name[0], line.count > name.count else { return false }
        return zip(line, name).allSatisfy { byte, wanted in
            ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == wanted
        }
    }

    private static func value(_ bytes: ByteBufferView, from start: Int) -> [UInt8]? {
        var value: [UInt8] = []
        var isLineStart = false
        for byte in bytes[start...].prefix(1_100) {
            // A line that does not begin with a blank is another field.
            if isLineStart, byte != UInt8(ascii: " "), byte != UInt8(ascii: "\t") { break }
            isLineStart = byte == UInt8(ascii: "\n")
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"), UInt8(ascii: "<"),
                UInt8(ascii: ">"):
                continue
            case ..<0x20, 0x7F: value.append(UInt8(ascii: "?"))
            default: value.append(byte)
            }
        }
        return value.isEmpty ? nil : Array(value.prefix(998))
    }
}
