/// Writes quoted-printable (RFC 2045 §6.7) behind what `output` already holds, never a line longer than 76.
///
/// What makes rendering cheap: a template's literal is encoded once, as if it began a line, and wrapped there. When it
/// is appended behind a value, a soft line break goes before it if its first line does not fit behind the current
/// column, and the rest is right already. So a literal costs one copy, whatever stands around it.
///
/// Two liberties for the sake of what mail passes through: a dot at the start of a line, and the F of `From ` there,
/// are encoded, since a relay that forgets dot-stuffing or an mbox file would change them and break the signature.
struct QuotedPrintableWriter {
    /// A literal inside a `QuotedPrintableLiterals`, encoded and wrapped from column 0.
    struct Literal: Sendable {
        var range: Range<Int>
        /// Columns of the first line, with the `=` of a soft break, without CRLF.
        var firstLine: Int
        /// The column after the literal; counts from its last line break if it has one.
        var lastColumn: Int
        /// Whether a line break, soft or hard, is inside.
        var hasBreak: Bool
        /// Whether the very first octet is a hard line break, so that a blank before it would end a line.
        var startsWithBreak: Bool
    }

    private(set) var output: [UInt8]
    private var column = 0

    /// RFC 2045 §6.7 (5), and what that leaves for content when a line may have to end with a soft break's `=`.
    private static let lineOctets = 76
    private static let contentOctets = 75

    init(after output: consuming [UInt8]) {
        self.output = output
    }

    var count: Int { output.count }

    mutating func append(_ literal: Literal, of bytes: [UInt8]) {
        if literal.startsWithBreak { encodeTrailingBlank() }
        let room = (literal.hasBreak ? Self.lineOctets : Self.contentOctets) - column
        if literal.firstLine > room { softBreak() }
        output.append(contentsOf: bytes[literal.range])
        column = literal.hasBreak ? literal.lastColumn : column + literal.firstLine
    }

    /// Encodes text: CRLF, CR and LF each become one line break.
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>, escapingHTML: Bool) {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if column == 0, Self.isRiskyLineStart(bytes, at: index) {
                writeEncoded(byte)
                index += 1
            } else if Self.isPlain(byte, escapingHTML: escapingHTML) {
                guard column < Self.contentOctets else {
                    softBreak()
                    continue
                }
                let limit = min(bytes.count, index + Self.contentOctets - column)
                var end = index + 1
                while end < limit, Self.isPlain(bytes[end], escapingHTML: escapingHTML) { end += 1 }
                output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[index..<end]))
                column += end - index
                index = end
            } else if byte == UInt8(ascii: "\n") {
                hardBreak()
                index += 1
            } else if byte == UInt8(ascii: "\r") {
                hardBreak()
                index += 1
                if index < bytes.count, bytes[index] == UInt8(ascii: "\n") { index += 1 }
            } else if escapingHTML, let entity = HTMLEscaping.entity(byte) {
                if column + entity.utf8CodeUnitCount > Self.contentOctets { softBreak() }
                entity.withUTF8Buffer { output.append(contentsOf: $0) }
                column += entity.utf8CodeUnitCount
                index += 1
            } else {
                writeEncoded(byte)
                index += 1
            }
        }
    }

    /// Ends the last line. Text that is not empty always ends with a line break: a message must, and so one rule serves
    /// both a part alone and a part among others.
    mutating func finish() {
        // Soft breaks only ever stand before something, so column 0 means a hard break, or nothing written.
        if column > 0 { hardBreak() }
    }

    /// Encodes one literal into `bytes`, for `append`.
    static func encode(_ text: [UInt8], into bytes: inout [UInt8]) -> Literal {
        var writer = QuotedPrintableWriter(after: [])
        text.withUnsafeBufferPointer { writer.write($0, escapingHTML: false) }
        let encoded = writer.output
        let first = encoded.firstIndex(of: UInt8(ascii: "\r"))
        let lower = bytes.count
        bytes.append(contentsOf: encoded)
        return Literal(
            range: lower..<bytes.count,
            firstLine: first ?? encoded.count,
            lastColumn: writer.column,
            hasBreak: first != nil,
            startsWithBreak: first == 0)
    }

    private mutating func softBreak() {
        output.append(UInt8(ascii: "="))
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        column = 0
    }

    private mutating func hardBreak() {
        encodeTrailingBlank()
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        column = 0
    }

    /// RFC 2045 §6.7 (3): a blank at the end of a line must be encoded, or relays may drop it.
    private mutating func encodeTrailingBlank() {
        guard column > 0, let last = output.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") else {
            return
        }
        output.removeLast()
        column -= 1
        if column + 3 > Self.lineOctets { softBreak() }
        appendHex(last)
    }

    private mutating func writeEncoded(_ byte: UInt8) {
        if column + 3 > Self.contentOctets { softBreak() }
        appendHex(byte)
    }

    private mutating func appendHex(_ byte: UInt8) {
        output.append(UInt8(ascii: "="))
        output.append(Hexadecimal.upperDigit(byte >> 4))
        output.append(Hexadecimal.upperDigit(byte & 15))
        column += 3
    }

    @inline(__always)
    private static func isPlain(_ byte: UInt8, escapingHTML: Bool) -> Bool {
        guard byte &- 0x20 < 0x5F, byte != UInt8(ascii: "=") else { return byte == UInt8(ascii: "\t") }
        return !escapingHTML || !HTMLEscaping.isSpecial(byte)
    }

    private static func isRiskyLineStart(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        switch bytes[index] {
        case UInt8(ascii: "."): true
        case UInt8(ascii: "F"): bytes[index...].starts(with: "From ".utf8)
        default: false
        }
    }
}
