import MailMessage
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
    private var chunkStart = 0
    private var wordStart = 0
    private var chunkIsAddress = false
    private var wordIsNumber = true

    init(_ text: String) {
        let octets = Array(text.utf8.prefix(Self.readOctets))
        self.init()
        words.reserveCapacity(octets.count + 1)
        enhanced = Self.firstEnhancedCode(in: octets, 0..<octets.count)
        append(octets, 0..<octets.count)
    }

    init() {}

    /// Appends the words of `range`.
    mutating func append(_ text: [UInt8], _ range: Range<Int>) {
        chunkStart = words.count
        wordStart = words.count
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = text[index]
            switch Self.kinds[Int(octet)] {
            case .letter:
                words.append(octet.asWordOctet)
                wordIsNumber = false
            case .digit: words.append(octet)
            case .apostrophe: break
            case .high:
                if octet == 0xE2, text[index..<range.upperBound].starts(with: [0xE2, 0x80, 0x99]) {
                    index += 2  // typographic apostrophe
                } else {
                    words.append(octet)
                    wordIsNumber = false
                }
            case .chunkEnd: endChunk()
            case .at: chunkIsAddress = true
            case .other: endWord()
            }
            index += 1
        }
        endChunk()
    }

    /// Where the last `count` words stand.
    func lastWords(_ count: Int) -> Range<Int> {
        var left = count
        var start = words.count
        while start > 0 {
            if words[start - 1] == 0x20, start < words.count {
                left -= 1
                if left == 0 { break }
            }
            start -= 1
        }
        return start..<words.count
    }

    private mutating func endWord() {
        if wordIsNumber {
            words.removeLast(words.count - wordStart)
        } else {
            words.append(0x20)
        }
        wordStart = words.count
        wordIsNumber = true
    }

    /// What parts one address from the text around it.
    private mutating func endChunk() {
        endWord()
        if chunkIsAddress { words.removeLast(words.count - chunkStart) }
        chunkIsAddress = false
        chunkStart = words.count
        wordStart = words.count
    }

    private enum Kind {
        case letter, digit, apostrophe, high, chunkEnd, at, other
    }

    private static let kinds: [Kind] = (0...255).map { octet in
        switch UInt8(octet) {
        case 0x41...0x5A, 0x61...0x7A: .letter
        case 0x30...0x39: .digit
        case UInt8(ascii: "'"), UInt8(ascii: "`"): .apostrophe
        case 0x80...0xFF: .high
        case UInt8(ascii: "@"): .at
        case 0...0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: ","),
            UInt8(ascii: "\""):
            .chunkEnd
        default: .other
        }
    }

    /// The first enhanced code of a refusal in `range`.
    static func firstEnhancedCode(in octets: [UInt8], _ range: Range<Int>) -> EnhancedStatusCode? {
        var start = range.lowerBound + 1
        while let dot = octets.firstIndex(of: UInt8(ascii: "."), in: start..<max(start, range.upperBound)) {
            start = dot + 1
            let index = dot - 1
            guard octets[index] == UInt8(ascii: "4") || octets[index] == UInt8(ascii: "5") else { continue }
            if index > range.lowerBound, octets[index - 1] == UInt8(ascii: ".") || octets[index - 1].isDigit {
                continue
            }
            if let code = EnhancedStatusCode(leading: octets[index..<range.upperBound]) { return code }
        }
        return nil
    }
}

extension UInt8 {
    var isDigit: Bool { (0x30...0x39).contains(self) }

    /// Of a letter
    fileprivate var asWordOctet: UInt8 { self | 0x20 }
}
