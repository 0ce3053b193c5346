import MailMessage
import MailTypes

/// A reply's text in the form that phrases are compared with: words of small letters and digits, each followed by one
/// space, none in front.
///
/// Capital letters become small ones, beyond ASCII too where they are Latin, Greek or Cyrillic. Apostrophes vanish (`doesn't` becomes `doesnt`), other punctuation parts words. Left out are numbers, so that
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
                } else if index + 1 < range.upperBound, let small = Self.small(octet, text[index + 1]) {
                    words.append(small.0)
                    words.append(small.1)
                    index += 1
                    wordIsNumber = false
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

    /// The small letter of a capital one in two octets of UTF-8: Latin, Greek and Cyrillic (Unicode's UnicodeData.txt). Nil for
    /// all else.
    private static func small(_ first: UInt8, _ second: UInt8) -> (UInt8, UInt8)? {
        switch (first, second) {
        case (0xC3, 0x80...0x96), (0xC3, 0x98...0x9E): (0xC3, second + 0x20)
        // In Latin Extended-A a small letter follows its capital one, which is even up to U+0137 and from U+014A to U+0177.
        case (0xC4, 0x80...0xAF), (0xC4, 0xB2...0xB7), (0xC5, 0x8A...0xB7): second & 1 == 0 ? (first, second + 1) : nil
        case (0xC4, 0xB9...0xBE), (0xC5, 0x81...0x88), (0xC5, 0xB9...0xBE): second & 1 == 1 ? (first, second + 1) : nil
        case (0xCE, 0x91...0x9F): (0xCE, second + 0x20)
        case (0xCE, 0xA0...0xA9): (0xCF, second - 0x20)
        case (0xCE, 0x86): (0xCE, 0xAC)
        case (0xCE, 0x88...0x8A): (0xCE, second + 0x25)
        case (0xCE, 0x8C): (0xCF, second)
        case (0xCE, 0x8E...0x8F): (0xCF, second - 1)
        case (0xD0, 0x90...0x9F): (0xD0, second + 0x20)
        case (0xD0, 0xA0...0xAF): (0xD1, second - 0x20)
        case (0xD0, 0x80...0x8F): (0xD1, second + 0x10)
        default: nil
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
