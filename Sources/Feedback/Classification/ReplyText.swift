import MailTypes

/// A reply's text in the form that phrases are compared with: words of small letters and digits, each followed by one
/// space, none in front.
///
/// Apostrophes vanish (`doesn't` becomes `doesnt`), other punctuation parts words. Left out are numbers, so that
/// reply codes repeated on each line, addresses of hosts and durations do not break a phrase; and mail addresses,
/// because their words are the sender's or the recipient's, not the server's.
struct ReplyText: Sendable {
    /// How much of a reply is read. RFC 5321 §4.5.3.1.5 has 512 octets a line; what matters stands in the first few.
    static let readOctets = 2_048

    private(set) var words: [UInt8] = []
    /// The first enhanced code of a refusal in the text.
    private(set) var enhanced: EnhancedStatusCode?

    init(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.readOctets))
        words.reserveCapacity(bytes.count + 1)
        enhanced = Self.firstEnhancedCode(in: bytes)
        var start = 0
        for end in 0...bytes.count where end == bytes.count || Self.endsChunk(bytes[end]) {
            append(bytes[start..<end])
            start = end + 1
        }
    }

    /// What parts one address from the text around it.
    private static func endsChunk(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: ","),
            UInt8(ascii: "\""):
            true
        default: false
        }
    }

    private mutating func append(_ chunk: ArraySlice<UInt8>) {
        guard !chunk.contains(UInt8(ascii: "@")) else { return }
        var word: [UInt8] = []
        var index = chunk.startIndex
        while index < chunk.endIndex {
            let byte = chunk[index]
            switch byte {
            case 0x41...0x5A: word.append(byte | 0x20)
            case 0x61...0x7A, 0x30...0x39: word.append(byte)
            case UInt8(ascii: "'"), UInt8(ascii: "`"): break
            case 0xE2 where chunk[index...].starts(with: [0xE2, 0x80, 0x99]): index += 2  // typographic apostrophe
            case 0x80...0xFF: word.append(byte)
            default: end(&word)
            }
            index += 1
        }
        end(&word)
    }

    private mutating func end(_ word: inout [UInt8]) {
        defer { word.removeAll(keepingCapacity: true) }
        guard word.contains(where: { !(0x30...0x39).contains($0) }) else { return }
        words.append(contentsOf: word)
        words.append(0x20)
    }

    private static func firstEnhancedCode(in bytes: [UInt8]) -> EnhancedStatusCode? {
        for index in bytes.indices.dropLast(4) where bytes[index + 1] == UInt8(ascii: ".") {
            if index > 0, bytes[index - 1] == UInt8(ascii: ".") || (0x30...0x39).contains(bytes[index - 1]) { continue }
            if let code = EnhancedStatusCode(leading: bytes[index...]), code.statusClass != 2 { return code }
        }
        return nil
    }
}
