/// Punctuation and blanks beyond ASCII, in UTF-8, which stand next to an address and are never part of it. Letters and
/// pictures of any script are no marks: addresses may hold them (RFC 6531).
enum TypographicMark {
    /// How many octets the mark at `index` has; 0 where none begins.
    static func length(in text: [UInt8], at index: Int) -> Int {
        switch text[index] {
        case 0xC2: index + 1 < text.count && isLatin(text[index + 1]) ? 2 : 0
        case 0xE2, 0xE3, 0xEF:
            index + 2 < text.count && isWide(text[index], text[index + 1], text[index + 2]) ? 3 : 0
        default: 0
        }
    }

    /// Where the last mark in `range` ends; nil where there is none.
    static func endOfLast(in text: [UInt8], _ range: Range<Int>) -> Int? {
        var end: Int?
        for index in range where text[index] >= 0xC2 {
            let length = length(in: text, at: index)
            guard length > 0, !(index > range.lowerBound && joins(text, index)) else { continue }
            end = min(index + length, range.upperBound)
        }
        return end
    }

    /// A dash or an apostrophe behind a letter: whoever wrote `O’Hara@` did not mean `Hara@`.
    private static func joins(_ text: [UInt8], _ index: Int) -> Bool {
        guard text[index] == 0xE2, text[index + 1] == 0x80, (0x90...0x99).contains(text[index + 2]) else {
            return false
        }
        return (0x61...0x7A).contains(text[index - 1].inLowerCase) || (0x30...0x39).contains(text[index - 1])
    }

    /// No-break space, inverted marks and angle quotes.
    private static func isLatin(_ octet: UInt8) -> Bool { [0xA0, 0xA1, 0xAB, 0xBB, 0xBF].contains(octet) }

    private static func isWide(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Bool {
        switch (first, second) {
        // Spaces, dashes, quotation marks and bullets; not the joiners, which are inside words and pictures.
        case (0xE2, 0x80): third != 0x8C && third != 0x8D
        case (0xE2, 0x81), (0xE2, 0x86), (0xE2, 0x96), (0xE2, 0x97): true
        // Punctuation of Chinese and Japanese; not the three that are letters.
        case (0xE3, 0x80): !(0x85...0x87).contains(third)
        case (0xE3, 0x83): third == 0xBB
        // Wide forms of ASCII punctuation, and the byte order mark.
        case (0xEF, 0xBC): (0x81...0x8F).contains(third) || (0x9A...0xA0).contains(third) || third >= 0xBB
        case (0xEF, 0xBD): third == 0x80 || (0x9B...0xA5).contains(third)
        case (0xEF, 0xBB): third == 0xBF
        default: false
        }
    }
}
