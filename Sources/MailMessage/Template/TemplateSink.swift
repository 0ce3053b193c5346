/// Where an interpreted template goes. The sink knows the program's literals in a form of its own.
protocol TemplateSink {
    /// Octets written so far, what was there before included.
    var count: Int { get }

    mutating func literal(_ index: Int)
    mutating func value(_ text: String, escaped: Bool)
}

/// A body part in quoted-printable.
struct QuotedPrintableSink: TemplateSink {
    /// A program's literals, encoded once per campaign.
    struct Literals: Sendable {
        fileprivate var bytes: [UInt8] = []
        fileprivate var entries: [QuotedPrintableWriter.Literal] = []

        init(_ literals: [[UInt8]]) {
            for literal in literals { entries.append(QuotedPrintableWriter.encode(literal, into: &bytes)) }
        }

        var octets: Int { bytes.count }
    }

    private let literals: Literals
    private var writer: QuotedPrintableWriter

    init(_ literals: Literals, after output: consuming [UInt8]) {
        self.literals = literals
        writer = QuotedPrintableWriter(after: output)
    }

    var count: Int { writer.count }
    var output: [UInt8] { writer.output }

    mutating func literal(_ index: Int) { writer.append(literals.entries[index], of: literals.bytes) }

    mutating func value(_ text: String, escaped: Bool) {
        text.withBytes { writer.write($0, escapingHTML: escaped) }
    }

    mutating func finish() { writer.finish() }
}

/// Text as it is: a body part that goes on to base64, or a header value that goes on to be folded.
struct PlainSink: TemplateSink {
    struct Literals: Sendable {
        fileprivate var bytes: [UInt8] = []
        fileprivate var ranges: [Range<Int>] = []

        /// - Parameter literals: LF line ends, which become CRLF.
        init(_ literals: [[UInt8]]) {
            for literal in literals {
                let lower = bytes.count
                for byte in literal {
                    if byte == UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\r")) }
                    bytes.append(byte)
                }
                ranges.append(lower..<bytes.count)
            }
        }

        var octets: Int { bytes.count }
    }

    private let literals: Literals
    /// Whether line ends in values become CRLF. In a header they are left, to be found and refused.
    private let normalisesLines: Bool
    private(set) var output: [UInt8]

    init(_ literals: Literals, normalisesLines: Bool, after output: consuming [UInt8]) {
        self.literals = literals
        self.normalisesLines = normalisesLines
        self.output = output
    }

    var count: Int { output.count }

    mutating func literal(_ index: Int) { output.append(contentsOf: literals.bytes[literals.ranges[index]]) }

    mutating func value(_ text: String, escaped: Bool) {
        text.withBytes { bytes in
            guard escaped || normalisesLines else {
                output.append(contentsOf: bytes)
                return
            }
            appendEach(bytes, escaped: escaped)
        }
    }

    /// Ends text that is not empty with a line break, as the quoted-printable form does.
    mutating func finish() {
        guard let last = output.last, last != UInt8(ascii: "\n") else { return }
        output.append(contentsOf: "\r\n".utf8)
    }

    private mutating func appendEach(_ bytes: UnsafeBufferPointer<UInt8>, escaped: Bool) {
        var previous: UInt8 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\r") where normalisesLines:
                output.append(contentsOf: "\r\n".utf8)
            case UInt8(ascii: "\n") where normalisesLines:
                if previous != UInt8(ascii: "\r") { output.append(contentsOf: "\r\n".utf8) }
            default:
                if escaped, let entity = HTMLEscaping.entity(byte) {
                    entity.withUTF8Buffer { output.append(contentsOf: $0) }
                } else {
                    output.append(byte)
                }
            }
            previous = byte
        }
    }
}
