/// Encoded words (RFC 2047) of a header field, decoded.
enum EncodedWordReader {
    /// - Returns: UTF-8; what is no encoded word stays, blanks between two of them go (RFC 2047 §6.2).
    static func decode(_ value: [UInt8]) -> [UInt8] {
        guard value.contains(UInt8(ascii: "=")) else { return ReceivedCharset.decode(value, label: nil) }
        var result: [UInt8] = []
        var index = 0
        /// Where in the result the last encoded word ended, as long as only blanks follow.
        var wordEnd: Int?
        while index < value.count {
            if let word = word(value, at: index) {
                if let wordEnd { result.removeSubrange(wordEnd...) }
                result += word.text
                wordEnd = result.count
                index = word.end
            } else {
                if !value[index].isBlank { wordEnd = nil }
                result.append(value[index])
                index += 1
            }
        }
        return ReceivedCharset.decode(result, label: nil)
    }

    private static func word(_ value: [UInt8], at start: Int) -> (text: [UInt8], end: Int)? {
        guard value.holds("=?", at: start, before: value.count) else { return nil }
        let limit = min(value.count, start + 1_000)
        guard let charsetEnd = value.firstIndex(of: UInt8(ascii: "?"), in: (start + 2)..<limit),
            charsetEnd + 2 < limit, value[charsetEnd + 2] == UInt8(ascii: "?"),
            let textEnd = end(value, (charsetEnd + 3)..<limit)
        else { return nil }
        let label = value[(start + 2)..<charsetEnd].prefix { $0 != UInt8(ascii: "*") }
        let range = (charsetEnd + 3)..<textEnd
        let octets: [UInt8]
        switch value[charsetEnd + 1].inLowerCase {
        case UInt8(ascii: "b"): octets = TransferDecoding.base64(value, in: range, limit: limit)
        case UInt8(ascii: "q"):
            let spaced = value[range].map { $0 == UInt8(ascii: "_") ? 0x20 : $0 }
            octets = TransferDecoding.quotedPrintable(spaced, in: 0..<spaced.count, limit: limit)
        default: return nil
        }
        let name = String(decoding: label.map(\.inLowerCase), as: UTF8.self)
        return (ReceivedCharset.decode(octets, label: name), textEnd + 2)
    }

    /// Where `?=` stands.
    private static func end(_ value: [UInt8], _ range: Range<Int>) -> Int? {
        var start = range.lowerBound
        while let mark = value.firstIndex(of: UInt8(ascii: "?"), in: start..<range.upperBound) {
            if mark + 1 < value.count, value[mark + 1] == UInt8(ascii: "=") { return mark }
            start = mark + 1
        }
        return nil
    }
}
