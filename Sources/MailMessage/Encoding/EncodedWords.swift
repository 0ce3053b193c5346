/// Text beyond ASCII in header fields (RFC 2047).
enum EncodedWords {
    /// RFC 2047 §2: an encoded word, and a line that holds one.
    private static let wordOctets = 75
    private static let lineOctets = 76
    /// `=?utf-8?Q?` and `?=`
    private static let frameOctets = 12
    /// Room for one character of four octets in Q, so that every word makes progress.
    private static let leastPayload = 12

    /// Appends `text`, which is UTF-8, as encoded words, each after a blank or a fold, in Q or B, whichever is shorter.
    /// No character is split between words (§5). The words use only what is also allowed in a phrase (§5 (3)).
    static func append(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8], column: inout Int) {
        let quotedOctets = text.reduce(0) { $0 + cost($1) }
        let usesBase64 = (text.count + 2) / 3 * 4 < quotedOctets
        var index = 0
        while index < text.count {
            var room = min(wordOctets, lineOctets - column - 1) - frameOctets
            if index > 0 || room < leastPayload {
                HeaderText.fold(&output, &column)
                room = wordOctets - frameOctets
            } else {
                output.append(UInt8(ascii: " "))
                column += 1
            }
            let end = wordEnd(text, from: index, room: room, usesBase64: usesBase64)
            let word = UnsafeBufferPointer(rebasing: text[index..<end])
            let before = output.count
            output.append(contentsOf: (usesBase64 ? "=?utf-8?B?" : "=?utf-8?Q?").utf8)
            if usesBase64 {
                Base64.append(word, to: &output)
            } else {
                appendQuoted(word, to: &output)
            }
            output.append(contentsOf: "?=".utf8)
            column += output.count - before
            index = end
        }
    }

    private static func wordEnd(
        _ text: UnsafeBufferPointer<UInt8>, from start: Int, room: Int, usesBase64: Bool
    ) -> Int {
        var end = start
        var used = 0
        while end < text.count {
            let next = min(text.count, end + characterOctets(text[end]))
            if usesBase64 {
                used = (next - start + 2) / 3 * 4
            } else {
                for index in end..<next { used += cost(text[index]) }
            }
            guard used <= room else { break }
            end = next
        }
        return end
    }

    /// From the leading octet of a UTF-8 sequence.
    private static func characterOctets(_ lead: UInt8) -> Int {
        switch lead {
        case 0xF0...: 4
        case 0xE0...: 3
        case 0xC0...: 2
        default: 1
        }
    }

    private static func cost(_ byte: UInt8) -> Int { isSafe(byte) || byte == UInt8(ascii: " ") ? 1 : 3 }

    private static func isSafe(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    private static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        for byte in text {
            if isSafe(byte) {
                output.append(byte)
            } else if byte == UInt8(ascii: " ") {
                output.append(UInt8(ascii: "_"))
            } else {
                output.append(UInt8(ascii: "="))
                output.append(Hexadecimal.upperDigit(byte >> 4))
                output.append(Hexadecimal.upperDigit(byte & 15))
            }
        }
    }
}
