/// Where an interpreted template goes. The sink knows the program's literals in a form of its own.
protocol TemplateSink {
    /// Octets written so far, what was there before included.
    var count: Int { get }

    mutating func literal(_ index: Int)
    mutating func value(_ text: String, escaping: ValueEscaping)
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

    mutating func value(_ text: String, escaping: ValueEscaping) {
        switch escaping {
        case .none, .html: text.withBytes { writer.write($0, escapingHTML: escaping == .html) }
        case .percent, .textOfHTML:
            escaping.apply(text.utf8).withUnsafeBufferPointer { writer.write($0, escapingHTML: false) }
        }
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

    /// What becomes of white space in values.
    enum WhiteSpace {
        /// Line ends become CRLF.
        case body
        /// Each run becomes one blank (``HeaderText/appendCollapsed(_:to:)``).
        case header
    }

    private let literals: Literals
    private let whiteSpace: WhiteSpace
    private(set) var output: [UInt8]

    init(_ literals: Literals, whiteSpace: WhiteSpace, after output: consuming [UInt8]) {
        self.literals = literals
        self.whiteSpace = whiteSpace
        self.output = output
    }

    var count: Int { output.count }

    mutating func literal(_ index: Int) { output.append(contentsOf: literals.bytes[literals.ranges[index]]) }

    mutating func value(_ text: String, escaping: ValueEscaping) {
        switch escaping {
        case .none, .html: text.withBytes { append($0, escaped: escaping == .html) }
        case .percent, .textOfHTML:
            escaping.apply(text.utf8).withUnsafeBufferPointer { append($0, escaped: false) }
        }
    }

    private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, escaped: Bool) {
        switch whiteSpace {
        case .body: appendLines(bytes, escaped: escaped)
        case .header: HeaderText.appendCollapsed(bytes, to: &output)
        }
    }

    /// Ends text that is not empty with a line break, as the quoted-printable form does.
    mutating func finish() {
        guard let last = output.last, last != UInt8(ascii: "\n") else { return }
        output.append(contentsOf: "\r\n".utf8)
    }

    private mutating func appendLines(_ bytes: UnsafeBufferPointer<UInt8>, escaped: Bool) {
        var previous: UInt8 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\r"):
                output.append(contentsOf: "\r\n".utf8)
            case UInt8(ascii: "\n"):
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
