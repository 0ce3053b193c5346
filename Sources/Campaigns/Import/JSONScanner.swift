/// Scans the tokens of one line of JSON (RFC 8259), strictly. It knows nothing of recipients.
///
/// The octets are an argument of each call, because a scanner that borrowed them could not be stored.
struct JSONScanner {
    /// The contents of a string literal.
    struct Literal {
        /// Octets between the quotes.
        let range: Range<Int>
        let hasEscapes: Bool
    }

    private(set) var position = 0

    mutating func skipSpace(_ line: Span<UInt8>) {
        while position < line.count {
            switch line[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// The next octet that is not space, nil at the end.
    mutating func peek(_ line: Span<UInt8>) -> UInt8? {
        skipSpace(line)
        return position < line.count ? line[position] : nil
    }

    /// Takes `octet` if it comes next, space aside.
    mutating func take(_ line: Span<UInt8>, _ octet: UInt8) -> Bool {
        guard peek(line) == octet else { return false }
        position += 1
        return true
    }

    mutating func expect(_ line: Span<UInt8>, _ octet: UInt8) throws(LineError) {
        guard take(line, octet) else { throw malformed }
    }

    mutating func expectEnd(_ line: Span<UInt8>) throws(LineError) {
        guard peek(line) == nil else { throw malformed }
    }

    /// Takes one of `true`, `false` and `null`.
    mutating func expectWord(_ line: Span<UInt8>, _ word: StaticString) throws(LineError) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard position < line.count, line[position] == word.utf8Start[offset] else { throw malformed }
            position += 1
        }
    }

    /// Takes a string literal. Its octets are not yet checked to be UTF-8.
    mutating func literal(_ line: Span<UInt8>) throws(LineError) -> Literal {
        try expect(line, UInt8(ascii: "\""))
        let start = position
        var position = position
        var hasEscapes = false
        while position < line.count {
            let octet = line[position]
            if octet == UInt8(ascii: "\"") {
                self.position = position + 1
                return Literal(range: start..<position, hasEscapes: hasEscapes)
            }
            if octet == UInt8(ascii: "\\") {
                hasEscapes = true
                position += 1
            } else if octet < 0x20 {
                break
            }
            position += 1
        }
        self.position = min(position, line.count)
        throw malformed
    }

    /// The octets that a literal with escapes stands for (§7).
    func unescaped(_ line: Span<UInt8>, _ literal: Literal) throws(LineError) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(literal.range.count)
        var position = literal.range.lowerBound
        while position < literal.range.upperBound {
            let octet = line[position]
            position += 1
            guard octet == UInt8(ascii: "\\") else {
                octets.append(octet)
                continue
            }
            // A backslash is never the last octet of a literal: it would have escaped the closing quote.
            let escaped = line[position]
            position += 1
            switch escaped {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): octets.append(escaped)
            case UInt8(ascii: "b"): octets.append(0x08)
            case UInt8(ascii: "f"): octets.append(0x0C)
            case UInt8(ascii: "n"): octets.append(0x0A)
            case UInt8(ascii: "r"): octets.append(0x0D)
            case UInt8(ascii: "t"): octets.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = Self.scalar(line, &position, before: literal.range.upperBound) else {
                    throw .jsonMalformed(octet: position)
                }
                octets.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            default: throw .jsonMalformed(octet: position)
            }
        }
        return octets
    }

    /// The scalar of `\u` escapes, a surrogate pair taken together; nil where it is none.
    private static func scalar(
        _ line: Span<UInt8>, _ position: inout Int, before end: Int
    ) -> Unicode.Scalar? {
        guard let first = hexadecimal(line, &position, before: end) else { return nil }
        guard (0xD800...0xDBFF).contains(first) else { return Unicode.Scalar(first) }
        guard position + 2 <= end, line[position] == UInt8(ascii: "\\"), line[position + 1] == UInt8(ascii: "u") else {
            return nil
        }
        position += 2
        guard let second = hexadecimal(line, &position, before: end), (0xDC00...0xDFFF).contains(second) else {
            return nil
        }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private static func hexadecimal(_ line: Span<UInt8>, _ position: inout Int, before end: Int) -> UInt32? {
        guard position + 4 <= end else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let octet = line[position]
            switch octet {
            case 0x30...0x39: value = value << 4 | UInt32(octet - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(octet - 0x37)
            case 0x61...0x66: value = value << 4 | UInt32(octet - 0x57)
            default: return nil
            }
            position += 1
        }
        return value
    }

    /// Takes a number (§6).
    ///
    /// - Returns: where it stands, for it is kept as written.
    mutating func number(_ line: Span<UInt8>) throws(LineError) -> Range<Int> {
        let start = position
        if position < line.count, line[position] == UInt8(ascii: "-") { position += 1 }
        if position < line.count, line[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits(line)
        }
        if position < line.count, line[position] == UInt8(ascii: ".") {
            position += 1
            try digits(line)
        }
        if position < line.count, line[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < line.count, line[position] == UInt8(ascii: "+") || line[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits(line)
        }
        return start..<position
    }

    private mutating func digits(_ line: Span<UInt8>) throws(LineError) {
        let start = position
        while position < line.count, (0x30...0x39).contains(line[position]) { position += 1 }
        guard position > start else { throw malformed }
    }

    /// The error at the octet at hand.
    var malformed: LineError { .jsonMalformed(octet: position + 1) }
}
